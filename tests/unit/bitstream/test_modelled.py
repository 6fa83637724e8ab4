"""Symbols that are coded with a model: whatever the model asks for, what was written comes back."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tubelet.bitstream import CodingTable, limits
from tubelet.bitstream.counts import TOTAL, frequencies
from tubelet.bitstream.modelled import Bounds, ModelTables, decode_modelled, encode_modelled
from tubelet.errors import BitstreamError, OptionError

MOST = limits.SYMBOL


def coding_table(first, counts, *, ends=False):
    return CodingTable(first, frequencies(np.array(counts, np.int64)), ends)


def bounds(size, *, low=-MOST, high=MOST):
    return Bounds(low=low, highs=np.array([high]), plane=size)


class Plan:
    """A model that knows beforehand with what it asks for each symbol, and in which requests."""

    def __init__(self, offsets, tables, requests):
        self.offsets, self.tables = np.array(offsets, np.int32), np.array(tables, np.int32)
        self.requests = [np.array(places, np.int64) for places in requests]

    def __call__(self, exchange):
        given = np.zeros(self.offsets.size, np.int32)
        for places in self.requests:
            given[places] = exchange(places, self.offsets[places], self.tables[places])
        return given


def round_trip(plan, symbols, tables):
    symbols = np.array(symbols, np.int32)
    segment = encode_modelled(plan, symbols, ModelTables(tables), total=symbols.size)
    decoded = decode_modelled(
        plan, segment.to_bytes(), symbols.shape, ModelTables(tables), bounds(symbols.size), total=symbols.size
    )
    np.testing.assert_array_equal(decoded, symbols)
    return segment


some_counts = st.lists(st.integers(1, 2**20), min_size=1, max_size=9)


@st.composite
def some_plans(draw):
    """Tables of all kinds, and symbols that each can say."""
    tables = []
    for _ in range(draw(st.integers(1, 5))):
        counts = draw(some_counts)
        ends = len(counts) > 1 and draw(st.booleans())
        tables.append(coding_table(draw(st.integers(-50, 50)), counts, ends=ends))
    symbols, offsets, chosen = [], [], []
    for _ in range(draw(st.integers(1, 60))):
        at = draw(st.integers(0, len(tables) - 1))
        table = tables[at]
        if table.open:
            symbol = draw(st.sampled_from([-MOST, MOST]) | st.integers(-300, 300))
            offset = draw(st.integers(-200, 200))
        else:
            symbol = draw(st.integers(-300, 300))
            offset = symbol - table.first - draw(st.integers(0, table.frequencies.size - 1))
        symbols.append(symbol)
        offsets.append(offset)
        chosen.append(at)
    places = draw(st.permutations(range(len(symbols))))
    cuts = sorted(draw(st.sets(st.integers(0, len(symbols)), max_size=4)))
    requests = [places[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(places)], strict=True)]
    return Plan(offsets, chosen, requests), symbols, tables


@settings(max_examples=200)
@given(some_plans())
def test_whatever_a_model_asks_with_comes_back(drawn):
    round_trip(*drawn)


def test_tables_of_one_entry_cost_no_words():
    tables = [coding_table(3, [1])]
    segment = round_trip(Plan([0, 5, -9], [0, 0, 0], [[2, 0], [1]]), [3, 8, -6], tables)
    assert segment.to_bytes() == b"\0"
    assert segment.entropy_bits == 0


def test_an_escape_says_how_far_a_symbol_is_beyond_the_ends():
    tables = [coding_table(-1, [1, 2, 1], ends=True)]
    plan = Plan([0] * 5, [0] * 5, [range(5)])
    segment = round_trip(plan, [0, -1, 1, -1 - 200, 1 + MOST - 1], tables)
    assert segment.table == bytes([4, 0, 0, 0xC8, 1, 0xFE, 0xFF, 0xFF, 3])


def test_requests_are_coded_in_the_order_of_their_tables():
    """So that a run of one table is one call of the coder; within a table they stay as they are."""
    tables = [coding_table(0, [5, 1]), coding_table(0, [1, 2, 3])]
    symbols, chosen = [1, 0, 2, 0, 1, 1], [0, 1, 1, 0, 1, 0]
    by_table = [3, 0, 5, 1, 4, 2]
    mixed = [3, 1, 0, 4, 2, 5]
    segments = [
        round_trip(Plan([0] * 6, chosen, requests), symbols, tables).to_bytes()
        for requests in ([by_table], [mixed], [by_table[:3], by_table[3:]])
    ]
    assert segments[0] == segments[1] == segments[2]


@pytest.mark.slow
def test_ten_million_symbols_are_coded_in_a_few_calls():
    size = 10_000_000
    generator = np.random.default_rng(0)
    spread = generator.integers(0, 3, size, dtype=np.int32)
    symbols = np.rint(generator.standard_normal(size, dtype=np.float32) * 2**spread).astype(np.int32)
    tables = [
        coding_table(-r, np.exp(-((np.arange(-r, r + 1) / 2**s) ** 2) / 2) * 1e6 + 1, ends=True)
        for s, r in enumerate((4, 8, 16))
    ]
    plan = Plan(np.zeros(size, np.int32), spread, [range(size)])
    segment = round_trip(plan, symbols, tables)
    assert len(segment.payload) * 8 / segment.entropy_bits < 1.001


WRONG_TABLES = {
    "no table": [],
    "no entry": [CodingTable(0, np.zeros(0, np.int64))],
    "an entry of no frequency": [CodingTable(0, np.array([TOTAL, 0]))],
    "another sum": [CodingTable(0, np.array([TOTAL, 1]))],
    "a single entry that is open": [CodingTable(0, np.array([TOTAL]), open=True)],
    "fractions": [CodingTable(0, np.array([TOTAL / 2, TOTAL / 2]))],
    "a far residual": [CodingTable(2**30, np.array([TOTAL]))],
    "too many": [CodingTable(0, np.array([TOTAL]))] * (limits.MODEL_TABLES + 1),
}


@pytest.mark.parametrize("tables", WRONG_TABLES.values(), ids=WRONG_TABLES)
def test_tables_that_break_their_rules_are_refused(tables):
    with pytest.raises(OptionError):
        ModelTables(tables)


TABLES = [coding_table(0, [1, 1]), coding_table(-1, [1, 2, 1], ends=True)]

FAULTS = {
    "a symbol less": (Plan([0, 0], [0, 0], [[0]]), "1 symbols of 2"),
    "a symbol twice": (Plan([0, 0], [0, 0], [[0, 1], [1]]), "3 symbols of 2"),
    "one for the other": (Plan([0, 0], [0, 0], [[0, 0]]), "other symbols"),
    "a table that there is not": (Plan([0, 0], [0, 2], [[0, 1]]), "table 2; it has 2"),
    "a closed table that does not hold it": (Plan([0, 5], [0, 0], [[0, 1]]), "does not hold"),
}


@pytest.mark.parametrize(("plan", "message"), FAULTS.values(), ids=FAULTS)
def test_a_model_at_fault_is_named(plan, message):
    with pytest.raises(BitstreamError, match=message):
        encode_modelled(plan, np.array([0, 1], np.int32), ModelTables(TABLES), total=2)


BROKEN = {
    "nothing": b"",
    "more escapes than symbols": b"\x05" + bytes(5),
    "more escapes than bytes": b"\x02\x00",
    "half a word": b"\x00" + bytes(3),
    "no code": b"\x00" + b"\xff" * 8,
    "an escape too few": b"\x00" + bytes(8),
    "an escape that leads too far": b"\x02\xff\xff\xff\x7f\x00" + bytes(8),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_segment_is_refused(data):
    plan = Plan([0, 0], [1, 1], [[0, 1]])
    with pytest.raises(BitstreamError):
        decode_modelled(plan, data, (2,), ModelTables(TABLES), bounds(2), total=2)


def test_an_escape_that_nothing_needs_is_refused():
    plan = Plan([0, 0], [0, 0], [[0, 1]])
    data = encode_modelled(plan, np.array([0, 1], np.int32), ModelTables(TABLES), total=2).to_bytes()
    with pytest.raises(BitstreamError, match="1 escapes are left over"):
        decode_modelled(plan, b"\x01\x00" + data[1:], (2,), ModelTables(TABLES), bounds(2), total=2)


def test_a_symbol_outside_its_bounds_is_refused_before_the_model_sees_it():
    plan = Plan([0, 1], [0, 0], [[0, 1]])
    data = encode_modelled(plan, np.array([1, 2], np.int32), ModelTables(TABLES), total=2).to_bytes()
    for highs, plane in (([1], 2), ([2, 1], 1)):
        narrow = Bounds(low=0, highs=np.array(highs), plane=plane)
        with pytest.raises(BitstreamError, match="a symbol is 2, outside"):
            decode_modelled(plan, data, (2,), ModelTables(TABLES), narrow, total=2)
    with pytest.raises(BitstreamError, match="a symbol is 1, outside"):
        decode_modelled(plan, data, (2,), ModelTables(TABLES), bounds(2, low=2), total=2)


@given(st.binary(max_size=40))
def test_any_bytes_decode_or_are_refused(data):
    plan = Plan([0] * 30, [0, 1] * 15, [range(20), range(20, 30)])
    with suppress(BitstreamError):
        found = decode_modelled(plan, data, (30,), ModelTables(TABLES), bounds(30), total=30)
        assert found.shape == (30,)
