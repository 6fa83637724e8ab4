"""Peak signal-to-noise ratio of the motion of 8-bit RGB clips."""

import math

import numpy as np

from tubelet.metrics.psnr import SquaredError
from tubelet.metrics.runs import check_runs, nothing_compared
from tubelet.types import Frames


class ClipDifferencePSNR:
    """PSNR of the differences x[t+1] - x[t] of consecutive frames, in dB.

    10·log10(255² / MSE), from the mean squared error over all samples of all differences of a clip. The range
    is 255, as for frames, though differences reach from -255 to 255: so this PSNR and that of the frames are
    on one scale. An error that stands still costs nothing; independent errors in every frame cost 3 dB more
    than in the PSNR of the frames.

    Errors are summed as integers, so it does not matter where a clip is cut into runs; the order does.
    """

    def __init__(self) -> None:
        self._error = 0
        self._samples = 0
        self._last: np.ndarray | None = None

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before.

        Raises:
            ShapeError: the runs differ in length or size, or in size from those before.
        """
        size = None if self._last is None else self._last.shape
        check_runs(reference, frames, measure="difference PSNR", size=size)
        for one, other in zip(reference, frames, strict=True):
            # The error of a difference is the difference of the errors.
            error = np.subtract(other, one, dtype=np.int16)
            if self._last is not None:
                change = error - self._last
                self._error += int(np.einsum("ijk,ijk->", change, change, dtype=np.int64))
                self._samples += change.size
            self._last = error

    def compute(self) -> float:
        """PSNR of the differences in dB; infinity if all are equal, NaN for a clip of one frame.

        Raises:
            ShapeError: no frame was added.
        """
        if self._last is None:
            raise nothing_compared("difference PSNR")
        return SquaredError(self._error, self._samples).psnr() if self._samples else math.nan
