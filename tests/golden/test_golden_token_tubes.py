"""The bytes of format version 2, and what the specification says of tokens."""

import hashlib
import json
import runpy
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tubelet.bitstream import TubeReader
from tubelet.bitstream.segment import decode_symbols, encode_symbols

HERE = Path(__file__).parent
GOLDEN = HERE / "version2.tube"
maker = runpy.run_path(str(HERE / "make_golden.py"))
reference = runpy.run_path(str(HERE / "reference_decoder.py"))


@pytest.fixture(scope="module")
def facts():
    return json.loads((HERE / "version2.json").read_text())


def test_the_golden_file_is_the_one_that_was_committed(facts):
    assert hashlib.sha256(GOLDEN.read_bytes()).hexdigest() == facts["file"]


def test_the_writer_still_gives_the_golden_bytes(tmp_path):
    maker["write_tokens"](tmp_path / "again.tube")
    assert (tmp_path / "again.tube").read_bytes() == GOLDEN.read_bytes()


def test_the_reader_still_gives_the_golden_content():
    with TubeReader(GOLDEN) as reader:
        assert reader.complete
        assert reader.header == maker["token_header"]()
        assert tuple(reader.audio()) == tuple(maker["packets"]())
        for expected in maker["token_chunks"]():
            chunk = reader.read_chunk(expected.number)
            np.testing.assert_array_equal(chunk.timestamps, expected.timestamps)
            np.testing.assert_array_equal(chunk.symbols, expected.symbols)


def test_the_specification_decodes_the_golden_file(facts):
    found = reference["decode"](GOLDEN.read_bytes())
    expected = maker["digest_of"](maker["token_chunks"]())
    assert reference["digest"](found["chunks"]) == facts["symbols"] == expected
    assert found["header"] == json.loads(maker["token_header"]().to_bytes())


def test_the_golden_file_holds_segments_of_both_forms():
    bases = list(chain.from_iterable(maker["BASES"]))
    forms = {
        encode_symbols(digits.ravel(), base).table == b"\0"
        for chunk in maker["token_chunks"]()
        for digits, base in zip(chunk.symbols, bases, strict=True)
    }
    assert forms == {True, False}


@st.composite
def some_digits(draw):
    base = draw(st.sampled_from([2, 3, 8, 63, 64_000]))
    most = draw(st.sampled_from([1, 2, base]))
    digits = draw(st.lists(st.integers(0, min(most, base) - 1), min_size=1, max_size=120))
    return base, digits


@settings(max_examples=60)
@given(some_digits())
def test_the_specification_decodes_any_digits(drawn):
    base, digits = drawn
    data = encode_symbols(np.array(digits, np.int32), base).to_bytes()
    assert list(reference["segment"](data, len(digits), base)) == digits
    np.testing.assert_array_equal(decode_symbols(data, len(digits), base), digits)
