"""Symbols of one channel of one chunk as bytes: counts, then a range coder's words (SPEC.md, section 6)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from constriction import stream  # pyright: ignore[reportAttributeAccessIssue] (compiled, no stubs)
from numpy.typing import NDArray

from tubelet.bitstream import limits
from tubelet.bitstream.counts import Table, frequencies, read_table, table_to_bytes
from tubelet.bitstream.fields import Cursor, unsigned
from tubelet.errors import BitstreamError

UNIFORM = unsigned(0)
"""Stands in place of a table: every digit below the base is as frequent as any other."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """One channel of one chunk, encoded."""

    table: bytes
    payload: bytes
    entropy_bits: float
    """Zeroth-order empirical entropy of the symbols: what `payload` could be at best. It decides no byte."""

    def to_bytes(self) -> bytes:
        """The segment as it is stored."""
        return self.table + self.payload


def encode_symbols(symbols: NDArray[np.int32], base: int | None = None) -> Segment:
    """Encode at least one symbol, of magnitude at most `limits.SYMBOL`.

    Args:
        symbols: in raster order.
        base: symbols are digits from 0 to `base` - 1, and are stored without a table if that is shorter.

    Raises:
        BitstreamError: a symbol is too large or outside its base, or too many different ones occur.
    """
    table, indices = _tabulate(symbols)
    if base is not None and (digit := _outside(table, base)) is not None:
        raise BitstreamError(
            f"a digit is {digit}; its base is {base}, counted from 0. The tokens are of another tokenizer."
        )
    if table.symbols.size > limits.TABLE_SYMBOLS:
        raise BitstreamError(
            f"a channel takes {table.symbols.size} different values in one chunk; a .tube file holds at most "
            f"{limits.TABLE_SYMBOLS}. Quantise with a larger step."
        )
    words = b"" if table.symbols.size == 1 else _range_code(indices, _model(table))
    entropy = table.entropy_bits()
    counted = Segment(table=table_to_bytes(table), payload=words, entropy_bits=entropy)
    if base is None:
        return counted
    words = _range_code(symbols, stream.model.Uniform(base))
    plain = Segment(table=UNIFORM, payload=words, entropy_bits=entropy)
    return min(counted, plain, key=lambda segment: len(segment.table) + len(segment.payload))


def decode_symbols(data: bytes, count: int, base: int | None = None) -> NDArray[np.int32]:
    """Undo `encode_symbols` of the same `base`; `count` symbols come out.

    Raises:
        BitstreamError: the data cannot come from `encode_symbols`. Damage that still decodes to something is
            left to the checksum of the symbols, which the chunk holds.
    """
    cursor = Cursor(data, "a segment")
    if base is not None and data[:1] == UNIFORM:
        cursor.take(1)
        return _range_decode(cursor, stream.model.Uniform(base), count)
    table = read_table(cursor, total=count)
    if base is not None and (digit := _outside(table, base)) is not None:
        raise cursor.broken(f"a digit is {digit}, outside its base of {base}")
    if table.symbols.size == 1:
        cursor.finish()
        return np.full(count, table.symbols[0])
    return table.symbols[_range_decode(cursor, _model(table), count)]


def _tabulate(symbols: NDArray[np.int32]) -> tuple[Table, NDArray[np.int32]]:
    """Count the symbols, and replace each by its place in the table."""
    low, high = int(symbols.min()), int(symbols.max())
    if max(-low, high) > limits.SYMBOL:
        worst = low if -low > high else high
        raise BitstreamError(
            f"a quantised value is {worst}; a .tube file holds up to ±{limits.SYMBOL}. "
            "Quantise with a larger step."
        )
    span = high - low + 1
    if span > max(1 << 16, 4 * symbols.size):  # a histogram would be mostly holes: sort instead
        values, places, counts = np.unique(symbols, return_inverse=True, return_counts=True)
        return Table(symbols=values, counts=counts.astype(np.int64)), places.astype(np.int32)
    shifted = symbols - np.int32(low)
    histogram = np.bincount(shifted, minlength=span)
    occurring = np.flatnonzero(histogram)
    table = Table(symbols=(occurring + low).astype(np.int32), counts=histogram[occurring].astype(np.int64))
    if occurring.size == span:
        return table, shifted
    place = np.zeros(span, np.int32)
    place[occurring] = np.arange(occurring.size, dtype=np.int32)
    return table, place[shifted]


def _outside(table: Table, base: int) -> int | None:
    """A symbol that is no digit of the base, if one occurs."""
    low, high = int(table.symbols[0]), int(table.symbols[-1])
    return low if low < 0 else high if high >= base else None


def _range_code(indices: NDArray[np.int32], model: Any) -> bytes:  # noqa: ANN401  compiled, no stubs
    """Code places in an alphabet; the words as they are stored."""
    encoder = stream.queue.RangeEncoder()
    encoder.encode(indices, model)
    return encoder.get_compressed().astype("<u4").tobytes()


def _range_decode(cursor: Cursor, model: Any, count: int) -> NDArray[np.int32]:  # noqa: ANN401  no stubs
    """Undo `_range_code` of `count` places, to the end of a segment.

    Raises:
        BitstreamError: the rest of the segment is no range code.
    """
    if cursor.remaining % 4:
        raise cursor.broken(f"{cursor.remaining} bytes are no whole number of 4-byte words")
    words = np.frombuffer(cursor.take(cursor.remaining), "<u4").astype(np.uint32)
    try:
        return stream.queue.RangeDecoder(words).decode(model, count)
    except AssertionError as error:  # constriction's way of saying that the words are no range code
        raise cursor.broken("its words are no code of any symbols") from error


def _model(table: Table) -> Any:  # noqa: ANN401  compiled, no stubs
    """The model of constriction that has exactly the intervals of `frequencies`.

    Constriction takes weights p and puts the left end of interval i at floor(s·(p_0 + … + p_{i-1})) + i, with
    s = (2^24 - n) / sum(p). Weights that are one less than the frequencies sum to 2^24 - n, so s is exactly
    1; every partial sum is a whole number below 2^24, which a float64 holds exactly. So the floats only carry
    integers, nothing rounds, and the intervals are the frequencies on every machine.

    Its uniform model needs no such care: intervals of floor(2^24 / n), and the last one to the end.
    """
    return stream.model.Categorical((frequencies(table.counts) - 1).astype(np.float64), perfect=False)
