"""Peak signal-to-noise ratio of 8-bit RGB clips."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from tubelet.errors import ShapeError
from tubelet.metrics.runs import check_runs, nothing_compared
from tubelet.types import Frames

_BAND_SAMPLES = 1 << 18
"""Samples of a frame that are compared at a time."""


class SquaredError(NamedTuple):
    """The error of some samples, in exact integers: what a clip passes on so that clips can be pooled.

    Attributes:
        total: sum of the squared differences.
        samples: how many there were, three per pixel.
    """

    total: int
    samples: int

    def psnr(self) -> float:
        """10·log10(255² / MSE) in dB; infinity if there is no error."""
        return 10 * math.log10(255**2 * self.samples / self.total) if self.total else math.inf


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
        check_runs(reference, frames, measure="PSNR")
        for one, other in zip(reference, frames, strict=True):
            self._error += squared_error(one, other)
            self._samples += one.size

    def compute(self) -> float:
        """PSNR in dB; infinity for equal clips.

        Raises:
            ShapeError: no frame was added.
        """
        if not self._samples:
            raise nothing_compared("PSNR")
        return self.error.psnr()

    @property
    def error(self) -> SquaredError:
        """The error so far, for `pooled_psnr`."""
        return SquaredError(self._error, self._samples)


class FramePSNR:
    """PSNR of every frame by itself, and the mean of these: what libvmaf and torchmetrics' ``dim`` print.

    A frame's is 10·log10(255² / MSE), in dB, from its own mean squared error. The mean is over frames in dB,
    not over errors: it is at least the PSNR of the clip (`ClipPSNR`), and the more so the more the frames
    differ. One frame without any error makes it infinite; libvmaf writes 60 dB for such a frame.
    """

    def __init__(self) -> None:
        self._values: list[float] = []

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before.

        Raises:
            ShapeError: the runs differ in length or size.
        """
        check_runs(reference, frames, measure="PSNR")
        for one, other in zip(reference, frames, strict=True):
            self._values.append(SquaredError(squared_error(one, other), one.size).psnr())

    def values(self) -> list[float]:
        """PSNR of each frame so far, in dB and in order."""
        return list(self._values)

    def compute(self) -> float:
        """The mean over frames, in dB.

        Raises:
            ShapeError: no frame was added.
        """
        if not self._values:
            raise nothing_compared("PSNR")
        return math.fsum(self._values) / len(self._values)


def pooled_psnr(clips: Iterable[SquaredError]) -> float:
    """PSNR from the mean squared error over all samples of all clips, in dB; infinity if there is no error.

    A clip weighs as much as it has samples. That is what one `ClipPSNR` gives that saw all the clips; here
    they may come from several processes. It is below the mean over clips, for the worst clips count most.

    Raises:
        ShapeError: there are no samples.
    """
    total = samples = 0
    for clip in clips:
        total += clip.total
        samples += clip.samples
    if not samples:
        raise ShapeError("there are no samples to pool; PSNR needs a frame at least. Give clips with frames.")
    return SquaredError(total, samples).psnr()


def squared_error(one: UInt8[np.ndarray, "H W 3"], other: UInt8[np.ndarray, "H W 3"]) -> int:
    """The sum of squared differences, exact: float32 holds the sum of 256 of them as a whole number."""
    height = max(1, _BAND_SAMPLES // max(1, one[:1].size))
    # Band by band, because a whole frame in float32 takes four times its memory.
    return sum(
        _band_error(one[top : top + height], other[top : top + height]) for top in range(0, len(one), height)
    )


def _band_error(one: UInt8[np.ndarray, "h W 3"], other: UInt8[np.ndarray, "h W 3"]) -> int:
    difference = np.subtract(one, other, dtype=np.float32).ravel()
    rows = difference[: difference.size // 256 * 256].reshape(-1, 256)
    rest = difference[rows.size :]
    return int(np.einsum("ij,ij->i", rows, rows).sum(dtype=np.float64)) + int(np.dot(rest, rest))
