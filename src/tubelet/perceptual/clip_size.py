"""Clips at the size that a network of videos wants."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tubelet.types import Video


def resize_frames(video: Video, side: int) -> Float[Tensor, "b 3 T {side} {side}"]:
    """Resize every frame to `side` rows and columns, whatever its shape was.

    Bilinear, between the centres of pixels, and without antialiasing when it shrinks: that is how published
    features of videos are made, good or bad.
    """
    frames = rearrange(video, "b c t h w -> (b t) c h w").contiguous()
    resized = F.interpolate(frames, size=(side, side), mode="bilinear", align_corners=False)
    return rearrange(resized, "(b t) c h w -> b c t h w", b=len(video))
