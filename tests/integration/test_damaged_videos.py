"""Every command that reads video says that it is damaged, ends with 1, and records it where results stay."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from tubelet.cli.main import main


@pytest.fixture(scope="module")
def damaged(tmp_path_factory) -> Path:
    """A film of which some frames are patched up by the decoder."""
    path = tmp_path_factory.mktemp("damaged") / "damaged.mkv"
    noise = np.random.default_rng(1).integers(0, 256, (12, 48, 64, 3), np.uint8)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg2video", rate=25, options={"b": "2000000"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for pixels in noise:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        output.mux(stream.encode(None))
    with av.open(str(path)) as source:
        places = [(packet.pos, packet.size) for packet in source.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for at, size in places[3::4]:
        assert at is not None
        middle = at + size // 2
        data[middle : middle + 40] = bytes(each ^ 0x5A for each in data[middle : middle + 40])
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("encode", "-o", "out.tube", "--tokenizer", "klt-4x8x8", "--channels", "4"),
        ("reconstruct", "-o", "out.mkv", "--tokenizer", "klt-4x8x8", "--channels", "4"),
        ("info", "--check"),
    ],
)
def test_a_command_says_the_damage_and_ends_with_one(damaged, tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    command, *rest = words
    assert main([command, str(damaged), *rest]) == 1
    assert "patched up by the decoder" in capsys.readouterr().err


def test_info_says_a_missing_end_without_reading_all(damaged, tmp_path, capsys):
    path = tmp_path / "cut.mkv"
    path.write_bytes(damaged.read_bytes()[:-3000])
    assert main(["info", str(path), "--json"]) == 1
    said = capsys.readouterr()
    assert "its last 3000 bytes are missing" in said.err
    assert "its last 3000 bytes are missing" in json.loads(said.out)["damage"]


def test_evaluate_records_the_damage_of_a_clip(damaged, tmp_path):
    target = tmp_path / "figures"
    assert main(["evaluate", str(damaged.parent), "--with", "klt-4x8x8@4", "-o", str(target)]) == 1
    content = json.loads((target / "results.json").read_text())
    (clip,) = content["figures"]["clips"].values()
    assert "patched up by the decoder" in clip["damage"][0]
