"""What many clips lose as they are read is said in one line, by every command that reads many in turn."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

TEXT = "16 bits per sample, of which 8 are kept"


def write_deep(target: Path) -> Path:
    """A video of three frames with 16 bits per sample."""
    with av.open(str(target), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 40, 24, "gray16le"
        for level in (1 << 12, 1 << 13, 1 << 14):
            frame = av.VideoFrame.from_ndarray(np.full((24, 40), level, np.uint16), format="gray16le")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return target


@pytest.fixture
def clips(tmp_path, video_file) -> Path:
    """Three deep clips, and one that loses nothing."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(3):
        write_deep(folder / f"{number}.mkv")
    video_file().rename(folder / "usual.mkv")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("encode", "-o", "tubes", "--tokenizer", "klt-8x8x8"),
        ("tokenize", "-o", "tokens", "--tokenizer", "tubelet-fsq"),
        ("prepare", "-o", "crops", "--crop", "16", "--frames", "3", "--per-clip", "1"),
        ("fit-klt", "-o", "klt", "--stride", "1x4x4", "--runs", "1", "--patches", "64"),
    ],
)
def test_a_loss_of_many_clips_is_one_line(cli, clips, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    command, *options = words
    ended = cli(command, "clips", *options)
    assert ended.code == 0, ended.err
    assert ended.err.count(TEXT) == 1
    assert f"3 of 4 clips lose something; of the first, {Path('clips/0.mkv')}: it has {TEXT}" in ended.err


def test_what_one_clip_loses_is_said_as_it_is_found(cli, clips, tmp_path):
    clip = clips / "1.mkv"
    ended = cli("encode", clip, "-o", tmp_path / "a.tube", "--tokenizer", "klt-8x8x8", "--json", "-")
    assert ended.code == 0
    assert f"warning: {clip}: it has {TEXT}" in ended.err
    assert json.loads(ended.out)


def test_losses_are_said_though_the_work_fails(cli, clips, tmp_path):
    (clips / "2.mkv").write_bytes(b"no video")
    out = tmp_path / "out"
    ended = cli("encode", clips, "-o", out, "--tokenizer", "klt-8x8x8", "--on-error", "stop")
    assert ended.code == 1
    assert f"2 of 4 clips lose something; of the first, {clips / '0.mkv'}: " in ended.err
