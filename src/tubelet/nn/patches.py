"""Videos as patches and back, copied in runs of numbers."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.types import Stride


def video_to_patches(video: Float[Tensor, "b c T H W"], patch: Stride) -> Float[Tensor, "b t h w d"]:
    """Copy a video into patches, each in the order frames, rows, columns, channels.

    What lies in planes is copied twice, frame by frame: first channels last, then whole rows of patches.
    Single numbers take twice as long, and a copy of the whole video would take its memory.

    Args:
        video: of any number of channels; its sides are multiples of the patch.
        patch: frames, rows and columns of a patch.
    """
    t, h, w = patch
    if video.stride(1) == 1:
        cells = rearrange(video, "b c (t pt) (h ph) (w pw) -> b t h w pt ph pw c", pt=t, ph=h, pw=w)
        return cells.clone(memory_format=torch.contiguous_format).flatten(4)
    clips, channels, frames, rows, columns = video.shape
    patches = video.new_empty(clips, frames // t, rows // h, columns // w, t, h, w * channels)
    for number, frame in enumerate(video.unbind(dim=2)):
        last = rearrange(frame, "b c H W -> b H W c").contiguous()
        patches[:, number // t, :, :, number % t] = rearrange(
            last, "b (h ph) (w pw) c -> b h w ph (pw c)", ph=h, pw=w
        )
    return patches.flatten(4)


def patches_to_video(
    patches: Float[Tensor, "b t h w d"], patch: Stride, *, channels: int
) -> Float[Tensor, "b c T H W"]:
    """Undo `video_to_patches`; channels lie last in memory, as decoded frames do."""
    t, h, w = patch
    video = rearrange(
        patches, "b t h w (pt ph pw c) -> b (t pt) (h ph) (w pw) c", pt=t, ph=h, pw=w, c=channels
    )
    return rearrange(video, "b T H W c -> b c T H W")
