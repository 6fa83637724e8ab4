"""Peak signal-to-noise ratio of 8-bit RGB clips."""

import math

import numpy as np

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
        for a, b in zip(reference, frames, strict=True):
            difference = (np.maximum(a, b) - np.minimum(a, b)).ravel()
            counts = np.bincount(difference, minlength=256)
            self._error += int((counts * np.arange(256) ** 2).sum())
            self._samples += difference.size

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
