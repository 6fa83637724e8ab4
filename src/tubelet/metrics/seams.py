"""Seams: errors that gather at the borders of patches, tiles or groups of frames."""

import math
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from tubelet.checks import check_frames
from tubelet.errors import OptionError, ShapeError
from tubelet.metrics.runs import check_runs, nothing_compared
from tubelet.types import Frames

Axis = Literal["time", "rows", "columns"]
"""What is counted along: frames; the rows of a frame, downwards; its columns, to the right."""

_SUMS = {"rows": "hwc,hwc->h", "columns": "hwc,hwc->w", "time": "hwc,hwc->"}


class ClipBoundaryError:
    """Boundary error ratio: mean squared error at the borders over that elsewhere; 1 if borders show nothing.

    Borders lie before the positions offset, offset + period, offset + 2·period … of an axis, but not at its
    ends. In space, a border's pixels are the two beside it; the first and the last row (or column) of the
    frame count on neither side, for the frame's own edge is no seam. In time, it is the frame after the
    border, the first of its group; the clip's first frame counts on neither side. For the groups of a
    tokenizer whose first frame stands alone, such as 1 + 4n frames, take period 4 and offset 1.

    Errors are summed as integers, so it does not matter where a clip is cut into runs; the order does.

    Args:
        period: distance of the borders in pixels or frames: at least 3 in space, 2 in time.
        axis: along which they are counted.
        offset: position of the first border, from 0 to period - 1.

    Raises:
        OptionError: period or offset are outside these ranges.
    """

    def __init__(self, period: int, *, axis: Axis, offset: int = 0) -> None:
        least = 2 if axis == "time" else 3
        if period < least:
            raise OptionError(
                f"the period is {period}; along {axis} it must be at least {least}, or all positions were at "
                "a border. Give the distance of the borders."
            )
        if not 0 <= offset < period:
            raise OptionError(f"the offset is {offset}; with period {period} it is from 0 to {period - 1}.")
        self.period = period
        self.axis: Axis = axis
        self.offset = offset
        # Errors by position along the axis; every position holds equally many samples.
        self._errors: list[np.ndarray] = []
        self._size: tuple[int, ...] | None = None

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before.

        Raises:
            ShapeError: the runs differ in length or size, or in size from those before.
        """
        check_runs(reference, frames, measure="the boundary error ratio", size=self._size)
        self._size = frames.shape[1:]
        for one, other in zip(reference, frames, strict=True):
            error = np.subtract(other, one, dtype=np.int32)
            sums = np.einsum(_SUMS[self.axis], error, error, dtype=np.int64)
            if self.axis == "time" or not self._errors:
                self._errors.append(np.asarray(sums))
            else:
                self._errors[0] += sums

    def compute(self) -> float:
        """The ratio; infinity if there are errors at borders alone.

        It is NaN if there is no error at all, or the clip has no border, or nothing but borders.

        Raises:
            ShapeError: no frame was added.
        """
        if not self._errors:
            raise nothing_compared("the boundary error ratio")
        errors = np.stack(self._errors) if self.axis == "time" else self._errors[0]
        position = np.arange(len(errors))
        first = (position - self.offset) % self.period == 0
        if self.axis == "time":
            border, counted = first, position > 0
        else:
            border = first | ((position + 1 - self.offset) % self.period == 0)
            counted = (position > 0) & (position < len(errors) - 1)
        return _ratio(errors[border & counted], errors[~border & counted])


def boundary_error_ratio(
    reference: Frames, frames: Frames, *, period: int, axis: Axis, offset: int = 0
) -> float:
    """The boundary error ratio of a clip that is in memory; see `ClipBoundaryError`.

    Raises:
        OptionError: period or offset are out of range.
        ShapeError: the clips differ in length or size, or hold no frame.
    """
    metric = ClipBoundaryError(period, axis=axis, offset=offset)
    metric.update(reference, frames)
    return metric.compute()


class Wave(NamedTuple):
    """A regular pattern in a clip.

    Attributes:
        amplitude: half the distance from trough to crest, in levels of 255.
        frames: period in time; infinity if the pattern stands still.
        rows: period downwards in pixels; infinity if it does not change downwards.
        columns: period to the right in pixels; infinity if it does not change to the right.
    """

    amplitude: float
    frames: float
    rows: float
    columns: float


def constant_spectrum(frames: Frames) -> Wave:
    """The strongest wave in a clip that should be constant, such as a decoded grey clip.

    Of every colour, less its mean, the discrete Fourier transform over time, rows and columns is taken; the
    largest coefficient of any colour is the wave. A tokenizer that draws its grid onto flat areas gives a
    wave of the period of its patches or tiles; without any pattern the amplitude is 0 and all periods are
    infinite. Of equally strong waves, as a pattern of single lines has, it is the one with the longest
    period. Periods are exact if they divide the clip; it should be whole patches long, high and wide.

    Raises:
        ShapeError: there is no pixel.
    """
    check_frames(frames, "frames", cure="tubelet.from_model makes them from model output.")
    if not frames.size:
        raise ShapeError(f"the clip is {frames.shape} and holds no pixel. Give at least one frame.")
    waves = [_strongest(frames[..., colour]) for colour in range(3)]
    return max(waves, key=lambda wave: wave.amplitude)


def _ratio(border: Int64[np.ndarray, " b"], elsewhere: Int64[np.ndarray, " e"]) -> float:
    if not len(border) or not len(elsewhere):
        return math.nan
    over, under = float(border.mean()), float(elsewhere.mean())
    if not under:
        return math.inf if over else math.nan
    return over / under


def _strongest(colour: UInt8[np.ndarray, "T H W"]) -> Wave:
    """The largest coefficient of a clip of one colour, but for its mean."""
    values = (colour - colour.mean()).astype(np.float32)
    amplitudes = _amplitudes(values)
    peak = float(amplitudes.max())
    if not peak:
        return Wave(0.0, math.inf, math.inf, math.inf)
    length, height, width = colour.shape
    cycles = np.meshgrid(
        np.abs(np.fft.fftfreq(length)),
        np.abs(np.fft.fftfreq(height)),
        np.fft.rfftfreq(width),
        indexing="ij",
        sparse=True,
    )
    # Equal ones differ by float rounding.
    ties = np.argwhere(amplitudes >= peak * (1 - 1e-4))
    frequencies = np.stack([axis.ravel()[ties[:, i]] for i, axis in enumerate(cycles)], axis=1)
    slowest = frequencies[np.argmin(np.square(frequencies).sum(axis=1))]
    return Wave(peak, *(1 / float(each) if each else math.inf for each in slowest))


def _amplitudes(values: Float32[np.ndarray, "T H W"]) -> Float64[np.ndarray, "T H w"]:
    """The amplitude of the wave of each coefficient."""
    amplitudes = np.abs(np.fft.rfftn(values)).astype(np.float64) / values.size
    # A real wave has two coefficients that mirror each other, unless it alternates or stands on all axes.
    single = np.ix_(*(([0, size // 2] if size % 2 == 0 else [0]) for size in values.shape))
    alone = amplitudes[single].copy()
    amplitudes *= 2
    amplitudes[single] = alone
    amplitudes[0, 0, 0] = 0
    return amplitudes
