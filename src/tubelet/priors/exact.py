"""Products of whole numbers in float32 that are exact in any order, on any machine; proven from the weights.

All partial sums of a row, in whatever order and with or without fused multiplication, are whole numbers of at
most sum |w| x + |b| in absolute value, where x is the largest input. Below 2^24 float32 holds each of them,
so nothing is ever rounded. Multiplying by a power of two and rounding down are exact as well.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tubelet.errors import CheckpointError
from tubelet.priors.numbers import EXACT

Floats = NDArray[np.floating]
"""Whole numbers in a floating-point format, float32 unless a test computes otherwise."""


class Rows(NamedTuple):
    """What sums of a layer may reach, row by row.

    Attributes:
        weights: sum of the absolute weights of each row, over all inputs at once.
        biases: largest absolute bias of each row.
    """

    weights: NDArray[np.int64]
    biases: NDArray[np.int64]


def check_exact(rows: Rows, shifts: NDArray[np.integer], *, largest: int, where: str) -> None:
    """Refuse weights with which a sum could leave what float32 holds exactly.

    Args:
        rows: of the layer.
        shifts: of each row: by how many binary digits its sum is scaled down, half a unit added before.
        largest: absolute input.
        where: names the layer.

    Raises:
        CheckpointError: a row may reach 2^24, or a shift is none.
    """
    if shifts.min(initial=0) < 0 or shifts.max(initial=0) > 23:
        raise CheckpointError(
            f"{where} shifts by {shifts.min()} to {shifts.max()} digits; 0 to 23 have a meaning. "
            "The prior is damaged: fetch it again."
        )
    most = rows.weights * largest + rows.biases + half(shifts)
    if most.max(initial=0) >= EXACT:
        raise CheckpointError(
            f"sums of row {int(most.argmax())} of {where} may reach {most.max()}; below {EXACT} float32 is "
            "exact, and no prior may leave that. The prior is damaged: fetch it again."
        )


def half(shifts: NDArray[np.integer]) -> NDArray[np.int64]:
    """What is added to a sum so that rounding down rounds to the nearest."""
    return (np.int64(1) << shifts.astype(np.int64)) >> 1


def shifted(sums: Floats, factors: Floats) -> Floats:
    """Sums times powers of two, rounded down, in place."""
    np.multiply(sums, factors, out=sums)
    return np.floor(sums, out=sums)


def clipped(values: Floats, least: int, most: int) -> Floats:
    """Values no less and no more than that, in place."""
    return np.clip(values, least, most, out=values)


def powers(shifts: NDArray[np.integer], kind: type[np.floating]) -> Floats:
    """2^-shift of each row."""
    return np.ldexp(kind(1), -shifts.astype(np.int32)).astype(kind)


def row_sums(*weights: NDArray[np.integer]) -> NDArray[np.int64]:
    """Sum of absolute weights for each row, which is the last axis of each array."""
    parts = [np.abs(each.astype(np.int64)).reshape(-1, each.shape[-1]).sum(axis=0) for each in weights]
    return np.sum(parts, axis=0)


def row_biases(*biases: NDArray[np.integer]) -> NDArray[np.int64]:
    """The largest absolute sum of biases, one of each array, for each row."""
    parts = [np.abs(each.astype(np.int64)).reshape(-1, each.shape[-1]).max(axis=0) for each in biases]
    return np.sum(parts, axis=0)
