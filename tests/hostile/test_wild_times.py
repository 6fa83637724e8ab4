"""Times that a ``.tube`` file may hold and a film may not: the film is right, or refused by name."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from tubelet.bitstream import Chunk, TubeReader, TubeWriter
from tubelet.codec.decode import decode_file
from tubelet.codec.encode import encode_file
from tubelet.errors import TubeletError

MOST = 2**62 - 1

TIMES = {
    "an end far away": ([0], MOST, (1, 25)),
    "an end as far as may be": ([0], MOST, (2**31 - 1, 1)),
    "short ticks": ([0], MOST, (1, 2**31 - 1)),
    "from one end to the other": ([-MOST, MOST], None, (1, 25)),
    "the last ticks": ([MOST - 2, MOST - 1], MOST, (1, 1)),
    "a leap": ([0, 10**12, 10**12 + 1], 10**15, (1, 1000)),
    "long ticks": ([0, 2**31, 2**33], 2**40, (1, 1)),
    "odd ticks": ([0, 1, 2], 3, (2**31 - 1, 2**31 - 2)),
}


@pytest.fixture
def tube(tmp_path, video_file, small_folder):
    """Writes the file of a clip again, with other times and other packets."""

    def make(times, end, time_base, *, sound=None, change=lambda packet: packet):
        source, target = tmp_path / "source.tube", tmp_path / "wild.tube"
        clip = video_file(frames=len(times), sound=sound)
        encode_file(clip, source, tokenizer=small_folder, force=True)
        with TubeReader(source) as reader:
            chunk = reader.read_chunk(0)
            header = replace(reader.header, time_base=time_base)
            packets = [change(packet) for packet in reader.audio()]
        with TubeWriter(target, header, force=True) as writer:
            stamps = np.array(times, np.int64)
            writer.write_chunk(
                Chunk(number=0, first_step=0, first_frame=0, timestamps=stamps, symbols=chunk.symbols)
            )
            if packets:
                writer.write_audio(packets)
            if end is not None:
                writer.write_end(end)
        return target

    return make


def decoded_or_refused(source, target, folder):
    try:
        decode_file(source, target, tokenizer=folder, force=True)
    except TubeletError as error:
        assert str(target) in str(error)
        assert not target.exists()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize(("times", "end", "time_base"), TIMES.values(), ids=TIMES)
def test_times_that_no_film_holds_are_refused(tmp_path, tube, small_folder, times, end, time_base, suffix):
    decoded_or_refused(tube(times, end, time_base), tmp_path / f"out{suffix}", small_folder)


PACKETS = {
    "late": lambda packet: replace(packet, pts=MOST, dts=MOST),
    "early": lambda packet: replace(packet, pts=-MOST, dts=-MOST),
    "decoded after it is heard": lambda packet: replace(packet, pts=-MOST, dts=MOST),
    "long": lambda packet: replace(packet, duration=MOST),
    "empty": lambda packet: replace(packet, data=b""),
    "of other side data": lambda packet: replace(packet, side_data=b"x" * 1000),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("change", PACKETS.values(), ids=PACKETS)
def test_packets_that_no_film_holds_are_refused(tmp_path, tube, small_folder, sine, change, suffix):
    source = tube([0, 1, 2], 3, (1, 25), sound=sine, change=change)
    decoded_or_refused(source, tmp_path / f"out{suffix}", small_folder)


def test_a_still_of_six_hours_comes_back(tmp_path, tube, small_folder):
    end = 6 * 3600 * 90000
    decode_file(tube([0], end, (1, 90000)), tmp_path / "out.mp4", tokenizer=small_folder)
    with av.open(str(tmp_path / "out.mp4")) as container:
        [packet] = [each for each in container.demux(video=0) if each.size]
        assert Fraction(packet.duration) * packet.time_base == 21600
