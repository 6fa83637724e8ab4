import json
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from tubelet.errors import VideoError
from tubelet.video.probe import probe


def test_a_film_is_described(film, clip):
    path = film("a.mp4", clip(5, 32, 48))
    info = probe(path)
    assert (info.width, info.height, info.frames, info.codec, info.bits) == (48, 32, 5, "h264", 8)
    assert (info.average_rate, info.pixel_format, info.audio, info.losses) == (24, "yuv420p", None, ())
    assert info.duration_seconds == pytest.approx(5 / 24, abs=1e-3)


def test_a_description_is_plain_json(film, clip):
    info = probe(film("a.mp4", clip(2, 16, 16)))
    again = json.loads(json.dumps(info.to_json()))
    assert Fraction(again["time_base"]) == info.time_base
    assert again["colour"]["matrix"] == "bt601"


def test_what_reading_loses_is_named(film, clip):
    def tag(stream) -> None:
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9

    path = film("hdr.mkv", clip(1, 16, 16), codec="ffv1", pixel_format="yuv420p10le", prepare=tag)
    text = " ".join(probe(path).losses)
    assert all(word in text for word in ("10 bits", "PQ", "BT.2020"))


@pytest.mark.parametrize(
    ("transfer", "primaries", "matrix", "says"),
    [
        (8, 1, 1, "its transfer is linear light"),
        (9, 1, 1, "its transfer is logarithmic"),
        (17, 10, 1, "its primaries are CIE XYZ"),
        (1, 4, 1, "its primaries are those of NTSC in 1953"),
        (1, 9, 10, "constant luminance"),
    ],
)
def test_colours_that_are_kept_and_mean_something_else_are_named(
    film, clip, transfer, primaries, matrix, says
):
    def tag(stream) -> None:
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = transfer, primaries, matrix

    path = film("odd.mkv", clip(1, 16, 16), codec="ffv1", prepare=tag)
    assert says in "; ".join(probe(path).losses)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        probe(tmp_path / "absent.mp4")


def test_a_folder_is_no_video(tmp_path):
    with pytest.raises(VideoError, match="is a folder"):
        probe(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.mp4", b"", "empty"),
        ("noise.mp4", bytes(range(256)) * 40, "cannot be read as video"),
        ("note.txt", b"hello, this is a note\n" * 20, "text, not video|cannot be read"),
        ("planes.yuv", bytes(1000), "raw planes have no header"),
        (
            "list.m3u8",
            b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n",
            "list of other files|cannot be read",
        ),
        ("list.ffconcat", b"ffconcat version 1.0\nfile /etc/passwd\n", "list of other files|cannot be read"),
    ],
)
def test_what_is_no_video_is_refused_with_its_reason(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(VideoError, match=says):
        probe(path)


def test_a_tube_file_is_named_as_one(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\x93TUB\r\n\x1a\n" + bytes(100))
    with pytest.raises(VideoError, match=r"is a \.tube file already; `tubelet decode` makes a video of it"):
        probe(path)


def test_a_segment_without_the_beginning_of_its_stream_is_named_as_one(film, clip):
    whole = film("a.mp4", clip(6, 16, 16), container={"movflags": "frag_keyframe+empty_moov"})
    data = whole.read_bytes()
    segment = whole.with_name("seg1.m4s")
    segment.write_bytes(data[data.index(b"moof") - 4 :])
    with pytest.raises(
        VideoError, match=r"is one segment of a stream.* cat init\.mp4 seg1\.m4s > whole\.mp4"
    ):
        probe(segment)


def test_a_name_that_looks_like_a_protocol_is_a_file(film, clip):
    path = film("a.mp4", clip(1, 16, 16))
    odd = path.rename(path.with_name("concat:a|b.mp4"))
    assert probe(odd).width == 16


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.wav"), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="stereo")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
    with pytest.raises(VideoError, match="no video stream"):
        probe(tmp_path / "a.wav")


def test_probing_needs_no_torch():
    script = "import sys, tubelet.video.probe, tubelet.video.write; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
