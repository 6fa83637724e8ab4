"""Symbols of one channel of one chunk as bytes: counts, then a range coder's words (SPEC.md, section 6)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tubelet.bitstream import limits
from tubelet.bitstream.counts import Table, frequencies, read_table, table_to_bytes
from tubelet.bitstream.fields import Cursor, unsigned
from tubelet.bitstream.range_coder import Alphabet, RangeDecoder, RangeEncoder, alphabet, even_alphabet
from tubelet.errors import BitstreamError

UNIFORM = unsigned(0)
"""Stands in place of a table: every digit below the base is as frequent as any other."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """Some symbols of one chunk, encoded."""

    table: bytes
    """What stands before the words: which symbols occur, and how often; with a model, its escapes."""
    payload: bytes
    """Words of the range coder."""
    entropy_bits: float
    """What `payload` could be at best. It decides no byte. With a table it is the zeroth-order empirical
    entropy of the symbols; with a model, how unlikely they are."""

    def __len__(self) -> int:
        return len(self.table) + len(self.payload)

    def to_bytes(self) -> bytes:
        """The segment as it is stored."""
        return self.table + self.payload


def encode_symbols(symbols: NDArray[np.int32], base: int | None = None) -> Segment:
    """Encode symbols of magnitude at most `limits.SYMBOL`; none of them take no bytes.

    Args:
        symbols: in raster order.
        base: symbols are digits from 0 to `base` - 1, and are stored without a table if that is shorter.

    Raises:
        BitstreamError: a symbol is too large or outside its base, or too many different ones occur.
    """
    if not symbols.size:
        return Segment(table=b"", payload=b"", entropy_bits=0.0)
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
    words = b"" if table.symbols.size == 1 else _range_code(indices, alphabet(frequencies(table.counts)))
    entropy = table.entropy_bits()
    counted = Segment(table=table_to_bytes(table), payload=words, entropy_bits=entropy)
    if base is None:
        return counted
    words = _range_code(symbols, even_alphabet(base))
    plain = Segment(table=UNIFORM, payload=words, entropy_bits=entropy)
    return min(counted, plain, key=len)


def decode_symbols(data: bytes, count: int, base: int | None = None) -> NDArray[np.int32]:
    """Undo `encode_symbols` of the same `base`; `count` symbols come out.

    Raises:
        BitstreamError: the data cannot come from `encode_symbols`. Damage that still decodes to something is
            left to the checksum of the symbols, which the chunk holds.
    """
    cursor = Cursor(data, "a segment")
    if not count:
        cursor.finish()
        return np.zeros(0, np.int32)
    if base is not None and data[:1] == UNIFORM:
        cursor.take(1)
        return RangeDecoder(cursor).decode(even_alphabet(base), count)
    table = read_table(cursor, total=count)
    if base is not None and (digit := _outside(table, base)) is not None:
        raise cursor.broken(f"a digit is {digit}, outside its base of {base}")
    if table.symbols.size == 1:
        cursor.finish()
        return np.full(count, table.symbols[0])
    return table.symbols[RangeDecoder(cursor).decode(alphabet(frequencies(table.counts)), count)]


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
    """A symbol that is not a digit of the base, if one occurs."""
    low, high = int(table.symbols[0]), int(table.symbols[-1])
    return low if low < 0 else high if high >= base else None


def _range_code(places: NDArray[np.int32], alphabet: Alphabet) -> bytes:
    encoder = RangeEncoder()
    encoder.encode(places, alphabet)
    return encoder.to_bytes()
