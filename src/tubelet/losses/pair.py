"""What every loss does with its two videos before it compares them."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tubelet.checks import check_device, check_finite, check_floating
from tubelet.errors import ShapeError
from tubelet.video.checks import check_clip, check_values, warn_of_unit_range

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
        OptionError: one is no floating-point tensor; they lie on different devices; or the reference's values
            are of another scale than [-1, 1].
        ShapeError: one is not ``b 3 T H W``, they differ, or they hold no numbers.
        LatentError: one holds NaN or infinity, and the video asks for no gradient.

    Warns:
        RangeWarning: the reference seems to lie in [0, 1].
    """
    pair = alike(reference, video)
    for name, each in (("reference", reference), ("video", video)):
        check_clip(each, name)
    if reference.device.type == "cpu":
        if check_values(reference, "reference", may_overflow=video.requires_grad):
            warn_of_unit_range(stacklevel=3)
        if not video.requires_grad:
            check_finite(video, "video", cure="Look at what made it.")
    return pair


def alike(one: AnyFloat, other: AnyFloat) -> Pair:
    """Two tensors of the same shape in the precision that losses are computed in.

    Half precision has steps of 1/256 near one: too coarse for the error of a good reconstruction, and for a
    mean over a clip.

    Raises:
        OptionError: one is no floating-point tensor, or they lie on different devices.
        ShapeError: their shapes differ, or they hold no numbers.
    """
    for name, each in (("reference", one), ("video", other)):
        check_floating(each, name, cure="Losses compare model input and output, RGB in [-1, 1].")
    check_device(other, one.device, "video", owner="reference")
    if one.shape != other.shape:
        raise ShapeError(
            f"the reference is {tuple(one.shape)} and the video {tuple(other.shape)}; a loss compares equal "
            "shapes, b 3 T H W. Crop or repeat one of them."
        )
    if not one.numel():
        raise ShapeError(
            f"both videos are {tuple(other.shape)}; an empty clip has no loss. Give at least one frame."
        )
    wide = torch.promote_types(torch.promote_types(one.dtype, other.dtype), torch.float32)
    return Pair(one.to(wide), other.to(wide))
