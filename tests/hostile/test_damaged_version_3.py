"""Whatever happens to a file of parts, counts or a prior, it is noticed; what is whole is read right."""

import warnings
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy_model import NumpyModel, model_for
from toy_model import NAME, SHA256
from tube_mutations import Whole, assembled

from tubelet.bitstream import (
    Codings,
    Header,
    PartHeader,
    PriorHeader,
    TubeReader,
    bytes_to_chunk,
    chunk_to_bytes,
)
from tubelet.bitstream.chunk_head import ChunkHead, PartEntry, SegmentEntry
from tubelet.bitstream.coding import MODEL
from tubelet.bitstream.container import MAGIC, RecordHead
from tubelet.bitstream.fields import sealed, u32, unsigned
from tubelet.errors import BitstreamError, DamageWarning

FOLDER = Path(__file__).parent.parent / "golden"
GOLDEN = {name: (FOLDER / f"version{name}.tube").read_bytes() for name in ("3", "3-prior", "3-tokens")}

APART = 17
"""How far apart the damaged bytes are, in the tests that do not take their time."""

every_file = pytest.mark.parametrize("name", GOLDEN)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The golden files, read: their headers, chunk entries and chunks."""
    found = {}
    for name, data in GOLDEN.items():
        path = tmp_path_factory.mktemp("whole") / "whole.tube"
        path.write_bytes(data)
        with TubeReader(path, model_for) as reader:
            chunks = [reader.read_chunk(entry.number) for entry in reader.chunks]
            found[name] = {"header": reader.header, "entries": reader.chunks, "chunks": chunks}
    return found


@pytest.fixture
def attempt(tmp_path, whole):
    """Read damaged bytes; count the right chunks and whether the damage was noticed."""

    def read(name, data):
        path = tmp_path / "damaged.tube"
        path.write_bytes(data)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                reader = TubeReader(path, model_for)
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
                expected = whole[name]["chunks"][entry.number]
                assert np.array_equal(chunk.timestamps, expected.timestamps)
                for found, one in zip(chunk.parts, expected.parts, strict=True):
                    assert np.array_equal(found.symbols, one.symbols)
                    np.testing.assert_equal(found.counts, one.counts)
                right += 1
            for work in (lambda: list(reader.audio()), lambda: reader.end):
                try:
                    work()
                except BitstreamError:
                    noticed = True
        return right, noticed

    return read


def flip_a_bit(attempt, name, places):
    for place in places:
        data = bytearray(GOLDEN[name])
        data[place] ^= 1 << place * 3 % 8
        _, noticed = attempt(name, bytes(data))
        assert noticed, f"byte {place}"


@every_file
def test_a_flipped_bit_is_noticed_and_gives_no_wrong_symbol(attempt, name):
    flip_a_bit(attempt, name, range(0, len(GOLDEN[name]), APART))


@every_file
@pytest.mark.slow
def test_a_flipped_bit_in_any_byte_is_noticed_and_gives_no_wrong_symbol(attempt, name):
    flip_a_bit(attempt, name, range(len(GOLDEN[name])))


@every_file
def test_a_file_cut_anywhere_gives_its_whole_chunks_or_a_named_error(attempt, whole, name):
    ends = [entry.offset + RecordHead.SIZE + entry.length for entry in whole[name]["entries"]]
    for length in range(1, len(GOLDEN[name]), APART):
        right, noticed = attempt(name, GOLDEN[name][:length])
        assert (right, noticed) == (sum(end <= length for end in ends), True), f"cut after {length} bytes"


@every_file
@pytest.mark.parametrize("version", [1, 2, 4])
def test_a_file_of_version_3_is_of_no_other_version(tmp_path, name, version):
    """Sealed again, so that only the version is wrong."""
    data = GOLDEN[name]
    length = int.from_bytes(data[10:14], "little")
    start = sealed(MAGIC + version.to_bytes(2, "little") + data[10 : 14 + length])
    path = tmp_path / "other.tube"
    path.write_bytes(start + data[len(start) :])
    with pytest.raises(BitstreamError, match="Upgrade" if version == 4 else "lacks|up to 4 deep"):
        TubeReader(path)


# Chunks that no writer makes, put together by hand.


def header_of(*, channels=2, rows=1, columns=1, counts=(), prior=True, bases=()):
    facts = {"bases": (bases,)} if bases else {"steps": (1,) * channels}
    part = PartHeader(
        name="p", channels=channels, stride=(4, 8, 8), rows=rows, columns=columns, counts=counts, **facts
    )
    return Header(
        version=3,
        content="tokens" if bases else "latent",
        tokenizer="made by hand",
        tokenizer_sha256="0" * 64,
        stride=(4, 8, 8),
        lead_frame=True,
        parts=(part,),
        height=8 * rows,
        width=8 * columns,
        time_base=(1, 25),
        sample_aspect=(1, 1),
        colour={},
        source={},
        audio=None,
        prior=PriorHeader(name=NAME, sha256=SHA256) if prior else None,
    )


ZERO = b"\x01\x00"
"""A segment of one symbol alone, 0."""


def head_with(*, steps=1, coding=0, segments=2, entries=2, length=2):
    """A chunk of one part of 2 channels, 1x1x1, each one symbol alone; with changes of what its head says."""
    entry = unsigned(length) + u32(zlib.crc32(ZERO)) + u32(zlib.crc32(bytes(4)))
    numbers = map(unsigned, (0, 0, 0, steps, 0, coding, segments))
    body = b"".join(numbers) + entry * entries
    return sealed(u32(len(body)) + body) + ZERO * entries


def test_the_chunk_made_by_hand_is_right_if_it_is_not_changed():
    chunk = bytes_to_chunk(head_with(), Codings(header_of(), model_for))
    assert chunk.symbols.tolist() == [[[[0]]], [[[0]]]]


CLAIMS = {
    "no step": {"steps": 0},
    "too many steps": {"steps": 2**26 + 1},
    "endless steps": {"steps": 2**62},
    "an unknown coding": {"coding": 2},
    "a segment less": {"segments": 1, "entries": 1},
    "a segment more": {"segments": 3, "entries": 3},
    "endless segments": {"segments": 2**40},
    "fewer entries than segments": {"entries": 1},
    "an endless segment": {"length": 2**62},
    "a segment too long": {"length": 3},
    "no segment of a prior": {"coding": 1, "segments": 0, "entries": 0},
    "fewer segments than the prior makes": {"coding": 1, "segments": 1, "entries": 1},
    "more segments than channels": {"coding": 1, "segments": 3, "entries": 3},
    "segments of the other coding": {"coding": 1},
}


@pytest.mark.parametrize("changes", CLAIMS.values(), ids=CLAIMS)
def test_a_chunk_that_claims_what_cannot_be_is_refused(changes):
    with pytest.raises(BitstreamError):
        bytes_to_chunk(head_with(**changes), Codings(header_of(), model_for))


def test_a_prior_that_the_header_does_not_name_is_refused():
    with pytest.raises(BitstreamError, match="a coding is 1, outside 0 to 0"):
        bytes_to_chunk(head_with(coding=1), Codings(header_of(prior=False), model_for))


def chunk_with(header, segments, contents):
    """A chunk of one step whose part is coded with the prior, in segments whose checksums are right."""
    entries = tuple(
        SegmentEntry(
            length=len(segment),
            crc_bytes=zlib.crc32(segment),
            crc_symbols=zlib.crc32(np.array(content, "<i4").tobytes()),
        )
        for segment, content in zip(segments, contents, strict=True)
    )
    part = PartEntry(coding=MODEL, segments=entries)
    head = ChunkHead(number=0, first_step=0, first_frame=0, steps=1, timestamps=(), parts=(part,))
    return head.to_bytes(header) + b"".join(segments)


def test_a_segment_of_no_symbols_has_no_bytes():
    header = header_of(counts=(0, 2))
    codings = Codings(header, model_for)
    nothing = chunk_with(header, [b"\x00", b"", b""], [[0], [], []])
    assert bytes_to_chunk(nothing, codings).symbols.tolist() == [[[[0]]], [[[0]]]]
    for segments in ([b"\x00", b"\x00", b""], [b"\x00", b"", bytes(5)]):
        with pytest.raises(BitstreamError, match="no symbols has"):
            bytes_to_chunk(chunk_with(header, segments, [[0], [], []]), codings)


def test_symbols_of_a_prior_that_are_not_those_of_their_checksum_are_refused():
    header = header_of()
    codings = Codings(header, model_for)
    symbols = np.array([3, -900], np.int32).reshape(2, 1, 1, 1)
    coding = codings.of(header.parts[0], MODEL)
    segments = [coding.encode(number, symbols, None).to_bytes() for number in (0, 1)]
    right = chunk_with(header, segments, [[3], [-900]])
    np.testing.assert_array_equal(bytes_to_chunk(right, codings).symbols, symbols)
    with pytest.raises(BitstreamError, match=r"channel 1 .* decodes to symbols that do not match"):
        bytes_to_chunk(chunk_with(header, segments, [[3], [-901]]), codings)


def test_a_model_for_other_channels_is_named_when_the_chunk_is_read():
    header = header_of()
    for given in (NumpyModel(1), NumpyModel(3)):
        with pytest.raises(BitstreamError, match="groups of channels"):
            bytes_to_chunk(head_with(coding=1), Codings(header, lambda _header, _part, given=given: given))


def test_random_words_give_digits_of_their_bases_or_are_refused():
    header = header_of(bases=(3, 7), rows=2, columns=3)
    codings = Codings(header, model_for)
    random = np.random.default_rng(0)
    for _ in range(200):
        segments = [b"\x00" + random.bytes(4 * int(random.integers(0, 4))) for _ in range(2)]
        with pytest.raises(BitstreamError, match=r"not the code of any symbols|do not match"):
            bytes_to_chunk(chunk_with(header, segments, [[9], [9]]), codings)


def test_damage_beyond_a_prefix_is_not_met(whole):
    header, chunk = whole["3-prior"]["header"], whole["3-prior"]["chunks"][1]
    codings = Codings(header, model_for)
    encoded = chunk_to_bytes(chunk, codings)
    broken = encoded.to_bytes()[: -len(encoded.segments[-1])] + bytes(len(encoded.segments[-1]))
    np.testing.assert_array_equal(bytes_to_chunk(broken, codings, channels=1).symbols, chunk.symbols[:1])
    with pytest.raises(BitstreamError, match="channels 1 to 3 of chunk 1 does not match"):
        bytes_to_chunk(broken, codings, channels=2)


def test_audio_that_the_header_does_not_know_of_is_refused(tmp_path):
    """The end of another file behind this one: found by `experiments/mutations.py`."""
    whole = Whole.read(FOLDER / "version3.tube", model_for)
    with TubeReader(FOLDER / "version3.tube") as reader:
        silent = replace(reader.header, audio=None).to_bytes()
    path = tmp_path / "silent.tube"
    path.write_bytes(assembled(3, silent, whole.records))
    with TubeReader(path) as reader:
        assert reader.read_chunk(0).parts
        with pytest.raises(BitstreamError, match=r"silent.*begins audio, and the header knows of none"):
            list(reader.audio())
