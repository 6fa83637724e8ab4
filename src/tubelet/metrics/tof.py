"""Distance between the motion of 8-bit RGB clips, by optical flow."""

import math
from typing import NamedTuple

import numpy as np

from tubelet.metrics.flow import DISFlow, Grey, check_size
from tubelet.metrics.runs import check_runs, nothing_compared
from tubelet.types import Frames


class Pair(NamedTuple):
    """The same frame of both clips, grey."""

    reference: Grey
    frame: Grey


class ClipTOF:
    """tOF (TecoGAN: Chu et al. 2020): how far the motion of a clip is from that of its reference, in pixels.

    Optical flow is taken between consecutive frames of the reference, and between the same frames of the
    other clip; tOF is the length of the difference of the two flows, in the mean over all pixels and pairs of
    frames. Flow comes from OpenCV's DIS (Kroeger et al. 2016), preset MEDIUM, on grey frames (`DISFlow`).
    TecoGAN took Farnebäck's and left out a border: values by other flows cannot be compared with these.

    Raises:
        OptionError: OpenCV is not installed.
    """

    def __init__(self) -> None:
        self._flow = DISFlow()
        self._sum = 0.0
        self._pairs = 0
        self._last: Pair | None = None

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before; where a clip is cut into runs does not matter.

        Raises:
            ShapeError: the runs differ in length or size, or in size from those before, or a side of the
                frames is shorter than `tubelet.metrics.flow.SMALLEST`.
        """
        size = None if self._last is None else (*self._last.frame.shape, 3)
        check_runs(reference, frames, measure="tOF", size=size)
        check_size(*frames.shape[1:3])
        for one, other in zip(reference, frames, strict=True):
            pair = Pair(self._flow.grey(one), self._flow.grey(other))
            if self._last is not None:
                expected = self._flow.between(self._last.reference, pair.reference)
                found = self._flow.between(self._last.frame, pair.frame)
                self._sum += float(np.linalg.norm(found - expected, axis=2).mean(dtype=np.float64))
                self._pairs += 1
            self._last = pair

    def compute(self) -> float:
        """Distance in pixels per frame; 0 for equal clips, NaN for a clip of one frame, which has no motion.

        Raises:
            ShapeError: no frame was added.
        """
        if self._last is None:
            raise nothing_compared("tOF")
        return self._sum / self._pairs if self._pairs else math.nan
