"""The order in which positions of a step are coded: a coarse grid, then what lies between, ever finer."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tubelet.bitstream.symbol_model import Exchange

_COARSEST = 8
"""Rows and columns between the positions of the first pass."""

_CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))

_SIDES = ((-1, 0), (0, -1), (0, 1), (1, 0))

KINDS = 5
"""Of passes: the first; centres of squares and middles of sides on coarse grids; the same on the finest."""


class Pass(NamedTuple):
    """Positions that are coded together, and those around them that are known by then.

    Attributes:
        kind: which of `KINDS`.
        rows: of each position.
        columns: of each.
        near_rows: of the four positions around each; inside of the step, wherever they would be.
        near_columns: of them.
        known: whether such a position exists.
        shape: rows and columns of the step.
    """

    kind: int
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    near_rows: NDArray[np.int64]
    near_columns: NDArray[np.int64]
    known: NDArray[np.bool_]
    shape: tuple[int, int]

    def places(self, channel: int, steps: int) -> NDArray[np.int64]:
        """Flat indices of one channel of the positions in all steps, of an array ``c t h w``."""
        height, width = self.shape
        starts = (channel * steps + np.arange(steps)) * height * width
        return (starts[:, None] + self.rows * width + self.columns).ravel()


def passes(height: int, width: int) -> list[Pass]:
    """All passes over a step; each position is in one of them."""
    rows, columns = np.mgrid[:height, :width]
    coarsest = (rows % _COARSEST == 0) & (columns % _COARSEST == 0)
    found = [_pass(0, coarsest, (), 0)]
    apart = _COARSEST // 2
    while apart:
        kind = 1 if apart > 1 else 3
        centres = (rows % (2 * apart) == apart) & (columns % (2 * apart) == apart)
        on_grid = (rows % apart == 0) & (columns % apart == 0)
        sides = on_grid & ((rows // apart + columns // apart) % 2 == 1)
        found.append(_pass(kind, centres, _CORNERS, apart))
        found.append(_pass(kind + 1, sides, _SIDES, apart))
        apart //= 2
    return [each for each in found if each.rows.size]


def exchanged(
    exchange: Exchange,
    where: tuple[int, Pass],
    expected: NDArray[np.int64],
    tables: NDArray[np.integer],
) -> NDArray[np.int64]:
    """Code a channel of a pass beside what is expected of it, ``t n``; by how much that is off."""
    channel, some = where
    offsets = expected.ravel().astype(np.int32)
    symbols = exchange(some.places(channel, len(expected)), offsets, tables.ravel().astype(np.int32))
    return (symbols.astype(np.int64) - offsets).reshape(expected.shape)


def _pass(kind: int, chosen: NDArray[np.bool_], around: Sequence[tuple[int, int]], apart: int) -> Pass:
    height, width = chosen.shape
    rows, columns = np.nonzero(chosen)
    offsets = apart * np.array(around, np.int64).reshape(-1, 2, 1)
    near_rows, near_columns = rows + offsets[:, 0], columns + offsets[:, 1]
    known = (near_rows >= 0) & (near_rows < height) & (near_columns >= 0) & (near_columns < width)
    return Pass(
        kind,
        rows,
        columns,
        near_rows.clip(0, height - 1),
        near_columns.clip(0, width - 1),
        known,
        (height, width),
    )
