"""What a group's network sees of a step, as whole numbers around which there is a border of zeros.

A plane holds one position after the other, row by row, each row with a border to both sides, so that a
neighbour is a fixed number of places further and a convolution is a product of matrices for each neighbour.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tubelet.priors.numbers import (
    AVERAGES,
    COUNT_CLASSES,
    INPUT_UNIT,
    LARGEST_LINEAR,
    companded,
    companded_sizes,
)

_STRIP = 1 << 12
"""Positions that are looked at at a time."""

Plane = NDArray[np.floating]
"""``places channels``: whole numbers."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the positions of a step lie in a plane.

    Attributes:
        rows: of the step.
        columns: of the step.
    """

    rows: int
    columns: int

    @property
    def places(self) -> int:
        """Places of a plane: with a border, and one further to both ends."""
        return (self.rows + 2) * (self.columns + 2) + 2

    @property
    def inside(self) -> slice:
        """The places of all rows, borders at their sides included."""
        width = self.columns + 2
        return slice(1 + width, 1 + width * (self.rows + 1))

    def shifted(self, tap: int) -> slice:
        """The places of neighbour `tap`, 0 to 8 row by row, of all in `inside`."""
        offset = self.offset(tap)
        return slice(self.inside.start + offset, self.inside.stop + offset)

    def offset(self, tap: int) -> int:
        """How many places further neighbour `tap` lies."""
        return (tap // 3 - 1) * (self.columns + 2) + tap % 3 - 1

    def places_of(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The places of chosen positions (``rows columns``) in raster order."""
        row, column = np.nonzero(chosen)
        return 1 + (row + 1) * (self.columns + 2) + column + 1

    def plane(self, channels: int, kind: type[np.floating]) -> Plane:
        """A plane of zeros."""
        return np.zeros((self.places, channels), kind)

    def inner(self, plane: Plane) -> NDArray[np.floating]:
        """The positions of a plane as ``rows columns channels``, to read and to write."""
        width = self.columns + 2
        grid = plane[1:-1].reshape(self.rows + 2, width, plane.shape[1])
        return grid[1:-1, 1:-1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepView:
    """What is seen of the symbols of a step, all channels that are known of it; ``rows columns channels``.

    Attributes:
        linear: as the linear prediction sees them, cut off at `LARGEST_LINEAR`.
        signed: companded.
        change: companded magnitudes of differences to the step before.
        average: of the companded magnitudes over the step, companded again; a number for each channel.
    """

    linear: NDArray[np.int16]
    signed: NDArray[np.int16]
    change: NDArray[np.int16]
    average: NDArray[np.int16]

    @classmethod
    def unseen(cls, channels: int, rows: int, columns: int) -> "StepView":
        """Room for a step of which nothing was seen yet."""
        planes = (np.empty((rows, columns, channels), np.int16) for _ in range(3))
        linear, signed, change = planes
        return cls(linear=linear, signed=signed, change=change, average=np.empty(channels, np.int16))

    def see(self, first: int, symbols: NDArray[np.int32], before: NDArray[np.int32]) -> None:
        """See some channels of the step, and the same of the one before, ``c h w``.

        Args:
            first: of these channels; all before it were seen.
            symbols: of the step.
            before: of the step before; zeros where there is none.
        """
        channels, rows, columns = symbols.shape
        own = slice(first, first + channels)
        strip = max(1, _STRIP // columns)
        for start in range(0, rows, strip):
            some = slice(start, start + strip)
            last = np.moveaxis(symbols[:, some], 0, -1)
            self.linear[some, :, own] = np.clip(last, -LARGEST_LINEAR, LARGEST_LINEAR)
            self.signed[some, :, own] = companded(last)
            self.change[some, :, own] = companded_sizes(last - np.moveaxis(before[:, some], 0, -1))
        sums = np.abs(self.signed[..., own]).sum(axis=(0, 1), dtype=np.int64)
        self.average[own] = AVERAGES[16 * sums // (rows * columns)]

    def leading(self, channels: int) -> "StepView":
        """The first channels of it, those that were seen."""
        return StepView(
            linear=self.linear[..., :channels],
            signed=self.signed[..., :channels],
            change=self.change[..., :channels],
            average=self.average[:channels],
        )

    @classmethod
    def nothing(cls, channels: int, rows: int, columns: int) -> "StepView":
        """See a step of zeros after a step of zeros."""
        zeros = np.broadcast_to(np.int16(0), (rows, columns, channels))
        return cls(linear=zeros, signed=zeros, change=zeros, average=np.zeros(channels, np.int16))

    def rows(self, rows: slice) -> "StepView":
        """Some rows of it; the averages stay those of the step."""
        return StepView(
            linear=self.linear[rows],
            signed=self.signed[rows],
            change=self.change[rows],
            average=self.average,
        )


def seen_counts(counts: NDArray[np.int32] | None, shape: tuple[int, int, int]) -> NDArray[np.int16]:
    """Which classes of counts each position reaches, ``t h w k``; all of them where there is no map."""
    if counts is None:
        return np.full((*shape, len(COUNT_CLASSES)), INPUT_UNIT, np.int16)
    return np.int16(INPUT_UNIT) * (counts[..., None] >= np.array(COUNT_CLASSES)).astype(np.int16)
