"""What losses and distances ask of the two tensors that they compare."""

from torch import Tensor

from tubelet.checks.arrays import check_device, check_finite, check_floating
from tubelet.checks.clips import check_clip, check_values, warn_of_unit_range
from tubelet.errors import ShapeError


def check_alike(reference: Tensor, video: Tensor) -> None:
    """Raise unless two tensors have the same shape and lie on one device.

    Raises:
        OptionError: one is not a floating-point tensor, or they lie on different devices.
        ShapeError: their shapes differ, or they hold no numbers.
    """
    for name, each in (("reference", reference), ("video", video)):
        check_floating(each, name, cure="Losses compare model input and output, RGB in [-1, 1].")
    check_device(video, reference.device, "video", owner="reference")
    if reference.shape != video.shape:
        raise ShapeError(
            f"the reference is {tuple(reference.shape)} and the video {tuple(video.shape)}; a loss compares "
            "equal shapes, b 3 T H W. Crop or repeat one of them."
        )
    if not video.numel():
        raise ShapeError(
            f"both videos are {tuple(video.shape)}; an empty clip has no loss. Give at least one frame."
        )


def check_comparable(reference: Tensor, video: Tensor, *, stacklevel: int) -> None:
    """Raise unless a reference and a video can be compared, RGB in [-1, 1], ``b 3 T H W``.

    Where the video asks for a gradient, it may hold NaN: the loss is NaN then, so that training can leave the
    step out. On a GPU values are not looked at, because the host would wait for them.

    Args:
        reference: what `video` should be.
        video: what is compared with it.
        stacklevel: calls from here to the line that a warning names; 1 is the caller of this function.

    Raises:
        OptionError: one is not a floating-point tensor; they lie on different devices; or the reference's
            values are of another scale than [-1, 1].
        ShapeError: one is not ``b 3 T H W``, they differ, or they hold no numbers.
        LatentError: one holds NaN or infinity, and the video asks for no gradient.

    Warns:
        RangeWarning: the reference seems to lie in [0, 1].
    """
    check_alike(reference, video)
    for name, each in (("reference", reference), ("video", video)):
        check_clip(each, name)
    if reference.device.type == "cpu":
        if check_values(reference, "reference", may_overflow=video.requires_grad):
            warn_of_unit_range(stacklevel=stacklevel + 1)
        if not video.requires_grad:
            check_finite(video, "video", cure="Look at what made it.")
