"""How far a video is from its reference, coarse and fine structure weighed apart."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tubelet.checks import check_clip
from tubelet.errors import OptionError
from tubelet.losses.pair import Loss, comparable
from tubelet.types import Video

Band = Float[Tensor, "_ 3 _ _ _"]
"""Coefficients of one kind: b 3 and about half the frames, rows and columns that were transformed."""

_SPACE = (3, 4)
_SPACE_AND_TIME = (2, 3, 4)
_MOST_LEVELS = 3


class Bands(NamedTuple):
    """A video as Haar coefficients; the sum of all their squares is that of its samples.

    Attributes:
        low: what is left after the last level: sums of neighbours, a small blurred video. Where the sides can
            be halved it is the mean of the samples times √2 per level and axis.
        high: per level, the finest first, the bands that hold a difference along at least one axis: three in
            space, seven in space and time. A band is empty where an axis has a single sample.
    """

    low: Band
    high: tuple[tuple[Band, ...], ...]


def haar(video: Video, *, levels: int, time: bool = False) -> Bands:
    """Transform by sums and differences of neighbours over √2, along rows and columns, and maybe frames.

    An odd side leaves its first sample without a neighbour: it goes to the low band as it is. So no sample is
    padded, cropped or counted twice, and the transform is orthonormal for every size.

    Source: Haar 1910; in space and time, LeanVAE (arXiv:2503.14325) and WF-VAE (arXiv:2411.17459). LeanVAE
    also lets the first of an odd number of frames stand alone.

    Args:
        video: what is transformed.
        levels: how often the low band is transformed again, 1 to 3.
        time: whether frames are transformed too.

    Raises:
        OptionError: levels is below 1 or above 3, or the video is not a floating-point tensor.
        ShapeError: it is not ``b 3 T H W``, or empty.
    """
    check_clip(video)
    if not 1 <= levels <= _MOST_LEVELS:
        raise OptionError(f"levels is {levels}; it must lie between 1 and {_MOST_LEVELS}.")
    low: Band = video
    high: list[tuple[Band, ...]] = []
    for _ in range(levels):
        bands = [low]
        for axis in _SPACE_AND_TIME if time else _SPACE:
            bands = [half for band in bands for half in _split(band, axis)]
        low = bands[0]
        high.append(tuple(bands[1:]))
    return Bands(low, tuple(high))


def wavelet_l1(
    reference: Video,
    video: Video,
    *,
    levels: int = 1,
    time: bool = False,
    low: float = 1.0,
    high: float = 2.0,
) -> Loss:
    """The mean absolute difference of the low band times `low`, plus that of the high bands times `high`.

    The high part is the mean over the coefficients of a level, then over levels, so every scale counts the
    same. A difference that is the same everywhere lies in the low band alone, √2 times as large per level and
    axis; independent noise is as large in every band as in the samples.

    Source: the sub-band loss of LeanVAE (arXiv:2503.14325). Its code weighs 0.05 low and 0.1 high per unit of
    `l1`, on one level in space and time of coefficients 2√2 times these; so with ``time=True`` and the
    default ratio, its weight beside `l1` is 0.14. (WF-VAE, arXiv:2411.17459, takes the same norm between
    bands inside its encoder and decoder, with weight 0.1.)

    Args:
        reference: what `video` should be.
        video: what is compared with it.
        levels: how many scales, 1 to 3.
        time: whether frames are transformed too.
        low: the weight of coarse structure.
        high: the weight of edges, texture and, with `time`, motion.

    Raises:
        OptionError: there are fewer than 1 or more than 3 levels, or a weight is below 0 or no number.
        ShapeError: the shapes differ or hold no numbers.
    """
    if not (0 <= low < math.inf and 0 <= high < math.inf):
        raise OptionError(f"low is {low} and high is {high}; both must be finite and at least 0.")
    reference, video = comparable(reference, video)
    bands = haar(video - reference, levels=levels, time=time)
    return low * bands.low.abs().mean() + high * torch.stack([_mean(level) for level in bands.high]).mean()


def _split(band: Band, axis: int) -> tuple[Band, Band]:
    """Sums and differences of pairs along one axis; a first sample without a partner joins the sums."""
    pairs, odd = divmod(band.shape[axis], 2)
    alone, paired = band.split([odd, 2 * pairs], dim=axis)
    first, second = paired.unflatten(axis, (pairs, 2)).unbind(axis + 1)
    return torch.cat([alone, (first + second) / math.sqrt(2)], dim=axis), (first - second) / math.sqrt(2)


def _mean(level: tuple[Band, ...]) -> Loss:
    """The mean absolute value over all coefficients of a level; zero if it has none."""
    total = torch.stack([band.abs().sum() for band in level]).sum()
    return total / max(1, sum(band.numel() for band in level))
