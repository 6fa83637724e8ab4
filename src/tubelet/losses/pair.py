"""What every loss does with its two videos before it compares them."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tubelet.checks import check_alike, check_comparable

Loss = Float[Tensor, ""]
"""One number with a gradient, in float32 or float64."""

AnyFloat = Float[Tensor, "..."]


class Pair(NamedTuple):
    """Two tensors of the same shape, both in float32 or both in float64."""

    reference: AnyFloat
    video: AnyFloat


def comparable(reference: AnyFloat, video: AnyFloat) -> Pair:
    """Two videos in the precision that losses are computed in, float64 if one of them has it, else float32.

    Where the video asks for a gradient, one of them may hold NaN: the loss is NaN then, so that training can
    leave the step out. On a GPU values are not looked at, because the host would wait for them.

    Raises:
        OptionError: one is not a floating-point tensor; they lie on different devices; or the reference's
            values are of another scale than [-1, 1].
        ShapeError: one is not ``b 3 T H W``, they differ, or they hold no numbers.
        LatentError: one holds NaN or infinity, and the video asks for no gradient.

    Warns:
        RangeWarning: the reference seems to lie in [0, 1].
    """
    check_comparable(reference, video, stacklevel=3)
    return _widened(reference, video)


def alike(one: AnyFloat, other: AnyFloat) -> Pair:
    """Two tensors of the same shape in the precision that losses are computed in.

    Half precision has steps of 1/256 near one: too coarse for the error of a good reconstruction, and for a
    mean over a clip.

    Raises:
        OptionError: one is not a floating-point tensor, or they lie on different devices.
        ShapeError: their shapes differ, or they hold no numbers.
    """
    check_alike(one, other)
    return _widened(one, other)


def _widened(one: AnyFloat, other: AnyFloat) -> Pair:
    wide = torch.promote_types(torch.promote_types(one.dtype, other.dtype), torch.float32)
    return Pair(one.to(wide), other.to(wide))
