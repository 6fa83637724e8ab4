import errno
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tubelet.bitstream import AudioPacket, TubeReader, TubeWriter
from tubelet.errors import BitstreamError, OptionError, OutputError


def packets(start, count):
    return [
        AudioPacket(data=bytes([n]), pts=n, dts=n, duration=1, keyframe=True, side_data=b"")
        for n in range(start, start + count)
    ]


@pytest.fixture
def tube(tmp_path, make_header, make_chunk, audio_header):
    """Three chunks of 2 steps and 8 frames, with audio between them."""
    path = tmp_path / "clip.tube"
    with TubeWriter(path, make_header(audio=audio_header)) as writer:
        for number in range(3):
            writer.write_chunk(make_chunk(number))
            writer.write_audio(packets(5 * number, 5))
    return path


def test_a_file_gives_back_what_was_written_in_any_order(tube, make_chunk):
    with TubeReader(tube) as reader:
        assert (reader.complete, reader.steps, reader.frames, len(reader.chunks)) == (True, 6, 24, 3)
        assert list(reader.audio()) == packets(0, 15)
        for number in (2, 0, 1):
            np.testing.assert_array_equal(reader.read_chunk(number).symbols, make_chunk(number).symbols)
        np.testing.assert_array_equal(reader.read_chunk(1, channels=1).symbols, make_chunk(1).symbols[:1])


def test_every_frame_is_found_in_its_chunk(tmp_path, make_header, make_chunk):
    with TubeWriter(tmp_path / "gaps.tube", make_header()) as writer:
        for number, frames in enumerate([0, 3, 0, 0, 2]):
            times = np.arange(writer.frames, writer.frames + frames)
            chunk = make_chunk(number)
            writer.write_chunk(replace(chunk, first_frame=writer.frames, timestamps=times))
    with TubeReader(tmp_path / "gaps.tube") as reader:
        assert [reader.chunk_of_frame(frame) for frame in range(5)] == [1, 1, 1, 4, 4]
        for frame in (-1, 5):
            with pytest.raises(OptionError, match=f"frame {frame}"):
                reader.chunk_of_frame(frame)


def test_the_timestamps_of_the_clip_need_no_symbols(tube, make_chunk):
    expected = np.concatenate([make_chunk(number).timestamps for number in range(3)])
    with TubeReader(tube) as reader:
        entry = reader.chunks[2]
    data = bytearray(tube.read_bytes())
    data[entry.offset + 13 + entry.length - 1] ^= 0xFF
    tube.write_bytes(data)
    with TubeReader(tube) as reader:
        np.testing.assert_array_equal(reader.timestamps(), expected)


@pytest.mark.parametrize("number", [-1, 3])
def test_a_chunk_that_is_not_there_is_named(tube, number):
    with TubeReader(tube) as reader:
        for read in (reader.read_chunk, reader.head):
            with pytest.raises(OptionError, match=f"chunk {number} .* has 3"):
                read(number)


def test_a_head_says_where_the_bytes_of_its_chunk_went(tube):
    with TubeReader(tube) as reader:
        for entry in reader.chunks:
            (part,) = reader.head(entry.number).parts
            assert (part.coding, len(part.segments)) == (0, 2)
            assert 0 < sum(segment.length for segment in part.segments) < entry.length


def test_reading_a_prefix_touches_none_of_the_later_bytes(tube, make_chunk):
    with TubeReader(tube) as reader:
        entry = reader.chunks[1]
    data = bytearray(tube.read_bytes())
    data[entry.offset + 13 + entry.length - 1] ^= 0xFF  # the last byte of the last channel
    tube.write_bytes(data)
    with TubeReader(tube) as reader:
        np.testing.assert_array_equal(reader.read_chunk(1, channels=1).symbols, make_chunk(1).symbols[:1])
        with pytest.raises(BitstreamError, match=r"clip\.tube: channel 1 of chunk 1"):
            reader.read_chunk(1)


def test_the_counters_are_the_size_of_the_file(tmp_path, make_header, make_chunk, audio_header):
    path = tmp_path / "clip.tube"
    with TubeWriter(path, make_header(audio=audio_header)) as writer:
        writer.write_chunk(make_chunk())
        writer.write_audio(packets(0, 3))
    parts = (writer.bytes_header, writer.bytes_heads, writer.bytes_tables, writer.bytes_payload)
    assert sum(parts) + writer.bytes_audio + writer.bytes_index == path.stat().st_size
    assert min(parts) > 0
    assert 0 < writer.entropy_bits <= 8 * writer.bytes_payload


def test_a_file_without_chunks_is_whole(tmp_path, make_header):
    with TubeWriter(tmp_path / "none.tube", make_header()):
        pass
    with TubeReader(tmp_path / "none.tube") as reader:
        assert (reader.complete, reader.chunks, reader.frames) == (True, (), 0)


def test_an_interrupted_write_leaves_nothing(tmp_path, make_header, make_chunk):
    with pytest.raises(KeyboardInterrupt), TubeWriter(tmp_path / "clip.tube", make_header()) as writer:
        writer.write_chunk(make_chunk())
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_and_is_named(tmp_path, make_header, make_chunk):
    with (
        pytest.raises(OutputError, match="no room"),
        TubeWriter(tmp_path / "clip.tube", make_header()) as writer,
    ):
        writer.write_chunk(make_chunk())
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept_unless_forced(tube, make_header):
    before = tube.read_bytes()
    with pytest.raises(OutputError, match="--force"), TubeWriter(tube, make_header()):
        pass
    assert tube.read_bytes() == before
    with TubeWriter(tube, make_header(), force=True):
        pass
    assert tube.read_bytes() != before


CHANGES = {
    "number": {"number": 2},
    "step": {"first_step": 3},
    "frame": {"first_frame": 7},
    "channels": {"symbols": np.zeros((1, 2, 3, 5), np.int32)},
    "rows": {"symbols": np.zeros((2, 2, 4, 5), np.int32)},
    "time": {"timestamps": np.array([0, 1000], np.int64)},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_chunk_out_of_turn_or_of_another_size_is_refused(tmp_path, make_header, make_chunk, changes):
    with TubeWriter(tmp_path / "clip.tube", make_header()) as writer:
        writer.write_chunk(make_chunk(0))
        with pytest.raises(BitstreamError):
            writer.write_chunk(replace(make_chunk(1), **changes))
        writer.write_chunk(make_chunk(1))
    with TubeReader(tmp_path / "clip.tube") as reader:
        assert len(reader.chunks) == 2


def test_audio_that_was_not_announced_is_refused(tmp_path, make_header):
    with (
        TubeWriter(tmp_path / "clip.tube", make_header()) as writer,
        pytest.raises(BitstreamError, match="no audio"),
    ):
        writer.write_audio(packets(0, 1))


def test_a_path_that_cannot_be_read_is_named(tmp_path):
    for path in (tmp_path / "wrong.tube", tmp_path):
        with pytest.raises(BitstreamError, match=str(path)):
            TubeReader(path)


def test_the_format_needs_no_torch():
    code = "import sys, tubelet.bitstream; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_end_of_the_last_frame_comes_back(tmp_path, make_header, make_chunk):
    for end in (1, 100, 2**62 - 1):  # of one frame at 0, which nothing else ends
        path = tmp_path / f"{end}.tube"
        with TubeWriter(path, make_header()) as writer:
            writer.write_chunk(replace(make_chunk(steps=1), timestamps=np.zeros(1, np.int64)))
            writer.write_end(end)
        with TubeReader(path) as reader:
            assert reader.end == end


def test_without_an_end_the_last_frame_lasts_as_long_as_the_one_before(tmp_path, make_header, make_chunk):
    for times, end in (([], None), ([7], None), ([7, 10], 13), ([-(2**62) + 1, 2**62 - 1], None)):
        path = tmp_path / f"{len(times)}-{end}.tube"
        with TubeWriter(path, make_header()) as writer:
            writer.write_chunk(replace(make_chunk(steps=1), timestamps=np.array(times, np.int64)))
        with TubeReader(path) as reader:
            assert reader.end == end


def test_an_end_that_is_none_is_refused(tmp_path, make_header, make_chunk):
    with TubeWriter(tmp_path / "a.tube", make_header()) as writer:
        with pytest.raises(BitstreamError, match="no frame yet"):
            writer.write_end(5)
        writer.write_chunk(make_chunk())
        for end in (-(10**9), int(make_chunk().timestamps[-1]), 2**62):
            with pytest.raises(BitstreamError, match="it must end later"):
                writer.write_end(end)


def test_frames_are_found_by_their_time(tube, make_chunk):
    times = np.concatenate([make_chunk(number).timestamps for number in range(3)])
    with TubeReader(tube) as reader:
        assert [reader.time_of(frame) for frame in range(24)] == times.tolist()
        for tick in (-(10**9), -50, -49, 751, 2250, 2251, 10**9):
            assert reader.frame_at(tick) == np.searchsorted(times, tick)
        assert [reader.chunk_of_step(step) for step in range(6)] == [0, 0, 1, 1, 2, 2]
        for step in (-1, 6):
            with pytest.raises(OptionError, match=f"step {step}"):
                reader.chunk_of_step(step)
