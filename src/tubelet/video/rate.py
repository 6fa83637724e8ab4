"""The frame rate that timestamps keep."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from jaxtyping import Int64

from tubelet.video.info import VideoInfo


def constant_rate(timestamps: Int64[np.ndarray, " T"], info: VideoInfo) -> Fraction | None:
    """Frames per second if all frames are near where that rate puts them, else none.

    Near is within a tick, and within a millisecond where ticks are shorter: many files went through Matroska,
    which knows no better.
    """
    if len(timestamps) < 2:
        return None
    elapsed = timestamps - timestamps[0]
    near = max(1.0, float(Fraction(1, 1000) / info.time_base))
    for rate in _candidates(elapsed, info):
        if rate:
            expected = np.arange(len(elapsed)) / float(rate * info.time_base)
            if np.abs(elapsed - expected).max() < near - 1e-6:
                return rate
    return None


def _candidates(elapsed: Int64[np.ndarray, " T"], info: VideoInfo) -> Iterator[Fraction | None]:
    """What the container claims, the first gap, or where both are too coarse the usual rates."""
    yield info.average_rate
    yield 1 / (int(elapsed[1]) * info.time_base)
    mean = (len(elapsed) - 1) / (int(elapsed[-1]) * info.time_base)
    yield Fraction(round(mean))
    yield Fraction(1000 * round(mean * Fraction(1001, 1000)), 1001)
