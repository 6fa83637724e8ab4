"""Flicker of 8-bit RGB clips where nothing should change."""

import math

import numpy as np
from jaxtyping import Int16

from tubelet.errors import OptionError
from tubelet.metrics.runs import check_runs, nothing_compared
from tubelet.types import Frames

Frame = Int16[np.ndarray, "H W 3"]


class ClipFlicker:
    """How much more a clip changes from frame to frame than its reference, where the reference stands still.

    A pixel stands still from frame t to t+1 if no colour of the reference changes by more than `threshold`
    there. Over all such samples of a clip, flicker is

        mean |y[t+1] - y[t]|  -  mean |x[t+1] - x[t]|

    in levels of 255, for reference x and clip y: 0 if the clip changes as little as the reference, above 0 if
    it flickers, below 0 if it is calmer, such as where noise was smoothed away. What does not change is
    still, whether it rests or is a flat area that slides along itself.

    Sums are exact integers, so it does not matter where a clip is cut into runs; the order does.

    Args:
        threshold: levels by which a still pixel may change, for the noise of a camera.

    Raises:
        OptionError: the threshold is negative.
    """

    def __init__(self, *, threshold: int = 2) -> None:
        if threshold < 0:
            raise OptionError(
                f"the threshold is {threshold}; a still pixel changes by 0 levels or more. Give 0 to 255."
            )
        self.threshold = threshold
        self._change = 0
        self._reference_change = 0
        self._still = 0
        self._last: tuple[Frame, Frame] | None = None

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before.

        Raises:
            ShapeError: the runs differ in length or size, or in size from those before.
        """
        size = None if self._last is None else self._last[0].shape
        check_runs(reference, frames, measure="flicker", size=size)
        for one, other in zip(reference, frames, strict=True):
            pair = one.astype(np.int16), other.astype(np.int16)
            if self._last is not None:
                self._add(np.abs(pair[0] - self._last[0]), np.abs(pair[1] - self._last[1]))
            self._last = pair

    def compute(self) -> float:
        """Flicker in levels; NaN if no pixel ever stands still, so too for a clip of one frame.

        Raises:
            ShapeError: no frame was added.
        """
        if self._last is None:
            raise nothing_compared("flicker")
        if not self._still:
            return math.nan
        return (self._change - self._reference_change) / (3 * self._still)

    def _add(self, reference_change: Frame, change: Frame) -> None:
        still = reference_change.max(axis=2) <= self.threshold
        self._still += int(np.count_nonzero(still))
        self._change += int(change[still].sum(dtype=np.int64))
        self._reference_change += int(reference_change[still].sum(dtype=np.int64))
