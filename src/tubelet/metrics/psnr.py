"""Peak signal-to-noise ratio of 8-bit RGB clips."""

import math

import numpy as np
from jaxtyping import UInt8

from tubelet.errors import ShapeError
from tubelet.types import Frames


class ClipPSNR:
    """PSNR of one clip from the mean squared error over all its samples: 10·log10(255² / MSE), in dB.

    Errors are summed as integers, so the order of updates changes nothing. The mean over a data set is the
    mean of its clips' values.
    """

    def __init__(self) -> None:
        self._error = 0
        self._samples = 0

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add a run of frames.

        Raises:
            ShapeError: the runs differ in length or size.
        """
        if reference.shape != frames.shape:
            raise ShapeError(f"the runs are {reference.shape} and {frames.shape}; PSNR compares equal sizes.")
        for one, other in zip(reference, frames, strict=True):
            self._error += _squared_error(one, other)
            self._samples += one.size

    def compute(self) -> float:
        """PSNR in dB; infinity for equal clips.

        Raises:
            ShapeError: no frame was added.
        """
        if not self._samples:
            raise ShapeError("no frames were compared; PSNR needs at least one. Call update first.")
        if not self._error:
            return math.inf
        return 10 * math.log10(255**2 * self._samples / self._error)


def _squared_error(one: UInt8[np.ndarray, "H W 3"], other: UInt8[np.ndarray, "H W 3"]) -> int:
    """The sum of squared differences, exact: float32 holds the sum of 256 of them as a whole number."""
    difference = np.subtract(one, other, dtype=np.float32).ravel()
    rows = difference[: difference.size // 256 * 256].reshape(-1, 256)
    rest = difference[rows.size :]
    return int(np.einsum("ij,ij->i", rows, rows).sum(dtype=np.float64)) + int(np.dot(rest, rest))
