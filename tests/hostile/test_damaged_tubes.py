"""Whatever happens to a ``.tube`` file, it is noticed and named; what is whole is read right."""

import warnings
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tubelet.bitstream import Codings, TubeReader, bytes_to_chunk, chunk_to_bytes
from tubelet.bitstream.container import MAGIC, TRAILER_BYTES, RecordHead, trailer_to_bytes
from tubelet.bitstream.fields import sealed, signed, u32, unsigned
from tubelet.bitstream.index import RecordEntry, index_to_bytes
from tubelet.errors import BitstreamError, DamageWarning

GOLDEN = (Path(__file__).parent.parent / "golden" / "version1.tube").read_bytes()

PARTS = 8
"""Tests that share the work on every byte of the file, so that each is short."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The golden file, read: its header, its chunk entries, chunks and packets."""
    path = tmp_path_factory.mktemp("whole") / "whole.tube"
    path.write_bytes(GOLDEN)
    with TubeReader(path) as reader:
        chunks = [reader.read_chunk(entry.number) for entry in reader.chunks]
        audio = list(reader.audio())
        return {"entries": reader.chunks, "chunks": chunks, "audio": audio, "header": reader.header}


@pytest.fixture
def attempt(tmp_path, whole):
    """Read damaged bytes in every way; count the right chunks and whether the damage was noticed."""

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
        noticed = bool(caught)
        right = 0
        with reader:
            assert reader.complete != noticed
            for entry in reader.chunks:
                try:
                    chunk = reader.read_chunk(entry.number)
                except BitstreamError:
                    noticed = True
                    continue
                expected = whole["chunks"][entry.number]
                assert np.array_equal(chunk.symbols, expected.symbols)
                assert np.array_equal(chunk.timestamps, expected.timestamps)
                assert (chunk.first_step, chunk.first_frame) == (expected.first_step, expected.first_frame)
                right += 1
            try:
                audio = list(reader.audio())
            except BitstreamError:
                noticed = True
            else:
                assert audio == whole["audio"][: len(audio)]
        return right, noticed

    return read


def flipped(place, bit):
    data = bytearray(GOLDEN)
    data[place] ^= 1 << bit
    return bytes(data)


@pytest.mark.parametrize("first", range(PARTS))
def test_a_file_cut_anywhere_gives_its_whole_chunks_or_a_named_error(attempt, whole, first):
    ends = [entry.offset + RecordHead.SIZE + entry.length for entry in whole["entries"]]
    for length in range(first, len(GOLDEN), PARTS):
        right, noticed = attempt(GOLDEN[:length])
        assert noticed, f"cut after {length} bytes"
        assert right == sum(end <= length for end in ends), f"cut after {length} bytes"


@pytest.mark.parametrize("first", range(PARTS))
def test_a_flipped_bit_in_any_byte_is_noticed_and_gives_no_wrong_symbol(attempt, first):
    for place in range(first, len(GOLDEN), PARTS):
        _, noticed = attempt(flipped(place, place * 3 % 8))
        assert noticed, f"byte {place}"


@pytest.mark.slow
def test_every_flipped_bit_is_noticed_and_gives_no_wrong_symbol(attempt):
    for place in range(8 * len(GOLDEN)):
        _, noticed = attempt(flipped(place // 8, place % 8))
        assert noticed, f"bit {place}"


def test_any_overwritten_stretch_is_noticed(attempt):
    for start in range(0, len(GOLDEN), 31):
        for filling in (b"\0", b"\xff"):
            stretch = filling * len(GOLDEN[start : start + 16])
            if GOLDEN[start : start + 16] != stretch:
                _, noticed = attempt(GOLDEN[:start] + stretch + GOLDEN[start + 16 :])
                assert noticed, f"byte {start}"


def test_a_damaged_end_costs_no_chunk(attempt):
    index_at = int.from_bytes(GOLDEN[-TRAILER_BYTES : -TRAILER_BYTES + 8], "little")
    for place in range(index_at, len(GOLDEN)):
        assert attempt(flipped(place, 6)) == (3, True), f"byte {place}"


def test_what_follows_the_end_is_noticed_and_costs_no_chunk(attempt):
    for rubbish in (b"\0", b"rubbish" * 1000, GOLDEN):
        assert attempt(GOLDEN + rubbish) == (3, True)


def test_a_file_cut_short_says_what_is_left(tmp_path, whole):
    path = tmp_path / "cut.tube"
    path.write_bytes(GOLDEN[: whole["entries"][1].offset + 5])
    message = r"cut\.tube is cut short .*: 1 whole chunk, frames 0 to 4"
    with pytest.warns(DamageWarning, match=message), TubeReader(path) as reader:
        assert (reader.complete, reader.frames, reader.steps) == (False, 5, 2)


NO_TUBES = {
    "empty": (b"", "empty"),
    "one byte": (GOLDEN[:1], "cut short"),
    "text": (b"Not a tube at all.\n", "not a .tube file"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a .tube file"),
    "zeros": (bytes(1000), "not a .tube file"),
    "line ends changed": (GOLDEN.replace(b"\r\n", b"\n"), "transfer as text"),
    "seven bits": (bytes(byte & 0x7F for byte in GOLDEN), "transfer as text"),
    "newer": (MAGIC + b"\x04\x00" + GOLDEN[10:], "format version 4; this program reads up to 3. Upgrade"),
    "version 0": (MAGIC + b"\x00\x00" + GOLDEN[10:], "version 0"),
    "endless header": (GOLDEN[:10] + b"\xff" * 4 + GOLDEN[14:], "4294967295 bytes; at most 16777216"),
    "header beyond the file": (GOLDEN[:10] + u32(10**6) + GOLDEN[14:], "cut short"),
    "header alone": (
        GOLDEN[: 14 + int.from_bytes(GOLDEN[10:14], "little") + 4],
        "before its first whole chunk",
    ),
}


@pytest.mark.parametrize(("data", "message"), NO_TUBES.values(), ids=NO_TUBES)
def test_what_is_no_readable_tube_is_named(tmp_path, data, message):
    path = tmp_path / "wrong.tube"
    path.write_bytes(data)
    with pytest.raises(BitstreamError, match=rf"wrong\.tube: .*{message}"):
        TubeReader(path)


def test_a_large_file_of_nothing_is_refused_without_reading_it(tmp_path):
    path = tmp_path / "sparse.tube"
    with path.open("wb") as file:
        file.write(GOLDEN[:-40])
        file.truncate(1 << 40)
    with pytest.warns(DamageWarning), TubeReader(path) as reader:
        assert len(reader.chunks) == 3


# Files that no writer makes, put together by hand.


@pytest.fixture(scope="module")
def parts(whole):
    """The golden file in pieces: everything before the first record, then the payloads of its chunks."""
    entries = whole["entries"]
    payloads = [GOLDEN[e.offset + RecordHead.SIZE :][: e.length] for e in entries]
    return GOLDEN[: entries[0].offset], payloads


def record(kind, payload, *, length=None):
    return RecordHead(kind=kind, length=len(payload) if length is None else length).to_bytes() + payload


def with_index(start, records, entries):
    body = start + b"".join(records)
    return body + record("I", index_to_bytes(entries)) + trailer_to_bytes(len(body))


def test_chunks_twice_or_out_of_turn_end_what_is_read(attempt, parts):
    start, (first, second, third) = parts
    for payloads, right in [
        ([first, first], 1),
        ([first, third], 1),
        ([first, second, first], 2),
        ([second, first], 0),
    ]:
        assert attempt(start + b"".join(record("V", payload) for payload in payloads)) == (right, True)


def test_an_index_that_lies_gives_no_wrong_chunk(attempt, parts):
    start, payloads = parts
    truth = [
        RecordEntry(kind="V", length=len(payload), steps=steps, frames=frames)
        for payload, steps, frames in zip(payloads, (2, 1, 3), (5, 0, 3), strict=True)
    ]
    records = [record("V", payload) for payload in payloads]
    assert attempt(with_index(start, records, truth)) == (3, False)
    lies = {
        "steps": [replace(truth[0], steps=1), *truth[1:]],
        "frames": [replace(truth[0], frames=4), *truth[1:]],
        "length": [replace(truth[0], length=truth[0].length + 1), *truth[1:]],
        "kind": [RecordEntry(kind="A", length=truth[0].length), *truth[1:]],
        "order": [truth[1], truth[0], truth[2]],
        "one record for two": [replace(truth[0], length=truth[0].length + 13 + truth[1].length), truth[2]],
        "one less": truth[:2],
        "endless": [*truth, RecordEntry(kind="V", length=2**62, steps=1, frames=1)],
    }
    for name, entries in lies.items():
        _, noticed = attempt(with_index(start, records, entries))
        assert noticed, name


def test_a_trailer_that_points_elsewhere_costs_no_chunk(attempt, whole):
    body = GOLDEN[:-TRAILER_BYTES]
    for at in (0, 14, whole["entries"][0].offset, len(body), len(body) + 8, 2**64 - 1):
        assert attempt(body + trailer_to_bytes(at)) == (3, True)


def test_a_record_of_a_small_letter_is_passed_over(attempt, parts):
    start, (first, *_) = parts
    extra = sealed(b"made by a later program")
    records = [record("q", extra), record("V", first)]
    entries = [
        RecordEntry(kind="q", length=len(extra)),
        RecordEntry(kind="V", length=len(first), steps=2, frames=5),
    ]
    assert attempt(with_index(start, records, entries)) == (1, False)
    assert attempt(start + b"".join(records)) == (1, True)


def test_a_record_of_an_unknown_capital_needs_a_newer_program(tmp_path, parts):
    start, (first, *_) = parts
    records = [record("V", first), record("Q", b"")]
    entries = [RecordEntry(kind="V", length=len(first), steps=2, frames=5), RecordEntry(kind="Q", length=0)]
    for data in (with_index(start, records, entries), start + b"".join(records)):
        path = tmp_path / "newer.tube"
        path.write_bytes(data)
        with pytest.raises(BitstreamError, match=r"kind Q.*Upgrade"):
            TubeReader(path)


def test_a_record_longer_than_the_file_ends_what_is_read(attempt, parts):
    start, (first, second, _) = parts
    for length in (len(second) + 1, 2**40, 2**64 - 1):
        assert attempt(start + record("V", first) + record("V", second, length=length)) == (1, True)


def test_audio_that_is_damaged_behind_its_checksum_is_named(attempt, parts):
    start, (first, *_) = parts
    for body in (
        unsigned(2**40),
        unsigned(1),
        unsigned(1) + bytes(4) + unsigned(2**62),
        unsigned(1) + bytes(3) + b"\x02\x00\x00",
        unsigned(1) + unsigned(2**63 - 1) * 2 + bytes(4),
        unsigned(0) + b"\x00",
    ):
        payload = sealed(body)
        entries = [
            RecordEntry(kind="V", length=len(first), steps=2, frames=5),
            RecordEntry(kind="A", length=len(payload)),
        ]
        data = with_index(start, [record("V", first), record("A", payload)], entries)
        assert attempt(data) == (1, True)


RIGHT = zlib.crc32(b"\x01\x00"), zlib.crc32(bytes(4))
"""Checksums of a segment of one symbol alone, and of that symbol, 0."""


def head_with(*, times=(0,), shape=(1, 1, 1, 1), lengths=(2,), crcs=RIGHT):
    """A chunk of one channel that is one symbol alone, 1x1x1x1, as its head says; with changes."""
    gaps = [unsigned(later - time - 1) for time, later in pairwise(times)]
    entries = [unsigned(length) + u32(crcs[0]) + u32(crcs[1]) for length in lengths]
    numbers = map(unsigned, (0, 0, 0, *shape, len(times)))
    body = b"".join([*numbers, signed(times[0]), *gaps, *entries])
    return sealed(u32(len(body)) + body) + b"\x01\x00"


BOMBS = {
    "2^40 symbols": {"shape": (1, 2**20, 2**10, 2**10)},
    "one row too many": {"shape": (1, 1, 2**16 + 1, 1)},
    "one symbol too many": {"shape": (1, 2**27 + 1, 1, 1)},
    "no steps": {"shape": (1, 0, 1, 1)},
    "no channels": {"shape": (0, 1, 1, 1), "lengths": ()},
    "endless channels": {"shape": (2**60, 1, 1, 1)},
    "more channels than entries": {"shape": (2, 1, 1, 1)},
    "fewer channels than entries": {"lengths": (1, 1)},
    "endless segment": {"lengths": (2**62,)},
    "segment too short": {"lengths": (1,)},
    "timestamp too late": {"times": (2**62,)},
    "timestamps that run away": {"times": (0, 2**62 - 1, 2**62)},
    "wrong checksum": {"crcs": (0, 0)},
}


@pytest.mark.parametrize("changes", BOMBS.values(), ids=BOMBS)
def test_a_chunk_that_claims_too_much_is_refused(whole, changes):
    channels, _, rows, columns = changes.get("shape", (1, 1, 1, 1))
    for size in {
        (1, 1, 1),
        (channels, rows, columns),
    }:  # of another size than the header says, or of the same
        try:
            codings = codings_of(whole["header"], *size)
        except BitstreamError:  # no header says this
            continue
        with pytest.raises(BitstreamError):
            bytes_to_chunk(head_with(**changes), codings)


def codings_of(header, channels, rows, columns):
    """Those of a file of this size."""
    part = replace(
        header.only_part, channels=channels, steps=(1,) * min(channels, 5000), rows=rows, columns=columns
    )
    return Codings(replace(header, parts=(part,), height=rows, width=columns))


def test_the_chunk_of_the_bombs_is_right_if_it_is_not_changed(whole):
    chunk = bytes_to_chunk(head_with(), codings_of(whole["header"], 1, 1, 1))
    assert chunk.symbols.tolist() == [[[[0]]]]


def test_a_head_longer_than_its_chunk_is_refused(whole):
    for length in (5, 2**20, 2**20 + 1, 2**32 - 1):
        with pytest.raises(BitstreamError):
            bytes_to_chunk(u32(length) + b"\0\0\0\0", Codings(whole["header"]))


def test_symbols_that_are_not_those_of_their_checksum_are_refused(whole):
    codings = Codings(whole["header"])
    encoded = chunk_to_bytes(whole["chunks"][1], codings)
    head = bytearray(encoded.head[4:-4])
    head[-1] ^= 1  # in the checksum of the last channel's symbols
    data = sealed(u32(len(head)) + bytes(head)) + b"".join(s.to_bytes() for s in encoded.segments)
    with pytest.raises(BitstreamError, match=r"channel 2 of chunk 1 decodes to symbols that do not match"):
        bytes_to_chunk(data, codings)
