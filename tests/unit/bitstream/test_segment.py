from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tubelet.bitstream import limits
from tubelet.bitstream.counts import TOTAL, Table, frequencies, read_table, table_to_bytes
from tubelet.bitstream.fields import Cursor, signed, unsigned
from tubelet.bitstream.segment import decode_symbols, encode_symbols
from tubelet.errors import BitstreamError

counts = st.lists(st.integers(1, 2**20), min_size=1, max_size=100).map(lambda c: np.array(c, np.int64))
most = limits.SYMBOL


@given(counts)
def test_frequencies_are_positive_and_add_up(counts):
    result = frequencies(counts)
    assert result.min() >= 1
    assert result.sum() == TOTAL


@pytest.mark.parametrize("size", [2, limits.TABLE_SYMBOLS])
def test_frequencies_keep_their_promise_at_the_bounds(size):
    counts = np.ones(size, np.int64)
    counts[0] = limits.CHUNK_SYMBOLS - size + 1
    result = frequencies(counts)
    assert result.min() >= 1
    assert result.sum() == TOTAL


@given(st.sets(st.integers(-most, most), min_size=1, max_size=50), st.data())
def test_a_table_survives(symbols, data):
    size = len(symbols)
    numbers = data.draw(st.lists(st.integers(1, 10**6), min_size=size, max_size=size))
    table = Table(symbols=np.array(sorted(symbols), np.int32), counts=np.array(numbers, np.int64))
    cursor = Cursor(table_to_bytes(table), "a table")
    found = read_table(cursor, total=sum(numbers))
    cursor.finish()
    np.testing.assert_array_equal(found.symbols, table.symbols)
    np.testing.assert_array_equal(found.counts, table.counts)


ranges = st.sampled_from([1, 20, 2**16, most])


@settings(deadline=None)
@given(ranges.flatmap(lambda m: arrays(np.int32, st.integers(1, 300), elements=st.integers(-m, m))))
def test_any_symbols_survive(symbols):
    data = encode_symbols(symbols).to_bytes()
    np.testing.assert_array_equal(decode_symbols(data, symbols.size), symbols)


@pytest.mark.parametrize("scale", [0.2, 1, 5, 300, 50_000])
def test_many_symbols_of_any_spread_survive(scale):
    generator = np.random.default_rng(0)
    symbols = np.round(generator.laplace(0, scale, 50_000)).clip(-most, most).astype(np.int32)
    data = encode_symbols(symbols).to_bytes()
    np.testing.assert_array_equal(decode_symbols(data, symbols.size), symbols)


def test_more_different_symbols_than_sixteen_bits_survive():
    symbols = np.random.default_rng(0).permutation(200_000).astype(np.int32)
    data = encode_symbols(symbols).to_bytes()
    np.testing.assert_array_equal(decode_symbols(data, symbols.size), symbols)


@pytest.mark.parametrize("scale", [0.3, 1, 4, 30])
def test_the_payload_is_within_a_thousandth_of_the_entropy(scale):
    generator = np.random.default_rng(1)
    symbols = np.round(generator.laplace(0, scale, 4 * 135 * 240)).astype(np.int32)
    segment = encode_symbols(symbols)
    assert 1 <= len(segment.payload) * 8 / segment.entropy_bits < 1.001
    assert len(segment.table) < 0.03 * len(segment.payload)


def test_one_symbol_alone_takes_no_words():
    segment = encode_symbols(np.full(10_000, -5, np.int32))
    assert segment.to_bytes() == unsigned(1) + signed(-5)
    assert segment.entropy_bits == 0


@pytest.mark.parametrize("symbol", [most + 1, -most - 1, 2**31 - 1, -(2**31)])
def test_a_symbol_too_large_is_refused_with_the_cure(symbol):
    with pytest.raises(BitstreamError, match=f"{symbol}.*larger step"):
        encode_symbols(np.array([0, symbol], np.int32))


def test_too_many_different_symbols_are_refused_with_the_cure():
    with pytest.raises(BitstreamError, match=r"4194305 different values.*larger step"):
        encode_symbols(np.arange(limits.TABLE_SYMBOLS + 1, dtype=np.int32))


BROKEN = {
    "no symbols": unsigned(0),
    "more different symbols than symbols": unsigned(5) + signed(0) + bytes(20),
    "first symbol beyond the range": unsigned(1) + signed(most + 1),
    "later symbol beyond the range": unsigned(2) + signed(most) + b"\x00\x00" + bytes(4),
    "counts above the total": unsigned(2) + signed(0) + b"\x00" + unsigned(3) + bytes(4),
    "gap of 35 bits": unsigned(2) + signed(0) + unsigned(2**35 - 1) + b"\x00" + bytes(4),
    "count of 35 bits": unsigned(2) + signed(0) + b"\x00" + unsigned(2**35 - 1) + bytes(4),
    "half a word": unsigned(2) + signed(0) + b"\x00\x00" + bytes(3),
    "words where none belong": unsigned(1) + signed(0) + bytes(4),
    "table cut short": unsigned(4) + signed(0) + b"\x00",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_segment_is_refused(data):
    with pytest.raises(BitstreamError):
        decode_symbols(data, 4)


def test_words_that_are_no_code_are_refused():
    table = unsigned(2) + signed(0) + b"\x00" + b"\x00"
    with pytest.raises(BitstreamError, match="not the code"):
        decode_symbols(table + b"\xff" * 8, 4)


@given(st.binary(max_size=60), st.integers(1, 1000))
def test_any_bytes_decode_or_are_refused(data, count):
    with suppress(BitstreamError):
        assert decode_symbols(data, count).shape == (count,)
