"""What format version 2 adds: a header with bases, digits that stay inside them, segments without a table."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tubelet.bitstream import (
    Codings,
    Header,
    TubeReader,
    TubeWriter,
    bytes_to_chunk,
    chunk_to_bytes,
    limits,
)
from tubelet.bitstream.segment import UNIFORM, decode_symbols, encode_symbols
from tubelet.errors import BitstreamError

some_bases = st.lists(st.lists(st.integers(2, limits.BASE), min_size=1, max_size=4), min_size=1, max_size=4)


@pytest.fixture
def make_token_header(make_header):
    def make(bases=((8, 5), (3,)), **changes):
        digits = sum(map(len, bases))
        return make_header(**({"channels": digits, "steps": (), "bases": bases} | changes))

    return make


@given(some_bases)
def test_bases_survive_in_a_header_of_version_2(make_header, bases):
    bases = tuple(map(tuple, bases))
    header = make_header(channels=sum(map(len, bases)), steps=(), bases=bases)
    assert header.version == 2
    assert Header.from_bytes(header.to_bytes(), version=2) == header


def test_a_header_of_a_latent_stays_what_it_was(make_header):
    assert make_header().version == 1
    assert "bases" not in json.loads(make_header().to_bytes())


def test_tokens_of_more_values_than_any_integer_are_allowed(make_token_header):
    assert make_token_header(bases=((2,) * 100,)).only_part.digit_bases == (2,) * 100


WRONG = {
    "steps too": {"steps": (1, 1, 1)},
    "a token of no digits": {"bases": ((8, 5, 3), ())},
    "too few digits": {"channels": 4},
    "too many digits": {"channels": 2},
    "a digit of one value": {"bases": ((8, 5), (1,))},
    "a digit of no value": {"bases": ((8, 5), (0,))},
    "a digit of too many values": {"bases": ((8, 5), (limits.BASE + 1,))},
    "no tokens": {"bases": ()},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_bases_outside_the_rules_cannot_be_made(make_token_header, changes):
    with pytest.raises(BitstreamError):
        make_token_header(**{"channels": 3, **changes})


@pytest.mark.parametrize(
    "bases", [[], {}, 8, [8, 5, 3], [[8, 5], []], [[8, 5], ["3"]], [[8, 5], [[3]]], None]
)
def test_bases_of_the_wrong_kind_are_refused(make_token_header, bases):
    facts = json.loads(make_token_header().to_bytes()) | {"bases": bases}
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    with pytest.raises(BitstreamError):
        Header.from_bytes(text, version=2)


def test_each_version_holds_its_own_fact_alone(make_header, make_token_header):
    with pytest.raises(BitstreamError, match=r"lacks bases"):
        Header.from_bytes(make_header().to_bytes(), version=2)
    with pytest.raises(BitstreamError, match=r"lacks steps"):
        Header.from_bytes(make_token_header().to_bytes(), version=1)


def digits(base, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, base, shape, dtype=np.int32)


@given(st.sampled_from([2, 3, 8, 1000, 1 << 14, limits.BASE]), st.integers(1, 400))
def test_any_digits_survive(base, size):
    values = digits(base, size, seed=size)
    data = encode_symbols(values, base).to_bytes()
    np.testing.assert_array_equal(decode_symbols(data, size, base), values)


@pytest.mark.parametrize("values", [[0, 8], [8], [-1, 3], [2**23 - 1]], ids=str)
def test_a_digit_outside_its_base_is_refused_when_written_and_when_read(values):
    array = np.array(values, np.int32)
    with pytest.raises(BitstreamError, match=r"its base is 8"):
        encode_symbols(array, 8)
    with pytest.raises(BitstreamError, match=r"outside its base of 8"):
        decode_symbols(encode_symbols(array).to_bytes(), len(values), 8)


def test_no_segment_is_longer_than_without_a_table():
    for base, size in ((2, 1), (5, 10), (8, 1000), (1 << 14, 9216), (1 << 18, 50)):
        segment = encode_symbols(digits(base, size), base)
        nominal = size * np.log2(base) / 8
        assert len(segment.to_bytes()) <= 1.001 * nominal + 9, (base, size)


def test_the_shorter_form_is_chosen():
    even = digits(1 << 14, 9216)
    assert encode_symbols(even, 1 << 14).table == UNIFORM
    few = even % 4
    assert encode_symbols(few, 1 << 14).table != UNIFORM
    for values in (even, few):
        lengths = [len(encode_symbols(values, base).to_bytes()) for base in (1 << 14, None)]
        assert lengths[0] <= lengths[1]


BROKEN = {
    "nothing": b"",
    "half a word": UNIFORM + bytes(3),
    "no code": UNIFORM + b"\xff" * 8,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_segment_without_a_table_is_refused(data):
    with pytest.raises(BitstreamError):
        decode_symbols(data, 4, 3)


def test_a_latent_has_no_segment_without_a_table():
    data = encode_symbols(digits(1 << 14, 500), 1 << 14).to_bytes()
    with pytest.raises(BitstreamError, match="different symbols is 0"):
        decode_symbols(data, 500)


def test_a_chunk_of_digits_survives_and_needs_its_bases(make_chunk, make_token_header):
    bases = (1 << 14, 3)
    symbols = np.stack([digits(base, 2, 3, 5) for base in bases])
    chunk = replace(make_chunk(), symbols=symbols)
    codings = Codings(make_token_header(bases=(bases,)))
    data = chunk_to_bytes(chunk, codings).to_bytes()
    np.testing.assert_array_equal(bytes_to_chunk(data, codings).symbols, symbols)
    with pytest.raises(BitstreamError):
        bytes_to_chunk(data, Codings(make_token_header(bases=((2, 3),))))


def write(path, header, chunks):
    with TubeWriter(path, header) as writer:
        for chunk in chunks:
            writer.write_chunk(chunk)
    return writer


def test_a_file_of_tokens_says_version_2_and_comes_back(tmp_path, make_token_header, make_chunk):
    chunk = replace(make_chunk(), symbols=np.stack([digits(base, 2, 3, 5) for base in (8, 5, 3)]))
    path = tmp_path / "tokens.tube"
    write(path, make_token_header(), [chunk])
    assert path.read_bytes()[8:10] == b"\x02\x00"
    with TubeReader(path) as reader:
        assert reader.header == make_token_header()
        np.testing.assert_array_equal(reader.read_chunk(0).symbols, chunk.symbols)


def test_a_digit_outside_its_base_is_written_into_no_file(tmp_path, make_token_header, make_chunk):
    chunk = replace(make_chunk(), symbols=np.full((3, 2, 3, 5), 4, np.int32))
    with pytest.raises(BitstreamError, match=r"a digit is 4; its base is 3"):
        write(tmp_path / "tokens.tube", make_token_header(), [chunk])
    assert not list(tmp_path.iterdir())


def test_a_file_of_fifty_thousand_positions_is_within_three_per_cent_of_the_entropy(
    tmp_path, make_token_header, make_chunk
):
    """49 steps of 32x32: 193 frames of 256x256, of a tokenizer of levels 8, 8, 8, 5, 5, 5."""
    bases = (8, 8, 8, 5, 5, 5)
    generator = np.random.default_rng(0)
    header = make_token_header(bases=(bases,), rows=32, columns=32, height=256, width=256)
    chunks = []
    for number, steps in enumerate((32, 17)):
        bell = generator.normal(0, 0.8, (6, steps, 32, 32)) * np.array(bases)[:, None, None, None] / 4
        middle = (np.array(bases)[:, None, None, None] - 1) / 2
        digits = np.rint(bell + middle).clip(0, 2 * middle).astype(np.int32)
        chunk = make_chunk(number, steps=32)
        chunks.append(replace(chunk, symbols=digits, timestamps=chunk.timestamps[: 4 * steps]))
    path = tmp_path / "tokens.tube"
    writer = write(path, header, chunks)
    assert 1 < path.stat().st_size / (writer.entropy_bits / 8) < 1.03
