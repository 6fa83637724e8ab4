"""Symbols coded with a model: its escapes, then a range coder's words (SPEC.md, section 7)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from operator import index
from typing import SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from tubelet.bitstream import limits
from tubelet.bitstream.counts import TOTAL
from tubelet.bitstream.fields import Cursor, unsigned, unsigned_array
from tubelet.bitstream.range_coder import Alphabet, RangeDecoder, RangeEncoder, alphabet
from tubelet.bitstream.segment import Segment
from tubelet.bitstream.symbol_model import CodingTable, Exchange
from tubelet.errors import BitstreamError, OptionError

Ask = Callable[[Exchange], NDArray[np.int32]]
"""A function of a model, waiting for its exchange; it gives symbols, 0 where there are none."""


class ModelTables(Sequence[CodingTable]):
    """The tables of a model as the coder wants them; a table's alphabet is made when it is first used.

    A model whose `tables` are of this kind has them checked once, and not for each file.

    Raises:
        OptionError: there are too many tables, or one of them breaks the rules of a `CodingTable`.
    """

    def __init__(self, tables: Sequence[CodingTable]) -> None:
        if not 1 <= len(tables) <= limits.MODEL_TABLES:
            raise OptionError(f"a model has {len(tables)} tables; it must have 1 to {limits.MODEL_TABLES}.")
        _check_tables(tables)
        self._tables = tables
        self._alphabets: list[Alphabet | None] = [None] * len(tables)
        self.first = np.array([table.first for table in tables], np.int64)
        """Residual of each table's first entry."""
        self.last = np.array([table.frequencies.size - 1 for table in tables], np.int64)
        """Place of each table's last entry."""
        self.open = np.array([table.open for table in tables])
        """Whether a table's ends stand for all beyond them too."""
        self._starts = np.cumsum(self.last + 1) - self.last - 1
        self._bits = np.log2(TOTAL) - np.log2(np.concatenate([table.frequencies for table in tables]))

    @classmethod
    def of(cls, tables: Sequence[CodingTable]) -> "ModelTables":
        """These, or what they are already."""
        return tables if isinstance(tables, ModelTables) else cls(tables)

    def __len__(self) -> int:
        return len(self._tables)

    @overload
    def __getitem__(self, place: SupportsIndex) -> CodingTable: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[CodingTable]: ...

    def __getitem__(self, place: SupportsIndex | slice) -> CodingTable | Sequence[CodingTable]:
        """A table, or some, as they were given."""
        return self._tables[place] if isinstance(place, slice) else self._tables[index(place)]

    def alphabet(self, table: int) -> Alphabet | None:
        """The alphabet of a table; none if it has a single entry, which needs no code."""
        if self._alphabets[table] is None and self.last[table]:
            self._alphabets[table] = alphabet(self._tables[table].frequencies)
        return self._alphabets[table]

    def alphabets(self, tables: Sequence[int]) -> list[Alphabet | None]:
        """The alphabets of tables."""
        known = self._alphabets
        return [known[table] or self.alphabet(table) for table in tables]

    def bits(self, tables: NDArray[np.int64], places: NDArray[np.int64]) -> float:
        """How unlikely entries of tables are, all together, in bits."""
        return float(self._bits[self._starts[tables] + places].sum())


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """The symbols of a request in the order of their tables; those of one table as they were."""

    order: NDArray[np.int64]
    """Where each symbol stands in the request."""
    tables: NDArray[np.int64]
    """The table of each."""
    found: list[int]
    """The tables that occur."""
    runs: list[tuple[int, int]]
    """Where the symbols of each of these start and stop."""

    @classmethod
    def of(cls, tables: NDArray[np.int32], known: int) -> "_Order":
        if tables.size and not 0 <= int(tables.min()) <= int(tables.max()) < known:
            raise BitstreamError(f"a model codes with table {tables.max()}; it has {known}, counted from 0.")
        order = np.argsort(tables.astype(np.uint16), kind="stable")  # 16 bits are sorted by counting
        ordered = tables[order].astype(np.int64)
        starts = np.flatnonzero(np.diff(ordered, prepend=-1))
        edges = [*starts.tolist(), tables.size]
        return cls(order, ordered, ordered[starts].tolist(), list(pairwise(edges)))


class _Writing:
    """An exchange that knows the symbols and codes them."""

    def __init__(self, symbols: NDArray[np.int32], tables: ModelTables) -> None:
        self._symbols = symbols.ravel()
        self._tables = tables
        self._encoder = RangeEncoder()
        self._escapes = [np.zeros(0, np.int64)]
        self._bits = 0.0
        self.coded = 0
        """Symbols so far."""

    def __call__(
        self, places: NDArray[np.int64], offsets: NDArray[np.int32], tables: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        known = self._tables
        symbols = self._symbols[places]
        by_table = _Order.of(tables, len(known))
        # Eight bytes a symbol each, a million symbols a step of full HD: changed in place.
        found = symbols[by_table.order].astype(np.int64)
        found -= offsets[by_table.order]
        found -= known.first[by_table.tables]
        last = known.last[by_table.tables]
        entries = np.clip(found, 0, last)
        ends = known.open[by_table.tables] & ((entries == 0) | (entries == last))
        del last
        beyond = np.abs(np.subtract(found, entries, out=found), out=found)
        if np.any(beyond[~ends]):
            raise BitstreamError(
                "a model codes a symbol with a table that is closed and does not hold it: the model is at "
                "fault."
            )
        self._escapes.append(beyond[ends])
        self._bits += known.bits(by_table.tables, entries)
        entries = entries.astype(np.int32)
        del found, beyond, ends
        self._encoder.encode_runs(entries, by_table.runs, known.alphabets(by_table.found))
        self.coded += symbols.size
        return symbols

    def segment(self) -> Segment:
        """What was coded."""
        escapes = np.concatenate(self._escapes)
        return Segment(
            table=unsigned(escapes.size) + unsigned_array(escapes),
            payload=self._encoder.to_bytes(),
            entropy_bits=self._bits,
        )


class _Reading:
    """An exchange that reads the symbols."""

    def __init__(self, data: bytes, tables: ModelTables, bounds: "Bounds", total: int) -> None:
        self._cursor = Cursor(data, "a segment")
        count = self._cursor.unsigned("escapes", most=min(total, self._cursor.remaining))
        self._escapes = self._cursor.unsigned_array("escapes", count)
        self._decoder = RangeDecoder(self._cursor)
        self._tables = tables
        self._bounds = bounds
        self._used = 0
        self.coded = 0
        """Symbols so far."""

    def __call__(
        self, places: NDArray[np.int64], offsets: NDArray[np.int32], tables: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        known = self._tables
        by_table = _Order.of(tables, len(known))
        entries = self._decoder.decode_runs(by_table.runs, known.alphabets(by_table.found)).astype(np.int64)
        last = known.last[by_table.tables]
        residuals = entries + known.first[by_table.tables]
        ends = np.flatnonzero(known.open[by_table.tables] & ((entries == 0) | (entries == last)))
        residuals[ends] += np.where(entries[ends] == 0, -1, 1) * self._next_escapes(ends.size)
        symbols = np.empty_like(residuals)
        symbols[by_table.order] = residuals
        symbols += offsets
        if (wrong := self._bounds.outside(symbols, places)) is not None:
            raise self._cursor.broken(f"a symbol is {wrong}, outside its bounds")
        self.coded += symbols.size
        return symbols.astype(np.int32)

    def finish(self) -> None:
        """Check that every escape was used."""
        if self._used < self._escapes.size:
            raise self._cursor.broken(f"{self._escapes.size - self._used} escapes are left over")

    def _next_escapes(self, count: int) -> NDArray[np.int64]:
        if self._used + count > self._escapes.size:
            raise self._cursor.broken(f"more than its {self._escapes.size} escapes are needed")
        self._used += count
        return self._escapes[self._used - count : self._used]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounds:
    """What the symbols of a segment may be.

    Attributes:
        low: the least.
        highs: the greatest, for each channel.
        plane: positions in a channel.
    """

    low: int
    highs: NDArray[np.int64]
    plane: int

    def outside(self, symbols: NDArray[np.int64], places: NDArray[np.int64]) -> int | None:
        """A symbol that is outside, if there is one.

        Args:
            symbols: those to check.
            places: where they stand, as flat indices into channels and positions.
        """
        if not symbols.size:
            return None
        low, high = int(symbols.min()), int(symbols.max())
        if low < self.low:
            return low
        if high <= self.highs.min():
            return None
        wrong = symbols[symbols > self.highs[places // self.plane]]
        return int(wrong[0]) if wrong.size else None


def encode_modelled(ask: Ask, symbols: NDArray[np.int32], tables: ModelTables, *, total: int) -> Segment:
    """Encode symbols with a model.

    Args:
        ask: the model's function.
        symbols: what it must give, 0 where there are none.
        tables: those of the model.
        total: how many symbols there are.

    Raises:
        BitstreamError: the model does not code these symbols, each once.
    """
    exchange = _Writing(symbols, tables)
    given = ask(exchange)
    _check_all(exchange.coded, total)
    if given.shape != symbols.shape or not np.array_equal(given, symbols):
        raise BitstreamError("a model gives other symbols than it coded: it is at fault.")
    return exchange.segment()


def decode_modelled(
    ask: Ask, data: bytes, shape: tuple[int, ...], tables: ModelTables, bounds: Bounds, *, total: int
) -> NDArray[np.int32]:
    """Undo `encode_modelled`, with the same model.

    Args:
        ask: the model's function.
        data: the segment.
        shape: of what the function gives.
        tables: those of the model.
        bounds: what the symbols may be.
        total: how many symbols there are.

    Raises:
        BitstreamError: the data cannot come from `encode_modelled`, or the model does not code these symbols,
            each once. Damage that still decodes to something is left to the checksum of the symbols, which
            the chunk holds.
    """
    exchange = _Reading(data, tables, bounds, total)
    given = ask(exchange)
    _check_all(exchange.coded, total)
    exchange.finish()
    if given.shape != shape or given.dtype != np.int32:
        raise BitstreamError(f"a model gives {given.dtype} of shape {given.shape}, not int32 of {shape}.")
    return given


def _check_all(coded: int, total: int) -> None:
    if coded != total:
        raise BitstreamError(f"a model codes {coded} symbols of {total}: it is at fault.")


def _check_tables(tables: Sequence[CodingTable]) -> None:
    """Check all tables, thousands of them at once; say which is the first that is wrong."""
    rows = list(takewhile(_is_row, tables))
    first = len(rows)
    if rows:
        joined = np.concatenate([table.frequencies for table in rows])
        starts = np.cumsum([0, *(table.frequencies.size for table in rows[:-1])])
        wrong = (np.minimum.reduceat(joined, starts) < 1) | (np.add.reduceat(joined, starts) != TOTAL)
        first = int(wrong.argmax()) if wrong.any() else first
    if first < len(tables):
        raise _fault(first, tables[first])


def _is_row(table: CodingTable) -> bool:
    """Whether a table has the shape of one; what its frequencies are is another question."""
    frequencies = table.frequencies
    return (
        frequencies.ndim == 1
        and frequencies.dtype == np.int64
        and _least(table) <= frequencies.size <= limits.TABLE_SYMBOLS
        and abs(table.first) <= 2 * limits.SYMBOL
    )


def _least(table: CodingTable) -> int:
    """Entries at least: the first and the last of an open table stand for what lies beyond them."""
    return 2 if table.open else 1


def _fault(number: int, table: CodingTable) -> OptionError:
    frequencies = table.frequencies
    return OptionError(
        f"table {number} of a model has {frequencies.dtype} frequencies of shape {frequencies.shape} "
        f"that add up to {frequencies.sum()}, from residual {table.first} on; it must have one row of "
        f"{_least(table)} to {limits.TABLE_SYMBOLS} int64, each at least 1, that add up to {TOTAL}."
    )
