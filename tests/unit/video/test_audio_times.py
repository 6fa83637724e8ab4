"""Sound whose times, durations and sizes make no sense is repaired, bounded and named, as pictures are."""

import struct
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tubelet.errors import DamageWarning, LossWarning, TubeletWarning
from tubelet.video import audio
from tubelet.video.audio import read_audio
from tubelet.video.probe import probe
from tubelet.video.read import read

RATE = 48000


def sounding(path: Path, *, seconds: int = 2) -> Path:
    """A film with a tone, by PyAV alone."""
    tone = (9000 * np.sin(np.arange(RATE * seconds) * 0.05)).astype(np.float32)[None] / 32768
    sound = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
    sound.sample_rate, sound.pts, sound.time_base = RATE, 0, Fraction(1, RATE)
    noise = np.random.default_rng(0).integers(0, 256, (24 * seconds, 32, 32, 3), np.uint8)
    with av.open(str(path), "w") as output:
        pictures = output.add_stream("mpeg2video" if path.suffix == ".ts" else "mpeg4", rate=24)
        pictures.width = pictures.height = 32
        stream = output.add_stream("aac", rate=RATE, layout="mono")
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE, frame_size=1024)
        for number, each in enumerate(noise):
            frame = av.VideoFrame.from_ndarray(each, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            output.mux(pictures.encode(frame))
        for part in [*resampler.resample(sound), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
        output.mux(pictures.encode(None))
    return path


def with_times(source: Path, target: Path, times: dict[int, int]) -> Path:
    """The same packets, some of the sound at another time."""
    with av.open(str(source)) as film, av.open(str(target), "w") as output:
        streams = {each: output.add_stream_from_template(each) for each in film.streams}
        heard = 0
        for packet in film.demux():
            if not packet.size:
                continue
            if packet.stream.type == "audio":
                packet.pts = times.get(heard, packet.pts)
                heard += 1
            packet.stream = streams[packet.stream]
            output.mux(packet)
    return target


def heard(path: Path) -> tuple[list[audio.AudioPacket], list[TubeletWarning]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        packets = list(read_audio(path))
    return packets, [each.message for each in caught]


@pytest.mark.parametrize("number", [0, 20, 60])
def test_one_wild_time_costs_one_repair(tmp_path, number):
    good = sounding(tmp_path / "good.mkv")
    packets, said = heard(with_times(good, tmp_path / "wild.mkv", {number: 3_600_000}))
    expected, nothing = heard(good)
    assert nothing == []
    assert [type(each) for each in said] == [LossWarning] and "1 of " in str(said[0])
    assert [each.data for each in packets] == [each.data for each in expected]
    apart = [abs(each.pts - right.pts) for each, right in zip(packets, expected, strict=True)]
    assert max(apart) <= 21 and sum(map(bool, apart)) <= 1
    assert all(each.dts == each.pts for each in packets)


def test_two_recordings_joined_sound_one_after_the_other(tmp_path):
    path = sounding(tmp_path / "a.ts")
    once, _ = heard(path)
    path.write_bytes(path.read_bytes() * 2)
    packets, said = heard(path)
    assert len(packets) == 2 * len(once)
    steps = np.diff([each.pts for each in packets])
    assert steps.min() > 0 and steps.max() <= 1.01 * 1024 * 90000 / RATE
    assert [type(each) for each in said] == [LossWarning]


def track_patched(path: Path, kind: bytes, box: bytes, offset: int, value: int) -> Path:
    """Overwrite a number in a box of one of an MP4's tracks."""
    data = bytearray(path.read_bytes())
    at = data.index(box, data.index(kind))
    struct.pack_into(">I", data, at + offset, value)
    path.write_bytes(data)
    return path


ENTRY_5 = 16 + 4 * 5
"""Where a box of sizes has the size of packet 5."""


@pytest.mark.parametrize("size", [0x7FFFFFF0, 0xFFFFFF00])
def test_a_wild_size_in_the_index_is_damage_of_the_sound(tmp_path, size):
    packets, said = heard(track_patched(sounding(tmp_path / "a.mp4"), b"soun", b"stsz", ENTRY_5, size))
    assert len(packets) == 5
    assert [type(each) for each in said] == [DamageWarning]
    assert "breaks off after 5 of 95 packets" in str(said[0])


def test_a_wild_size_in_the_index_is_damage_of_the_pictures(tmp_path):
    path = track_patched(sounding(tmp_path / "a.mp4"), b"vide", b"stsz", ENTRY_5, 0x7FFFFFF0)
    with pytest.warns(DamageWarning, match="breaks off after 5 of 48 packets"):
        assert sum(len(run.frames) for run in read(path)) == 5


def test_a_wild_duration_counts_as_unknown(tmp_path):
    path = track_patched(sounding(tmp_path / "a.mp4"), b"soun", b"stts", 16, 0x7FFFFF00)
    packets, said = heard(path)
    assert [each.duration for each in packets] == [0]
    assert [type(each) for each in said] == [DamageWarning]


@pytest.mark.parametrize("kind", [b"vide", b"soun"])
def test_an_edit_list_that_leaves_out_the_end_is_no_damage(tmp_path, kind):
    path = sounding(tmp_path / "a.mp4")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"elst", 0, data.index(kind))
    # One edit; its length is in the film's ticks of a millisecond.
    struct.pack_into(">I", data, at + 12, 1000)
    path.write_bytes(data)
    packets, said = heard(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = sum(len(run.frames) for run in read(path))
    assert said == []
    assert frames < 30 if kind == b"vide" else len(packets) < 60


def test_packets_too_large_for_sound_are_left_out(tmp_path, monkeypatch):
    path = sounding(tmp_path / "a.mkv")
    whole, _ = heard(path)
    monkeypatch.setattr(audio, "_MOST_BYTES", max(len(each.data) for each in whole) - 1)
    packets, said = heard(path)
    assert 0 < len(packets) < len(whole)
    assert [type(each) for each in said] == [DamageWarning] and "left out" in str(said[0])


def test_sound_without_a_packet_is_named_as_lost(tmp_path):
    path = track_patched(sounding(tmp_path / "a.mp4"), b"soun", b"stsz", 8, 0x40000000)
    info = probe(path)
    assert info.audio is None
    assert any("its sound cannot be stored" in loss for loss in info.losses)
    assert probe(sounding(tmp_path / "b.mp4")).losses == ()
