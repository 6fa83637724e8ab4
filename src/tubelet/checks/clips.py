"""What every public function asks of a clip that is model input: RGB in [-1, 1], ``b 3 T H W``."""

import warnings

import torch
from torch import Tensor

from tubelet.checks.arrays import Ends, check_floating, ends, has_values, in_memory, not_finite
from tubelet.errors import OptionError, RangeWarning, ShapeError

FARTHEST = 16.0
"""Values up to here may be overshoot, or noise that stands for a clip; beyond lies another scale."""

_FLAT = 0.1
"""A clip whose values span less than this says nothing of its scale."""

_ENOUGH = 1 << 10
"""A clip of fewer values says nothing of its scale either."""

_SAMPLED = 4096
"""Values that are looked at more closely."""

_FROM_LEVELS = (
    "tubelet.to_model makes it from decoded frames (uint8 T H W 3); levels of 0 to 255 with these axes "
    "become it by video.float() / 127.5 - 1."
)


def check_clip(video: Tensor, name: str = "video", *, least_frames: int = 1) -> None:
    """Raise unless a tensor can be a clip, whatever its values.

    Args:
        video: what was given.
        name: what the caller calls it.
        least_frames: how many frames it has at least.

    Raises:
        OptionError: it is not a floating-point tensor.
        ShapeError: it is not ``b 3 T H W``, or it is empty.
    """
    check_floating(video, name, cure=_FROM_LEVELS)
    if video.ndim == 5 and video.shape[1] == 3 and video.shape[2] >= least_frames:
        clips, _, _, height, width = video.shape
        if 0 not in {clips, height, width}:
            return
    raise ShapeError(
        f"{name} is {tuple(video.shape)}; it must be (clips, 3, frames, height, width) with at least one of "
        f"each. {_cure_of_shape(tuple(video.shape))}"
    )


def check_values(video: Tensor, name: str = "video", *, may_overflow: bool = False) -> bool:
    """Raise unless the values of a clip can be RGB in [-1, 1]; say whether they look like [0, 1].

    Args:
        video: a clip.
        name: what the caller calls it.
        may_overflow: whether values that are not numbers, or far off on both sides of zero, are left for
            others to notice.

    Raises:
        LatentError: a value is NaN or infinite.
        OptionError: the values are of another scale, such as 0 to 255.
    """
    if not has_values(video):
        return False
    found = ends(video)
    if not found.finite:
        if may_overflow:
            return False
        raise not_finite(video, name, cure="Look at where the clip was made.")
    too_far = max(-found.low, found.high) > FARTHEST and not (may_overflow and found.low < 0)
    if too_far or _are_levels(video, found):
        raise OptionError(
            f"{name} has values from {found.low:g} to {found.high:g}; RGB lies in [-1, 1]. Levels of 0 to "
            "255 become it by video / 127.5 - 1."
        )
    return video.numel() >= _ENOUGH and _looks_like_unit_range(video, found)


def warn_of_unit_range(*, stacklevel: int) -> None:
    """Warn that a clip seems to lie in [0, 1]."""
    warnings.warn(
        "the values of a video lie in [0, 1] throughout; RGB is expected in [-1, 1]. If black is 0, give "
        "video * 2 - 1; if the clip is that bright, ignore this: "
        'warnings.simplefilter("ignore", tubelet.errors.RangeWarning).',
        RangeWarning,
        stacklevel=stacklevel + 1,
    )


def _are_levels(video: Tensor, found: Ends) -> bool:
    """Whether all values are whole numbers from 0 to more than 1, as the levels of a dark clip are."""
    if not (found.low >= 0 and found.high > 1):
        return False
    sampled = _sample(video)
    return bool((sampled == sampled.round()).all())


def _sample(video: Tensor) -> Tensor:
    """Some values from all over a clip, in float32."""
    flat = in_memory(video.detach()).flatten()
    return flat[:: max(1, len(flat) // _SAMPLED)].to(torch.float32)


def _looks_like_unit_range(video: Tensor, found: Ends) -> bool:
    """Whether no value is below 0 or above 1, and they are not the levels of a bright clip in [-1, 1].

    The 256 levels are 2k/255 - 1, so times 255 they are odd; levels of [0, 1] are even as often.
    """
    if not (found.low >= 0 and found.high <= 1 and found.high - found.low > _FLAT):
        return False
    scaled = 255 * _sample(video)
    # Half precision is off by up to a level; for such clips the extremes alone decide.
    odd = (scaled / 2 - 0.5) % 1
    return not bool((torch.minimum(odd, 1 - odd) < 0.01).all())


_CURES = {
    (4, 0): "A single clip becomes a batch by video[None].",
    (4, 1): "Pictures become clips of one frame by video[:, :, None]; the frames of a clip become one by "
    "video.transpose(0, 1)[None].",
    (4, 3): "The colours of (frames, height, width, 3) come first: video.permute(3, 0, 1, 2)[None].",
    (5, 2): "The axes look like (clips, frames, 3, height, width): give video.transpose(1, 2).",
    (5, 4): "The axes look like (clips, frames, height, width, 3): give video.permute(0, 4, 1, 2, 3).",
    (3, 0): "A picture (3, height, width) becomes a clip by picture[None, :, None].",
}
"""What makes a clip of a tensor, by how many axes it has and on which the colours seem to lie."""


def _cure_of_shape(shape: tuple[int, ...]) -> str:
    """What would make a clip of a tensor of this shape."""
    if 0 in shape:
        return "Give a clip that is not empty."
    for axis, side in enumerate(shape):
        if side == 3 and (cure := _CURES.get((len(shape), axis))):
            return cure
    return "tubelet.to_model makes it from decoded frames."
