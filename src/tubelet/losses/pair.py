"""What every loss does with its two videos before it compares them."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tubelet.errors import ShapeError

Loss = Float[Tensor, ""]
"""One number with a gradient, in float32 or float64."""

AnyFloat = Float[Tensor, "..."]


class Pair(NamedTuple):
    """Two tensors of the same shape, both in float32 or both in float64."""

    reference: AnyFloat
    video: AnyFloat


def comparable(reference: AnyFloat, video: AnyFloat) -> Pair:
    """Give both in the precision that losses are computed in: float64 if one of them has it, else float32.

    Half precision has steps of 1/256 near one: too coarse for the error of a good reconstruction, and for a
    mean over a clip.

    Raises:
        ShapeError: their shapes differ, or they hold no numbers.
    """
    if reference.shape != video.shape:
        raise ShapeError(
            f"the reference is {tuple(reference.shape)} and the video {tuple(video.shape)}; a loss compares "
            "equal shapes, b 3 T H W. Crop or repeat one of them."
        )
    if not reference.numel():
        raise ShapeError(
            f"both videos are {tuple(video.shape)}; an empty clip has no loss. Give at least one frame."
        )
    wide = torch.promote_types(torch.promote_types(reference.dtype, video.dtype), torch.float32)
    return Pair(reference.to(wide), video.to(wide))
