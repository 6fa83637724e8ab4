"""Coding tables, and which one a symbol is coded with once it is known what to expect of it.

Symbols of a latent are open: any whole number. A table for each class of scale and each fraction of the mean
says how likely residuals are; these tables are fitted to data and stored. Digits are closed: whole numbers
below a base. Their tables follow from a stored distribution, by whole numbers alone.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tubelet.bitstream.symbol_model import CodingTable
from tubelet.errors import CheckpointError
from tubelet.priors.numbers import MEAN_UNIT, SCALES
from tubelet.priors.predictor import Expected

WIDE_SHARE, WIDE_SPREAD = 0.002, 8.0
"""Distributions are logistic, with a little of one so many times as wide, as real ones have."""

TOTAL = 1 << 24
"""Sum of the frequencies of a table."""

FINE_SCALES = 24
"""Classes of scale below this, four symbols, have a table for each fraction of a mean; others one table."""

OPEN_TABLES = FINE_SCALES * MEAN_UNIT + SCALES - FINE_SCALES

CLOSED_SCALES = 14
"""Classes of scale of a digit, two per doubling; the first is that of class 2 of a symbol."""

LARGEST_BASE = 16
"""Values of a digit at most."""

REACH = 2 * (2 * LARGEST_BASE + 1)
"""Halves of a digit's unit, from its mean, to which the distribution of a digit is stored."""


class Choice(NamedTuple):
    """How symbols are coded.

    Attributes:
        offsets: what is added to each residual.
        tables: indices of tables.
    """

    offsets: NDArray[np.int32]
    tables: NDArray[np.int32]


def choose_open(expected: Expected) -> Choice:
    """Offsets and tables of symbols of a latent."""
    offsets = (expected.mean + MEAN_UNIT // 2) // MEAN_UNIT
    fraction = expected.mean - MEAN_UNIT * offsets + MEAN_UNIT // 2
    fine = expected.scale * MEAN_UNIT + fraction
    coarse = expected.scale + FINE_SCALES * (MEAN_UNIT - 1)
    return Choice(offsets, np.where(expected.scale < FINE_SCALES, fine, coarse).astype(np.int32))


def open_place(table: int) -> tuple[int, int]:
    """Class of scale and fraction, in parts of a symbol from the offset, that a table is for."""
    if table < FINE_SCALES * MEAN_UNIT:
        return table // MEAN_UNIT, table % MEAN_UNIT - MEAN_UNIT // 2
    return table - FINE_SCALES * (MEAN_UNIT - 1), 0


def choose_closed(expected: Expected, base: int, first: int) -> Choice:
    """Offsets and tables of digits d of a base, of which 2 d - (base - 1) is expected.

    Args:
        expected: of that.
        base: values of the digit.
        first: index of the first table of this base.
    """
    most = 2 * (base + 1)
    mean = np.clip((expected.mean + MEAN_UNIT // 4) // (MEAN_UNIT // 2), -most, most) + most
    scale = np.clip((expected.scale + 1) // 2 - 2, 0, CLOSED_SCALES - 1)
    return Choice(np.zeros_like(mean), (first + mean * CLOSED_SCALES + scale).astype(np.int32))


def closed_count(base: int) -> int:
    """How many tables a base has."""
    return (4 * (base + 1) + 1) * CLOSED_SCALES


def closed_tables(distribution: NDArray[np.integer], base: int) -> Iterator[CodingTable]:
    """The tables of a base, in the order of `choose_closed`.

    Args:
        distribution: for each class of scale, how much of `TOTAL` lies below each half of a unit from the
            mean, from -`REACH` to `REACH`.
        base: values of the digit.
    """
    edges = 2 * (2 * np.arange(1, base) - base)
    whole = distribution.astype(np.int64)
    for mean in range(-2 * (base + 1), 2 * (base + 1) + 1):
        below = whole[:, REACH + edges - mean]
        bounds = np.concatenate(
            [np.zeros_like(below[:, :1]), below, np.full_like(below[:, :1], TOTAL)], axis=1
        )
        for shares in np.diff(bounds, axis=1):
            yield CodingTable(0, scaled(shares), open=False)


def scaled(shares: NDArray[np.int64]) -> NDArray[np.int64]:
    """Shares that add up to `TOTAL` as frequencies that do so too, each at least 1."""
    result = 1 + shares * (TOTAL - shares.size) // TOTAL
    result[np.argmax(result)] += TOTAL - result.sum()
    return result


def open_tables(
    firsts: NDArray[np.integer], sizes: NDArray[np.integer], frequencies: NDArray[np.integer], where: str
) -> Sequence[CodingTable]:
    """The stored tables, checked.

    Args:
        firsts: residual of the first entry of each table.
        sizes: entries of each table.
        frequencies: of all tables, one after the other.
        where: names the prior in errors.

    Raises:
        CheckpointError: these are not tables.
    """
    parts = np.split(frequencies.astype(np.int64), np.cumsum(sizes)[:-1]) if sizes.min() > 1 else []
    wrong = [number for number, part in enumerate(parts) if part.min() < 1 or part.sum() != TOTAL]
    if len(parts) != OPEN_TABLES or sizes.sum() != len(frequencies) or wrong:
        raise CheckpointError(
            f"the tables of {where} are damaged (wrong are {wrong[:3]} of {len(parts)}); frequencies are at "
            f"least 1 and add up to {TOTAL} in each of {OPEN_TABLES}. Fetch the prior again."
        )
    return [CodingTable(int(first), part, open=True) for first, part in zip(firsts, parts, strict=True)]
