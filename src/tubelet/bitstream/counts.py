"""Which symbols occur, how often, and the range coder's integer frequencies (SPEC.md, section 6).

Counts are exact and stored in the file, so both ends build the same frequencies without any arithmetic that
could round differently on another machine.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tubelet.bitstream import limits
from tubelet.bitstream.fields import Cursor, signed, unsigned, unsigned_array

TOTAL = 1 << 24
"""Sum of the frequencies of a segment."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """The different symbols of a segment, increasing, and how often each occurs (at least once)."""

    symbols: NDArray[np.int32]
    counts: NDArray[np.int64]

    def entropy_bits(self) -> float:
        """Zeroth-order empirical entropy of the whole segment, in bits: what no such coder can beat."""
        share = self.counts / self.counts.sum()
        return float(-(self.counts * np.log2(share)).sum()) + 0.0  # + 0.0 turns -0.0 into 0.0


def frequencies(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Scale counts to frequencies: each at least 1, their sum exactly `TOTAL`.

    Each symbol gets 1 plus its share of the rest, rounded down; what rounding leaves over, less than one per
    symbol, goes to the most frequent symbol (the first of them), where it costs least.

    Args:
        counts: at least 1 each, between 1 and `limits.TABLE_SYMBOLS` of them, summing to at most
            `limits.CHUNK_SYMBOLS`: products stay below 2^51.
    """
    result = 1 + counts * (TOTAL - counts.size) // counts.sum()
    result[np.argmax(counts)] += TOTAL - result.sum()
    return result


def table_to_bytes(table: Table) -> bytes:
    """Number of symbols, the first symbol, gaps less one, counts less one; the last count is implied."""
    gaps = np.diff(table.symbols.astype(np.int64))
    return b"".join(
        [
            unsigned(table.symbols.size),
            signed(int(table.symbols[0])),
            unsigned_array(gaps - 1),
            unsigned_array(table.counts[:-1] - 1),
        ]
    )


def read_table(cursor: Cursor, *, total: int) -> Table:
    """Undo `table_to_bytes` for a segment of `total` symbols.

    Raises:
        BitstreamError: the table is damaged: too many symbols, one out of range, or counts too large.
    """
    size = cursor.unsigned("different symbols", least=1, most=min(total, limits.TABLE_SYMBOLS))
    first = cursor.signed("the first symbol", most=limits.SYMBOL)
    gaps = cursor.unsigned_array("gaps between symbols", size - 1) + 1
    counts = cursor.unsigned_array("counts", size - 1) + 1
    symbols = first + np.concatenate([[0], np.cumsum(gaps)])  # below 2^57: no wrapping
    if symbols[-1] > limits.SYMBOL:
        raise cursor.broken(f"a symbol is {symbols[-1]}, beyond {limits.SYMBOL}")
    last = total - int(counts.sum())
    if last < 1:
        raise cursor.broken(f"the counts exceed the {total} symbols there are")
    return Table(symbols=symbols.astype(np.int32), counts=np.append(counts, last))
