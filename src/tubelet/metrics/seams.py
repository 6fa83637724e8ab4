"""Seams: errors that gather at the borders of patches, tiles or groups of frames."""

import math
from typing import Literal

import numpy as np
from jaxtyping import Int64

from tubelet.errors import OptionError
from tubelet.metrics.runs import check_runs, nothing_compared
from tubelet.types import Frames

Axis = Literal["time", "rows", "columns"]
"""What is counted along: frames; the rows of a frame, downwards; its columns, to the right."""

_SUMS = {"rows": "hwc,hwc->h", "columns": "hwc,hwc->w", "time": "hwc,hwc->"}


class ClipBoundaryError:
    """Boundary error ratio: mean squared error at the borders over that elsewhere; 1 if borders show nothing.

    Borders lie before the positions offset, offset + period, offset + 2·period … of an axis, but not at its
    ends. In space, a border's pixels are the two beside it; the first and the last row (or column) of the
    frame count on neither side, for the frame's own edge is not a seam. In time, it is the frame after the
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


def _ratio(border: Int64[np.ndarray, " b"], elsewhere: Int64[np.ndarray, " e"]) -> float:
    if not len(border) or not len(elsewhere):
        return math.nan
    over, under = float(border.mean()), float(elsewhere.mean())
    if not under:
        return math.inf if over else math.nan
    return over / under
