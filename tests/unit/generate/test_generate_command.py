"""The command `generate`: files by their seeds, and what it says to what it cannot do."""

import json

import pytest
import torch

from tubelet.cli.main import main
from tubelet.generate.checkpoint import save_generator
from tubelet.generate.dit.network import DiT
from tubelet.video.probe import probe


@pytest.fixture
def generate(network, tmp_path, capsys, monkeypatch):
    """Run the command in an empty folder; gives its exit code and what it printed."""
    single = DiT(network.config)
    with torch.no_grad():
        for name, weights in single.state_dict().items():
            weights.copy_(network.state_dict()[name])
    save_generator(single, tmp_path / "tiny", card="")
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = main(["generate", *words, "--model", "tiny", "--steps", "2"])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def test_several_videos_have_their_seeds_in_their_names(generate, tmp_path):
    code, shown, _ = generate("a red circle moves left", "-o", "a.mp4", "--count", "2", "--seed", "7")
    assert code == 0
    assert sorted(path.name for path in tmp_path.glob("*.mp4")) == ["a-7.mp4", "a-8.mp4"]
    assert "17 frames, 48x32, 30 per second" in shown
    assert "made by  tiny, seed 8, 2 euler steps, guidance 3" in shown
    assert generate("red left", "-o", "b.mp4", "--seed", "8", "--size", "20x9", "--frames", "3")[0] == 0
    info = probe(tmp_path / "b.mp4")
    assert (info.width, info.height, info.frames) == (20, 9, 3)


def test_what_was_made_is_there_as_json(generate, tmp_path):
    code, shown, said = generate("red left", "-o", "a.mp4", "--count", "2", "--frames", "5", "--json", "-")
    assert code == 0
    figures = json.loads(shown)["figures"]
    assert (figures["model"], figures["sampling"]["steps"]) == ("tiny", 2)
    assert [video["video"] for video in figures["videos"]] == ["a-0.mp4", "a-1.mp4"]
    asked = {"video": "a-1.mp4", "prompt": "red left", "seed": 1}
    assert figures["videos"][1] == asked | {"frames": 5, "height": 32, "width": 48, "fps": 30}
    assert "made by  tiny" in said
    code, _, said = generate("red left", "-o", "b.mp4", "--json", "a-0.mp4")
    assert (code, (tmp_path / "b.mp4").exists()) == (2, False)
    assert ".json" in said


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("", "-o", "a.mp4"), 2, "holds no word that the generator knows; it knows circle, left"),
        (("red", "-o", "a.mp4", "--size", "64"), 2, "is not a size; give columns x rows"),
        (("red", "-o", "a.mp4", "--size", "0x64"), 2, "is not a size"),
        (("red", "-o", "a.mp4", "--count", "0"), 2, "--count is 0; it lies between 1 and 1000"),
        (("red", "-o", "a.mp4", "--frames", "0"), 2, "0 frames are asked for"),
        (("red", "-o", "a.mp4", "--guidance", "-1"), 2, "guidance is -1.0; it lies between 0 and 100"),
        (("red", "-o", "a.mp4", "--seed", "-1"), 2, "the seed is -1"),
        (("red", "-o", "a.xyz"), 2, "ends in '.xyz'"),
        (("red", "-o", "a.mp4", "--image", "no.png"), 1, "no.png"),
        (("red", "-o", "a.mp4", "--image", "a.png", "--size", "4x4"), 2, "a size and a picture are given"),
        (("red", "-o", "a.mp4", "--device", "cuda:77"), 2, "cuda:77"),
    ],
)
def test_what_cannot_be_done_is_said(generate, tmp_path, words, code, message):
    found, _, said = generate(*words)
    assert (found, len(list(tmp_path.glob("a*")))) == (code, 0)
    assert message in said


def test_an_unknown_generator_is_named(capsys, tmp_path):
    assert main(["generate", "red", "-o", str(tmp_path / "a.mp4"), "--model", "nobody"]) == 1
    assert "'nobody' is neither a shipped generator nor a folder" in capsys.readouterr().err


def test_an_unknown_word_is_a_warning(generate):
    code, _, said = generate("a red dragon", "-o", "a.mp4")
    assert code == 0
    assert "has not learned dragon; it makes 'red'" in said
