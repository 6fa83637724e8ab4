"""Damage is counted and said: what decoders patch up, what they refuse, and what never comes out of them."""

import random
import warnings
from pathlib import Path

import av
import numpy as np
import pytest

from tubelet.errors import DamageWarning, TubeletWarning, VideoError
from tubelet.video.damage import Damage
from tubelet.video.packets import gives_frame
from tubelet.video.read import read


def said_of(path: Path) -> list[str]:
    """Everything that reading warns of damage."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for _ in read(path):
            pass
    assert all(issubclass(each.category, TubeletWarning) for each in heard)
    return [str(each.message) for each in heard if issubclass(each.category, DamageWarning)]


def spoil(path: Path, *, packets: tuple[int, ...] = (10, 20, 30)) -> Path:
    """Overwrite forty bytes in the middle of some packets."""
    with av.open(str(path)) as source:
        places = [(packet.pos, packet.size) for packet in source.demux(video=0) if packet.size]
    data, chance = bytearray(path.read_bytes()), random.Random(3)
    for number in packets:
        at, size = places[number]
        assert at is not None
        for index in range(at + size // 2, at + size // 2 + min(40, size // 2 - 8)):
            data[index] ^= chance.randrange(1, 256)
    path.write_bytes(data)
    return path


@pytest.fixture
def noise():
    """Pictures that take many bytes, so that a packet has a middle to be spoiled."""

    def make(frames: int) -> np.ndarray:
        return np.random.default_rng(5).integers(0, 256, (frames, 96, 128, 3), np.uint8)

    return make


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mkv", "mpeg2video"),
        ("a.avi", "mpeg4"),
        ("a.ts", "libx264"),
        ("b.mkv", "libx264"),
    ],
)
def test_frames_that_the_decoder_patched_up_are_counted(film, noise, name, codec):
    path = film(name, noise(40), codec=codec, options={"b": "3000000"})
    assert said_of(path) == []
    (said,) = said_of(spoil(path))
    assert "frames are damaged and were patched up by the decoder" in said
    assert "40 frames were read" in said


@pytest.mark.parametrize("time", range(5))
def test_one_spoiled_packet_is_noticed_every_time(film, noise, time):
    path = spoil(film("a.mp4", noise(30), options={"bf": "3"}), packets=(9,))
    (said,) = said_of(path)
    assert "patched up" in said, f"try {time}"


def test_a_transport_stream_that_begins_in_the_middle_says_how_many_packets_gave_no_frame(film, clip):
    path = film("a.ts", clip(40, 64, 64), options={"g": "20", "bf": "0", "sc_threshold": "0"})
    whole = path.read_bytes()
    with av.open(str(path)) as source:
        places = [packet.pos for packet in source.demux(video=0) if packet.size]
    first = places[7] // 188 * 188
    path.write_bytes(whole[: 188 * 3] + whole[first:])
    (said,) = said_of(path)
    assert "13 of 33 packets gave no frame. 20 frames were read." in said


def test_a_piece_lost_in_the_middle_of_a_transport_stream_is_noticed(film, noise):
    path = film("a.ts", noise(40), options={"bf": "0"})
    whole = path.read_bytes()
    middle = len(whole) // 2 // 188 * 188
    path.write_bytes(whole[:middle] + whole[middle + 188 * 5 :])
    (said,) = said_of(path)
    assert "incomplete" in said


_OUT_OF_ORDER = {
    "libx264": {"bf": "3", "g": "10", "x264-params": "open-gop=1:log-level=none"},
    "libx265": {
        "x265-params": "open-gop=1:keyint=10:bframes=3:log-level=none:pools=none:frame-threads=1",
        "preset": "ultrafast",
    },
    "mpeg2video": {"bf": "2", "g": "8"},
}
"""Options that let an encoder store pictures in another order than they are shown in."""


@pytest.mark.parametrize("suffix", [".ts", ".mp4", ".mkv"])
@pytest.mark.parametrize("codec", list(_OUT_OF_ORDER))
def test_streams_with_pictures_shown_out_of_order_are_sound(film, clip, suffix, codec):
    assert said_of(film(f"a{suffix}", clip(45, 64, 64), codec=codec, options=_OUT_OF_ORDER[codec])) == []


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_stream_cut_at_a_key_frame_whose_leading_pictures_do_not_decode_is_sound(film, clip, codec):
    path = film("a.ts", clip(45, 64, 64), codec=codec, options=_OUT_OF_ORDER[codec])
    with av.open(str(path)) as source:
        keys = [packet.pos for packet in source.demux(video=0) if packet.is_keyframe]
    whole = path.read_bytes()
    path.write_bytes(whole[: 188 * 3] + whole[keys[2] // 188 * 188 :])
    assert said_of(path) == []


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_hidden_frames_of_vp8_and_vp9_are_sound(film, clip, codec):
    options = {
        "auto-alt-ref": "1",
        "lag-in-frames": "16",
        "arnr-maxframes": "7",
        "b": "300000",
        "cpu-used": "5",
    }
    assert said_of(film("a.webm", clip(60, 64, 64), codec=codec, options=options)) == []


def test_interlaced_video_whose_fields_are_packets_is_sound(film, clip):
    options = {"x264-params": "tff=1:log-level=none", "flags": "+ildct+ilme"}
    path = film("a.ts", clip(20, 64, 64), options=options)
    assert said_of(path) == []


def test_recordings_joined_end_to_end_are_sound(film, clip):
    path = film("a.ts", clip(30, 64, 64))
    path.write_bytes(path.read_bytes() * 2)
    assert said_of(path) == []


def test_pictures_that_an_edit_list_hides_are_sound(film, clip):
    path = film("a.mp4", clip(30, 64, 64), options={"bf": "0", "g": "30"})
    data = path.read_bytes()
    at = data.index(b"elst") + 4 + 8
    start = int.from_bytes(data[at + 4 : at + 8], "big")
    # The track begins ten frames later than its media.
    ticks = 512 * 10
    path.write_bytes(data[: at + 4] + (start + ticks).to_bytes(4, "big") + data[at + 8 :])
    assert said_of(path) == []
    assert sum(len(run.frames) for run in read(path)) == 20


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "libx265"), (".webm", "libvpx-vp9"), (".mov", "mjpeg")]
)
def test_what_some_decoders_do_not_notice_stays_unsaid(film, noise, suffix, codec):
    """The limit that docs/guides/damage.md states: these decoders show spoiled data as if they were sound."""
    options = {
        "libx265": {"x265-params": "log-level=none:pools=none:frame-threads=1", "preset": "ultrafast"},
        "libvpx-vp9": {"b": "3000000", "cpu-used": "8", "deadline": "realtime"},
        "mjpeg": {"b": "3000000"},
    }[codec]
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = film(f"a{suffix}", noise(16), codec=codec, options=options, pixel_format=pixel_format)
    sound = np.concatenate([run.frames.copy() for run in read(path)])
    spoil(path, packets=(4, 8, 12))
    assert said_of(path) == []
    assert not np.array_equal(np.concatenate([run.frames.copy() for run in read(path)]), sound)


@pytest.mark.parametrize(
    ("packet", "codec", "set_up", "gives"),
    [
        (b"\x10", "vp8", b"", True),
        (b"\x00", "vp8", b"", False),
        (b"\x55", "vp9", b"", True),
        (b"\x82", "vp9", b"", True),
        (b"\x80", "vp9", b"", False),
        (b"\x88", "vp9", b"", True),
        (b"\xb0", "vp9", b"", False),
        (b"\xb1", "vp9", b"", True),
        (b"\x80\xc0", "vp9", b"", True),
        (b"\0\0\1\x65\x88", "h264", b"", True),
        (b"\0\0\1\x09\xf0\0\0\1\x06\x01", "h264", b"", False),
        (b"\0\0\0\2\x65\x88", "h264", b"\x01\0\0\0\xff", True),
        (b"\0\0\0\2\x06\x88", "h264", b"\x01\0\0\0\xff", False),
        (b"\0\0\0\x7f\x06\x88", "h264", b"\x01\0\0\0\xff", True),
        (b"\0\0\1\x46\x01", "hevc", b"", False),
        (b"\0\0\1\x26\x01", "hevc", b"", True),
        (b"\0" * 9, "mpeg4", b"", False),
        (b"\0" * 99, "mpeg4", b"", True),
        (b"\0" * 99, "zmbv", b"", False),
    ],
)
def test_packets_that_honestly_give_no_frame_are_told_by_their_bytes(packet, codec, set_up, gives):
    assert gives_frame(packet, codec, set_up) is gives


def test_a_hidden_frame_of_the_same_time_as_the_next_owes_no_frame():
    damage = Damage("vp9", b"")
    for time, byte in enumerate((b"\x82", b"\x80", b"\x82", b"\x82")):
        packet = av.Packet(byte)
        packet.pts = max(1, time)
        damage.sent(packet)
    damage.ended()
    assert (damage.packets, damage.frameless) == (4, 3)


def test_packets_without_times_are_only_counted():
    damage = Damage("h264", b"")
    for _ in range(3):
        damage.sent(av.Packet(b"\0\0\1\x41\x9a"))
    damage.received(av.VideoFrame(16, 16, "yuv420p"))
    assert damage.frameless == 0
    damage.ended()
    assert damage.frameless == 2


def test_no_more_packets_are_damaged_than_there_are(tmp_path):
    path = tmp_path / "raw.mov"  # FFmpeg writes planes into it that its own decoder refuses
    with av.open(str(path), "w") as output:
        stream = output.add_stream("rawvideo")
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for index in range(2):
            frame = av.VideoFrame(64, 32, "yuv420p")
            frame.pts = index
            output.mux(stream.encode(frame))
    with pytest.raises(VideoError, match=r"gives no frame: 2 of 2 packets do not decode"):
        next(read(path))
