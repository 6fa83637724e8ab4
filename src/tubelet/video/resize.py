"""Shrinking by area: every output pixel is the mean of the input pixels that its area touches."""

import numpy as np
import torch
from einops import rearrange
from jaxtyping import UInt8
from torch.nn import functional as F

from tubelet.errors import OptionError
from tubelet.types import Frames

Small = UInt8[np.ndarray, "T h w 3"]
"""Frames of another size."""


def shrink_to_short_side(frames: Frames, side: int) -> Small:
    """Shrink until the short side has `side` pixels, keeping the shape; smaller frames stay as they are.

    The result is rounded to 8 bits. This is the resizing of the protocol ``short256x33``.
    """
    height, width = frames.shape[1:3]
    small = shrunk_size(height, width, side)
    return frames if small == (height, width) else shrink(frames, height=small[0], width=small[1])


def shrunk_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Rows and columns of what `shrink_to_short_side` gives of frames of this size."""
    short = min(height, width)
    if short <= side:
        return height, width
    return round(height * side / short), round(width * side / short)


def shrink(frames: Frames, *, height: int, width: int) -> Small:
    """Shrink to `height` x `width` by PyTorch's area filter, rounded to 8 bits.

    Pixels at the edge of an output pixel's area count in full (``adaptive_avg_pool2d``), so frames become a
    little softer than by exact areas; the protocol's reference was made this way (docs/decisions/0009).

    Raises:
        OptionError: the new size is not between 1 and the old one.
    """
    old_height, old_width = frames.shape[1:3]
    if not (1 <= height <= old_height and 1 <= width <= old_width):
        raise OptionError(
            f"the new size is {width}x{height} and the frames have {old_width}x{old_height}; an area filter "
            "only shrinks. Choose a smaller size."
        )
    result = np.empty((len(frames), height, width, 3), dtype=np.uint8)
    for frame, small in zip(frames, result, strict=True):
        planes = rearrange(torch.from_numpy(np.ascontiguousarray(frame)), "H W c -> 1 c H W").float()
        pooled = F.adaptive_avg_pool2d(planes, (height, width)).round_().to(torch.uint8)
        small[...] = rearrange(pooled, "1 c h w -> h w c").numpy()
    return result
