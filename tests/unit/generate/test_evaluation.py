"""Generators against prompts: what is right, the floor of other prompts and the tokenizer's ceiling."""

import hashlib
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from tubelet.cli.main import main
from tubelet.data.scenes import Appearance, Motion, Thing
from tubelet.errors import OptionError
from tubelet.generate.checkpoint import TextToVideo, save_generator
from tubelet.generate.dit.config import DiTConfig
from tubelet.generate.dit.network import DiT
from tubelet.generate.dit.sampler import FlowSampling
from tubelet.generate.evaluation import evaluate as evaluation
from tubelet.generate.evaluation.evaluate import (
    ATTRIBUTES,
    EvaluationOptions,
    check_clip_of,
    evaluate_generator,
    prompts_of,
)
from tubelet.generate.evaluation.parse import ParsedThing
from tubelet.generate.known_tokenizer import read_tokenizer
from tubelet.generate.prompts import WordReader
from tubelet.generate.text import PromptVocabulary, meaningful_words
from tubelet.perceptual.i3d import BLOCKS, I3D, I3DWidths

WORDS = (
    "black blue circle cross cyan dark down fast gray green large left over pink purple red right slow "
    "square triangle up white yellow"
)


@pytest.fixture(scope="module")
def scenes_model():
    """One that knows the words of scenes and nothing else."""
    known = read_tokenizer("klt-4x8x8")
    config = DiTConfig(
        name="tiny",
        tokenizer="klt-4x8x8",
        tokenizer_sha256=known.sha256,
        channels=64,
        steps=5,
        rows=8,
        columns=8,
        fps=30.0,
        words=tuple(WORDS.split()),
        slots=9,
        width=16,
        blocks=1,
        heads=2,
    )
    network = DiT(config).eval().requires_grad_(requires_grad=False)
    return TextToVideo(
        name="tiny",
        network=network,
        sha256="0" * 64,
        tokenizer=known,
        prompts=WordReader(PromptVocabulary(config.words), config.slots),
    )


def colours_of(video):
    """Features of a clip that need no network: the mean of each colour, early and late."""
    half = video.shape[2] // 2
    return torch.cat([part.mean(dim=(2, 3, 4)) for part in (video[:, :, :half], video[:, :, half:])], dim=1)


OPTIONS = EvaluationOptions(count=4, sampling=FlowSampling(steps=1))


def wanted(colour="red", name="circle", direction="left", speed=0.5):
    return Thing(
        appearance=Appearance(colour=colour, name=name), motion=Motion(direction=direction, speed=speed)
    )


def found(colour="red", shape="circle", direction="left", speed=0.5):
    return ParsedThing(colour=colour, shape=shape, direction=direction, speed=speed, fit=1.0, seen=1.0)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, []),
        ({"colour": "pink"}, ["colour"]),
        ({"shape": "ring"}, ["shape"]),
        ({"direction": "up-left"}, ["direction"]),
        ({"speed": 0.62}, []),
        ({"speed": 0.63}, ["speed"]),
        ({"speed": 0.37}, ["speed"]),
    ],
)
def test_every_attribute_is_checked_by_itself(changes, wrong):
    checked = check_clip_of([found(**changes)], [wanted()])
    assert [name for name in ATTRIBUTES if checked.right[name] != 1] == wrong
    assert checked.all_right == (not wrong)


def test_things_are_compared_with_those_most_like_them():
    things = [found("blue", "square", "up", 1.0), found()]
    assert check_clip_of(things, [wanted(), wanted("blue", "square", "up", 1.0)]).all_right
    assert check_clip_of(things[:1], [wanted(), wanted("blue", "square", "up", 1.0)]).right == {
        "colour": 0.5,
        "shape": 0.5,
        "direction": 0.5,
        "speed": 0.5,
        "count": 0.0,
    }


def test_things_are_paired_so_that_most_is_right_of_all_of_them():
    # The first is most like the second one found; if it took that, nothing of the other would be right.
    things = [found("red", "circle", "up", 2.0), found("red", "square", "left", 0.5)]
    checked = check_clip_of(
        things, [wanted("red", "square", "up", 0.5), wanted("blue", "square", "left", 0.5)]
    )
    assert sum(checked.right[name] for name in ("colour", "shape", "direction", "speed")) == 2.5


@pytest.mark.parametrize("things", [0, 4])
def test_clips_of_more_things_than_are_checked_are_refused(things):
    with pytest.raises(OptionError, match="there are 1 to 3"):
        EvaluationOptions(things=things)


def test_nothing_is_right_of_an_empty_clip():
    assert set(check_clip_of([], [wanted()]).right.values()) == {0.0}


def test_one_thing_too_many_is_a_wrong_count_alone():
    checked = check_clip_of([found("blue"), found()], [wanted()])
    assert [name for name in ATTRIBUTES if checked.right[name] != 1] == ["count"]


def test_prompts_are_of_known_words_and_held_out_ones_apart(scenes_model):
    for kind in ("seen", "held-out"):
        scenes = prompts_of(scenes_model, OPTIONS, kind)
        assert len(scenes) == 4
        for scene in scenes:
            assert scene.held_out == (kind == "held-out")
            assert set(meaningful_words(scene.caption)) <= set(WORDS.split())


def test_a_generator_that_knows_no_scenes_is_refused(model):
    with pytest.raises(OptionError, match="knows the words of 0 of 2 prompts"):
        prompts_of(model, EvaluationOptions(count=2), "seen")


def test_clips_as_they_should_be_are_all_right_and_far_above_the_floor(scenes_model, monkeypatch):
    decoded = evaluation.decoded_clips
    monkeypatch.setattr(
        evaluation, "_generated", lambda _model, scenes, *_: [scene.frames() for scene in scenes]
    )
    monkeypatch.setattr(
        evaluation,
        "decoded_clips",
        lambda model, each: each if isinstance(each, list) else decoded(model, each),
    )
    figures = evaluate_generator(scenes_model, OPTIONS, features={"fvd_colours": colours_of})
    assert figures.keys() == {"seen", "held-out"}
    for each in figures.values():
        assert set(each["right"].values()) == {1.0}
        assert each["floor"]["colour"] < 0.7
        assert each["floor"]["all"] < 0.3
        assert each["floor"]["count"] == 1
        assert each["ceiling"]["colour"] > 0.8
        assert len(each["clips"]) == 4
        made, ceiling = each["distances"]["made"], each["distances"]["ceiling"]
        assert made["flicker"] < 0.05
        assert made["parsed_frechet"] == pytest.approx(0, abs=1e-6)
        assert made["nearest_training"] is None
        assert made["fvd_colours"] == pytest.approx(0, abs=1e-9)
        assert ceiling["fvd_colours"] > 1e-6
        assert 0 < ceiling["flicker"] < 3
        assert 0 < ceiling["parsed_frechet"] < 10


def test_a_generator_that_knows_nothing_is_not_right_and_has_the_loss_of_noise(scenes_model):
    figures = evaluate_generator(scenes_model, replace(OPTIONS, count=2))
    for each in figures.values():
        assert each["right"]["all"] == 0
        assert each["flow_loss"] > 0.5


def test_the_command_writes_figures_of_every_generator(scenes_model, tmp_path, capsys):
    for name in ("one", "two"):
        save_generator(scenes_model.network, tmp_path / name, card="")
    target = tmp_path / "found.json"
    command = ["evaluate-generation", str(tmp_path / "one"), str(tmp_path / "two"), "-o", str(target)]
    assert main([*command, "--count", "2", "--steps", "1"]) == 0
    shown = capsys.readouterr().out
    assert "one, 2 prompts of each kind" in shown
    assert "flow loss" in shown
    stored = json.loads(target.read_text())
    assert stored["figures"]["models"].keys() == {"one", "two"}
    assert stored["protocol"].startswith("generation-2")
    assert main([*command, "--count", "2"]) == 1
    assert main([*command, "--count", "1", "--force"]) == 2


def test_with_weights_of_the_user_the_command_measures_fvd(scenes_model, tmp_path, capsys):
    save_generator(scenes_model.network, tmp_path / "one", card="")
    network = I3D(I3DWidths(stem=(2, 2, 2), blocks=dict.fromkeys(BLOCKS, (1, 1, 1, 1, 1, 1)), classes=3))
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: 0.5 + torch.rand(each.shape, generator=generator) for name, each in network.state_dict().items()
    }
    file, target = tmp_path / "i3d.safetensors", tmp_path / "found.json"
    save_file(tensors, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    command = ["evaluate-generation", str(tmp_path / "one"), "-o", str(target), "--count", "2"]
    assert main([*command, "--steps", "1", "--weights", f"i3d={file}:{digest}"]) == 0
    assert "FVD, I3D" in capsys.readouterr().out
    figures = json.loads(target.read_text())["figures"]
    assert figures["weights"] == {"i3d": digest}
    made = figures["models"]["one"]["seen"]["distances"]
    assert made["made"]["fvd_i3d"] > 0
    assert made["ceiling"]["fvd_i3d"] >= 0
    assert main([*command, "--force", "--weights", f"lpips={file}:{digest}"]) == 2
    assert "compares frames with frames" in capsys.readouterr().err


def test_numbers_without_meaning_are_refused():
    for wrong in ({"count": 1}, {"count": 10**6}, {"seed": -1}):
        with pytest.raises(OptionError):
            replace(OPTIONS, **wrong)
