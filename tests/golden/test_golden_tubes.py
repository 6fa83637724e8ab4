"""The bytes of format version 1, and a decoder written from its specification alone."""

import hashlib
import json
import runpy
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tubelet.bitstream import Chunk, TubeReader, TubeWriter
from tubelet.bitstream.segment import encode_symbols

HERE = Path(__file__).parent
GOLDEN = HERE / "version1.tube"
maker = runpy.run_path(str(HERE / "make_golden.py"))
reference = runpy.run_path(str(HERE / "reference_decoder.py"))


@pytest.fixture(scope="module")
def facts():
    return json.loads((HERE / "version1.json").read_text())


def test_the_golden_file_is_the_one_that_was_committed(facts):
    assert hashlib.sha256(GOLDEN.read_bytes()).hexdigest() == facts["file"]


def test_the_writer_still_gives_the_golden_bytes(tmp_path):
    maker["write"](tmp_path / "again.tube")
    assert (tmp_path / "again.tube").read_bytes() == GOLDEN.read_bytes()


def test_the_reader_still_gives_the_golden_content():
    with TubeReader(GOLDEN) as reader:
        assert reader.complete
        assert reader.header == maker["header"]()
        assert tuple(reader.audio()) == tuple(maker["packets"]())
        for expected in maker["chunks"]():
            chunk = reader.read_chunk(expected.number)
            assert (chunk.first_step, chunk.first_frame) == (expected.first_step, expected.first_frame)
            np.testing.assert_array_equal(chunk.timestamps, expected.timestamps)
            np.testing.assert_array_equal(chunk.symbols, expected.symbols)


def test_the_specification_decodes_the_golden_file(facts):
    found = reference["decode"](GOLDEN.read_bytes())
    assert reference["digest"](found["chunks"]) == facts["symbols"] == maker["digest"]()
    assert found["header"] == json.loads(maker["header"]().to_bytes())
    for packet, expected in zip(found["audio"], maker["packets"](), strict=True):
        times = (expected.pts, expected.dts, expected.duration, expected.keyframe)
        assert (packet["pts"], packet["dts"], packet["duration"], packet["key"]) == times
        assert (packet["side"], packet["data"]) == (expected.side_data, expected.data)


LAST = 2**40 + 1
"""When the last frame of the golden file is shown; the one before it is shown a tick earlier."""


def write_with_end(target, end):
    """The golden file with an end."""
    sounds = list(maker["packets"]())
    with TubeWriter(target, maker["header"]()) as writer:
        for chunk in maker["chunks"]():
            writer.write_chunk(chunk)
            writer.write_audio(sounds[2 * chunk.number : 2 * chunk.number + 2])
        writer.write_end(end)


def test_an_end_that_a_reader_assumes_is_not_written(tmp_path):
    write_with_end(tmp_path / "again.tube", LAST + 1)
    assert (tmp_path / "again.tube").read_bytes() == GOLDEN.read_bytes()
    with TubeReader(GOLDEN) as reader:
        assert reader.end == LAST + 1 == reference["decode"](GOLDEN.read_bytes())["end"]


def test_an_end_is_a_record_that_readers_of_before_pass_over(tmp_path):
    target = tmp_path / "long.tube"
    write_with_end(target, LAST + 6)
    golden, data = GOLDEN.read_bytes(), target.read_bytes()
    index_at = int.from_bytes(golden[-20:-12], "little")
    assert data[:index_at] == golden[:index_at]
    # kind, length, checksum of both, the number 2^40 + 7 as zigzag LEB128, its checksum
    number = bytes.fromhex("8e 80 80 80 80 40")
    head = b"e" + (len(number) + 4).to_bytes(8, "little")
    record = head + zlib.crc32(head).to_bytes(4, "little") + number + zlib.crc32(number).to_bytes(4, "little")
    assert data[index_at : index_at + len(record)] == record
    with TubeReader(target) as reader:
        assert (reader.complete, reader.end) == (True, LAST + 6)
        assert len(reader.chunks) == 3


magnitudes = st.sampled_from([1, 3, 40, 2**23 - 1])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_specification_decodes_any_file_that_the_writer_makes(tmp_path_factory, data):
    target = tmp_path_factory.mktemp("tubes") / "any.tube"
    header = maker["header"]()
    chunks = []
    with TubeWriter(target, header) as writer:
        for number in range(data.draw(st.integers(0, 3))):
            shape = (3, data.draw(st.integers(1, 3)), 3, 5)
            size = int(np.prod(shape))
            most = data.draw(magnitudes)
            values = data.draw(st.lists(st.integers(-most, most), min_size=size, max_size=size))
            gaps = data.draw(st.lists(st.integers(1, 2**40), max_size=5))
            start = (
                int(chunks[-1].timestamps[-1])
                if chunks and chunks[-1].timestamps.size
                else writer.frames << 41
            )
            chunk = Chunk(
                number=number,
                first_step=writer.steps,
                first_frame=writer.frames,
                timestamps=start + np.cumsum(gaps, dtype=np.int64),
                symbols=np.array(values, np.int32).reshape(shape),
            )
            writer.write_chunk(chunk)
            chunks.append(chunk)
        times = [time for chunk in chunks for time in chunk.timestamps.tolist()]
        end = times[-1] + data.draw(st.integers(1, 2**41)) if times else None
        if end is not None and (len(times) == 1 or data.draw(st.booleans())):
            writer.write_end(end)
        elif end is not None:
            end = 2 * times[-1] - times[-2]
    found = reference["decode"](target.read_bytes())
    with TubeReader(target) as reader:
        assert reader.end == found["end"] == end
    for got, chunk in zip(found["chunks"], chunks, strict=True):
        assert got["channels"] == chunk.symbols.reshape(3, -1).tolist()
        assert got["timestamps"] == chunk.timestamps.tolist()


def obvious_range_encoder(symbols):
    """The encoder of the specification, with a number as long as it takes instead of carries."""
    different = sorted(set(symbols))
    counts = [symbols.count(symbol) for symbol in different]
    frequencies = [1 + count * (2**24 - len(different)) // len(symbols) for count in counts]
    frequencies[counts.index(max(counts))] += 2**24 - sum(frequencies)
    low, width, words = 0, 2**64 - 1, 1
    for symbol in symbols:
        i = different.index(symbol)
        scale = width >> 24
        low, width = low + scale * sum(frequencies[:i]), scale * frequencies[i]
        if width < 2**32:
            low, width, words = low << 32, width << 32, words + 1
    point = low + 2**32 - 1 >> 32
    out = [point >> 32 * place & 0xFFFFFFFF for place in reversed(range(words))]
    out += [0] if low + width >> 32 == point else []
    return b"".join(word.to_bytes(4, "little") for word in out)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(-3, 9), min_size=2, max_size=300).filter(lambda values: len(set(values)) > 1))
def test_the_specified_encoder_gives_the_same_bytes(values):
    assert encode_symbols(np.array(values, np.int32)).payload == obvious_range_encoder(values)


def test_the_specified_encoder_agrees_where_carries_run_far():
    values = [0] * 4 + [1] * 40_000 + [0]  # the interval hugs the top of the range for many words
    assert encode_symbols(np.array(values, np.int32)).payload == obvious_range_encoder(values)
