"""A path is one file and nothing else; what cannot be read says why, at once."""

import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest

from tubelet.errors import VideoError
from tubelet.video.audio import read_audio
from tubelet.video.probe import probe
from tubelet.video.read import read


@pytest.fixture
def still(film):
    """A PNG of one grey level, under any name."""

    def make(name: str | bytes, level: int, *, codec: str = "png") -> Path:
        path = film("made.png", [np.full((8, 8, 3), level, np.uint8)], codec=codec, pixel_format="rgb24")
        return path.rename(path.with_name(os.fsdecode(name)))

    return make


def level_of(path: Path) -> int:
    (run,) = read(path)
    assert run.frames.shape == (1, 8, 8, 3)
    return int(run.frames[0, 0, 0, 0])


@pytest.mark.parametrize(
    "name", ["a%d.png", "a%01d.png", "a[01].png", "a*.png", "a?.png", "a{0,1}.png", "%%.png"]
)
def test_a_name_like_a_pattern_names_one_file(still, name):
    for index in (0, 1):
        still(f"a{index}.png", 10 + index)
    assert level_of(still(name, 200)) == 200


@pytest.mark.parametrize(
    "name",
    [
        *(
            "concat:a0.png|a1.png",
            "http:x.png",
            "subfile,,start,0,end,9,,:a0.png",
            "pipe:0.png",
            "data:x.png",
        ),
        *("file:a0.png", "a b'\"$;.png", "-.png", "--help.png", b"caf\xe9.png", "zeile\n.png", "ü\u202e.png"),
    ],
)
def test_a_name_like_a_protocol_or_of_any_bytes_names_one_file(still, name, monkeypatch, tmp_path):
    path = still(name, 77)
    assert level_of(path) == 77
    monkeypatch.chdir(tmp_path)
    assert level_of(Path(path.name)) == 77


@pytest.mark.parametrize("name", ["a%d.png", "a*.png", "concat:a0.png|a1.png"])
def test_a_name_like_a_pattern_of_no_file_is_no_file(still, name, tmp_path):
    for index in (0, 1):
        still(f"a{index}.png", 10 + index)
    with pytest.raises(VideoError, match="no such file"):
        probe(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n"),
        ("a.ffconcat", "ffconcat version 1.0\nfile '{other}'\n"),
        ("a.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5000 RTP/AVP 96\n"),
    ],
)
def test_a_list_of_files_opens_none_of_them(film, clip, tmp_path, name, text):
    other = film("other.mp4", clip(2, 16, 16))
    path = tmp_path / name
    path.write_text(text.format(other=other.name))
    with pytest.raises(VideoError, match="list of other files"):
        probe(path)
    with pytest.raises(VideoError, match="list of other files"):
        list(read_audio(path))


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    os.mkfifo(tmp_path / "pipe.npy")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.mp4"))
        for name in ("pipe.mp4", "pipe.npy", "socket.mp4"):
            with pytest.raises(VideoError, match="device or pipe"):
                probe(tmp_path / name)
    with pytest.raises(VideoError, match="device or pipe"):
        list(read("/dev/zero"))
    (tmp_path / "folder.npy").mkdir()
    for path in (tmp_path, tmp_path / "folder.npy"):
        with pytest.raises(VideoError, match="is a folder"):
            list(read(path))
    for name in ("empty.mp4", "empty.npy"):
        (tmp_path / name).touch()
        with pytest.raises(VideoError, match=r"empty \(0 bytes\)"):
            probe(tmp_path / name)


@pytest.mark.parametrize(
    "name", ["missing.mp4", "missing.npy", "x" * 300 + ".mp4", "nul\0.mp4", "a.mp4/b.mp4"]
)
def test_a_path_that_leads_nowhere_is_refused(tmp_path, name):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(VideoError):
        probe(tmp_path / name)


def test_standard_input_is_refused_as_such_unless_a_file_has_that_name(film, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VideoError, match="standard input"):
        probe("-")
    film("a.mp4", clip(1, 8, 8)).rename("-")
    assert probe("-").width == 8


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(film, clip):
    path = film("a.mp4", clip(1, 8, 8))
    path.chmod(0)
    with pytest.raises(VideoError, match="Permission denied"):
        probe(path)


def test_an_animated_webp_has_no_decoder_and_is_not_called_damaged(film, clip, tmp_path):
    path = film("a.webp", clip(4, 32, 32), codec="libwebp_anim", pixel_format="yuv420p")
    for name in ("a.webp", "a.bin"):
        target = tmp_path / name
        if not target.exists():
            shutil.copy(path, target)
        with pytest.raises(VideoError, match="animated WebP, for which this FFmpeg has no decoder"):
            list(read(target))


@pytest.mark.parametrize(
    ("suffix", "says"), [("tar", "tar archive"), ("zip", "zip archive"), ("gztar", "gzip")]
)
def test_an_archive_is_no_video_though_ffmpeg_finds_one_in_it(film, clip, tmp_path, suffix, says):
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a.ts", "b.ts"):
        film(name, clip(9, 32, 32)).rename(folder / name)
    path = Path(shutil.make_archive(str(tmp_path / "clips"), suffix, folder))
    for reading in (probe, lambda path: list(read(path)), lambda path: list(read_audio(path))):
        with pytest.raises(VideoError, match=rf"{says}, not a video\. Take out"):
            reading(path)
