"""Times that a ``.tube`` file may hold and a film may not: the film is right, or refused by name; and wild
times of a film's sound.
"""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from tubelet.bitstream import Chunk, TubeReader, TubeWriter
from tubelet.cli.main import main
from tubelet.codec.decode import decode_file
from tubelet.codec.encode import encode_file
from tubelet.codec.reconstruct import reconstruct_file
from tubelet.errors import LossWarning, TubeletError

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


def sound_of(path):
    with av.open(str(path)) as film:
        return [float(each.pts * each.time_base) for each in film.demux(audio=0) if each.size]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_one_wild_time_of_the_sound_costs_no_film(tmp_path, video_file, sine, small_folder, suffix):
    wild = replace(sine.packets[20], pts=3600 * sine.info.sample_rate, dts=sine.packets[20].dts)
    film = video_file(sound=sine._replace(packets=[*sine.packets[:20], wild, *sine.packets[21:]]))
    assert max(sound_of(film)) > 3000
    tube, back, again = tmp_path / "a.tube", tmp_path / f"back{suffix}", tmp_path / f"again{suffix}"
    with pytest.warns(LossWarning, match="1 of .* times of its sound"):
        encode_file(film, tube, tokenizer=small_folder)
    decode_file(tube, back, tokenizer=small_folder)
    with pytest.warns(LossWarning, match="1 of .* times of its sound"):
        reconstruct_file(film, again, tokenizer=small_folder)
    for made in (back, again):
        assert len(sound_of(made)) == len(sine.packets) and max(sound_of(made)) < 1.1


def test_sound_that_no_film_holds_is_named_with_the_cure(tmp_path, tube, small_folder, sine):
    def one_late(packet):
        return PACKETS["late"](packet) if packet.data == sine.packets[20].data else packet

    source = tube([0, 1, 2], 3, (1, 25), sound=sine, change=one_late)
    with pytest.raises(TubeletError, match=r"its sound cannot be written.*--no-audio"):
        decode_file(source, tmp_path / "out.mp4", tokenizer=small_folder)
    assert decode_file(source, tmp_path / "out.mp4", tokenizer=small_folder, audio=False).frames == 3


def test_what_is_read_twice_is_warned_of_once(tmp_path, video_file, sine, small_folder, capsys):
    wild = replace(sine.packets[20], pts=3600 * sine.info.sample_rate)
    film = video_file(sound=sine._replace(packets=[*sine.packets[:20], wild, *sine.packets[21:]]))
    words = ["reconstruct", film, "-o", tmp_path / "back.mkv", "--tokenizer", small_folder]
    assert main([str(word) for word in words]) == 0
    assert capsys.readouterr().err.count("times of its sound did not fit") == 1
