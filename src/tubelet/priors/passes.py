"""In which order the positions of a step are coded: passes, each of which sees all passes before it."""

import numpy as np
from numpy.typing import NDArray

OUTPUTS = 4
"""Numbers that a network gives for each symbol: what is added to its mean, two gates, a scale."""

_LINEAR_LOWER = 8

_PATTERNS = {2: ((0, 1), (1, 0)), 4: ((0, 2), (3, 1))}
"""Passes of the positions of a square of two by two: a checkerboard, or its halves halved again."""

PASSES = tuple(_PATTERNS)


def pass_map(passes: int, rows: int, columns: int) -> NDArray[np.int64]:
    """The pass of each position of a step."""
    pattern = np.array(_PATTERNS[passes])
    return np.tile(pattern, (-(-rows // 2), -(-columns // 2)))[:rows, :columns]


def pass_taps(passes: int, number: int) -> NDArray[np.bool_]:
    """Which of a position's neighbours (3 x 3, it is in the middle) are coded in passes before its own."""
    order = pass_map(passes, 6, 6)
    row, column = (int(each[0]) for each in np.nonzero(order[2:4, 2:4] == number))
    return order[row + 1 : row + 4, column + 1 : column + 4] < number


def linear_lower(lower: int) -> int:
    """How many of the lowest channels the linear prediction sees around a position."""
    return min(lower, _LINEAR_LOWER)
