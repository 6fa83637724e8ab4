"""Whatever happens to a ``.tube`` file of tokens, it is noticed and named; what is whole is read right."""

import warnings
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tubelet.bitstream import Codings, PartHeader, TubeReader, bytes_to_chunk, chunk_to_bytes
from tubelet.bitstream.chunk_head import ChunkHead, PartEntry, SegmentEntry
from tubelet.bitstream.container import MAGIC, RecordHead
from tubelet.bitstream.fields import sealed, u32
from tubelet.bitstream.segment import UNIFORM, encode_symbols
from tubelet.errors import BitstreamError, DamageWarning

GOLDEN = (Path(__file__).parent.parent / "golden" / "version2.tube").read_bytes()

PARTS = 8
"""Tests that share the work on every byte of the file, so that each is short."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The golden file, read: its chunk entries, chunks and header."""
    path = tmp_path_factory.mktemp("whole") / "whole.tube"
    path.write_bytes(GOLDEN)
    with TubeReader(path) as reader:
        return reader.chunks, [reader.read_chunk(entry.number) for entry in reader.chunks], reader.header


@pytest.fixture
def attempt(tmp_path, whole):
    """Read damaged bytes; count the right chunks and whether the damage was noticed."""

    def read(data):
        path = tmp_path / "damaged.tube"
        path.write_bytes(data)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                reader = TubeReader(path)
            except BitstreamError:
                return 0, True
        assert all(warning.category is DamageWarning for warning in caught)
        noticed, right = bool(caught), 0
        with reader:
            for entry in reader.chunks:
                try:
                    chunk = reader.read_chunk(entry.number)
                except BitstreamError:
                    noticed = True
                    continue
                assert np.array_equal(chunk.symbols, whole[1][entry.number].symbols)
                right += 1
            try:
                list(reader.audio())
            except BitstreamError:
                noticed = True
        return right, noticed

    return read


@pytest.mark.parametrize("first", range(PARTS))
def test_a_flipped_bit_in_any_byte_is_noticed_and_gives_no_wrong_token(attempt, first):
    for place in range(first, len(GOLDEN), PARTS):
        data = bytearray(GOLDEN)
        data[place] ^= 1 << place * 3 % 8
        _, noticed = attempt(bytes(data))
        assert noticed, f"byte {place}"


@pytest.mark.parametrize("first", range(PARTS))
def test_a_file_cut_anywhere_gives_its_whole_chunks_or_a_named_error(attempt, whole, first):
    ends = [entry.offset + RecordHead.SIZE + entry.length for entry in whole[0]]
    for length in range(3 * first, len(GOLDEN), 3 * PARTS):
        right, noticed = attempt(GOLDEN[:length])
        assert (right, noticed) == (sum(end <= length for end in ends), True), f"cut after {length} bytes"


@pytest.mark.parametrize("version", [1, 3])
def test_a_file_of_tokens_is_of_no_other_version(tmp_path, version):
    """Sealed again, so that only the version is wrong."""
    length = int.from_bytes(GOLDEN[10:14], "little")
    start = sealed(MAGIC + version.to_bytes(2, "little") + GOLDEN[10 : 14 + length])
    path = tmp_path / "other.tube"
    path.write_bytes(start + GOLDEN[len(start) :])
    with pytest.raises(BitstreamError, match=r"lacks steps" if version == 1 else r"lacks content"):
        TubeReader(path)


@pytest.fixture
def codings(whole):
    """Those of a file whose positions have one digit of a base."""

    def make(base, columns):
        only = PartHeader(
            name="tokens", channels=1, stride=(4, 8, 8), rows=1, columns=columns, bases=((base,),)
        )
        return Codings(replace(whole[2], parts=(only,), height=8, width=8 * columns))

    return make


def chunk_of(segment, symbols, header):
    """A chunk of one channel of so many symbols, with the checksums that belong to this segment."""
    entry = SegmentEntry(
        length=len(segment), crc_bytes=zlib.crc32(segment), crc_symbols=zlib.crc32(symbols.astype("<i4"))
    )
    head = ChunkHead(
        number=0,
        first_step=0,
        first_frame=0,
        steps=1,
        timestamps=(),
        parts=(PartEntry(coding=0, segments=(entry,)),),
    )
    return head.to_bytes(header) + segment


def test_a_digit_outside_its_base_is_refused_whatever_the_checksums_say(codings):
    symbols = np.array([0, 7, 8], np.int32)
    data = chunk_of(encode_symbols(symbols).to_bytes(), symbols, codings(9, 3).header)
    np.testing.assert_array_equal(bytes_to_chunk(data, codings(9, 3)).symbols.ravel(), symbols)
    with pytest.raises(BitstreamError, match="a digit is 8, outside its base of 8"):
        bytes_to_chunk(data, codings(8, 3))


def test_words_without_a_table_give_digits_of_the_base_or_are_refused(codings):
    random = np.random.default_rng(0)
    for base in (2, 3, 64_000, 1 << 22):
        for _ in range(50):
            segment = UNIFORM + random.bytes(4 * int(random.integers(0, 9)))
            try:
                zeros = np.zeros(20, np.int32)
                bytes_to_chunk(chunk_of(segment, zeros, codings(base, 20).header), codings(base, 20))
            except BitstreamError as error:
                assert "not the code of any symbols" in str(error) or "do not match" in str(error)


def test_a_head_that_claims_other_digits_is_refused(whole):
    codings = Codings(whole[2])
    encoded = chunk_to_bytes(whole[1][0], codings)
    head = bytearray(encoded.head[4:-4])
    head[3] += 1  # channels
    with pytest.raises(BitstreamError):
        bytes_to_chunk(
            sealed(u32(len(head)) + bytes(head)) + encoded.to_bytes()[len(encoded.head) :], codings
        )
