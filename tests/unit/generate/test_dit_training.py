"""Runs of generators: from scenes or tokens to a folder that is read, and the same when interrupted."""

import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from tubelet.checkpoint import read_discrete
from tubelet.codec.tokens.array import write_token_array
from tubelet.codec.tokens.clip import ClipFacts
from tubelet.errors import OptionError, TrainingError, TubeletWarning
from tubelet.generate.captioned import encode_latents
from tubelet.generate.captions import words_of
from tubelet.generate.checkpoint import read_generator
from tubelet.generate.dit.task import DiTTask, train_dit
from tubelet.generate.dit.train_config import DiTTrainConfig
from tubelet.generate.export import config_from_facts, export_generator, is_generator
from tubelet.generate.files import Request, generate_frames
from tubelet.generate.known_tokenizer import continuous_of, read_tokenizer
from tubelet.generate.scenes import SceneClips, SceneData
from tubelet.generate.token_files import TokenFiles
from tubelet.generate.train_config import GeneratorStage
from tubelet.models.klt.config import KLTConfig
from tubelet.quantizers.config import FSQConfig
from tubelet.tokenizers.config import DiscreteConfig
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.train.config import Optimizer
from tubelet.train.journal import read_log
from tubelet.train.loop import RunOptions
from tubelet.train.run_folder import read_run
from tubelet.types import Stride

SCENES = SceneData(clips=6, frames=9, height=16, width=16)


@pytest.fixture
def config(tokenizer_folder):
    return DiTTrainConfig(
        tokenizer=tokenizer_folder,
        width=32,
        blocks=1,
        heads=2,
        stages=(GeneratorStage(batch=4),),
        scenes=SCENES,
        iterations=6,
        continued=0.3,
        given=0.3,
        optimizer=Optimizer(lr=2e-3),
    )


def trained(config, folder, *, data=None, **further):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the generator reads 8 words")
        return train_dit(config, data=data, options=RunOptions(folder=folder, **further))


def test_a_run_becomes_a_generator_that_makes_videos(config, tmp_path, tokenizer_folder):
    state = trained(config, tmp_path / "run")
    assert is_generator(tmp_path / "run")
    folder = export_generator(tmp_path / "run", tmp_path / "mine")
    model = read_generator(folder)
    assert (model.name, model.tokenizer.name) == ("mine", "tiny")
    assert (model.network.config.steps, model.network.config.fps) == (3, 30.0)
    for name, weights in model.network.named_parameters():
        least = 0.02 * state.ema[name].abs().max()
        assert (weights - state.ema[name]).abs().max() <= least, name
    prompt = f"a {model.network.config.words[0]}"
    frames = np.concatenate(list(generate_frames(Request(prompt=prompt), model=model)))
    assert frames.shape == (9, 16, 16, 3)
    card = (folder / "card.md").read_text()
    assert "6 captioned clips: rendered scenes only" in card
    assert "Not finished" not in card


def test_a_run_goes_on_as_an_unbroken_one(config, tmp_path, stop_after):
    whole = trained(config, tmp_path / "whole")
    assert trained(config, tmp_path / "broken", on_iteration=stop_after(3)).progress < 1
    state = trained(config, tmp_path / "broken", resume=True)
    for name, weight in state.network.state_dict().items():
        assert torch.equal(weight, whole.network.state_dict()[name]), name


def test_training_brings_the_loss_down(config, tmp_path):
    trained(replace(config, iterations=60, scenes=replace(SCENES, clips=2)), tmp_path / "run")
    losses = [line["flow"] for line in read_log(tmp_path / "run")]
    assert np.mean(losses[-15:]) < 0.85 * np.mean(losses[:15])


def test_latents_are_those_of_the_scenes_and_encoded_once(config, tmp_path, tokenizer_folder):
    said = []

    def encoded():
        return encode_latents(
            tokenizer_folder, SceneClips(SCENES), tmp_path, on_clip=lambda done, of: said.append((done, of))
        )

    first, second = encoded(), encoded()
    assert said == [(done, 6) for done in range(1, 7)]
    assert first.captions == second.captions
    assert np.array_equal(first.values, second.values)
    scene = next(iter(SCENES.all_scenes()))
    tokenizer = continuous_of(read_tokenizer(tokenizer_folder))
    video = torch.from_numpy(scene.frames()).float().div(127.5).sub(1)
    expected = tokenizer.encode(torch.einsum("thwc->cthw", video)[None])[0]
    assert np.allclose(first.values[0], expected.numpy(), atol=2e-2)
    assert first.captions[0] in (scene.caption, scene.caption[: len(first.captions[0])])


def test_other_scenes_are_encoded_anew(tmp_path, tokenizer_folder):
    counts = [
        len(encode_latents(tokenizer_folder, SceneClips(data), tmp_path, on_clip=lambda *_: None).captions)
        for data in (SCENES, replace(SCENES, clips=2), SCENES)
    ]
    assert counts == [6, 2, 6]


def test_a_process_that_waits_takes_what_another_one_encoded(tmp_path, tokenizer_folder):
    def encoded(*, waits):
        return encode_latents(
            tokenizer_folder, SceneClips(SCENES), tmp_path, on_clip=lambda *_: None, waits=waits
        )

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(encoded, waits=True)
        made = encoded(waits=False)
        assert np.array_equal(waiting.result(timeout=60).values, made.values)


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(tmp_path, tokenizer_folder):
    numbers = (
        f"--tokenizer {tokenizer_folder} --iterations 4 --width 32 --blocks 1 --heads 2 --stages.0.batch 4 "
        "--scenes.clips 6 --scenes.frames 9 --scenes.height 16 --scenes.width 16 --bfloat16 false"
    ).split()
    alone = [sys.executable, "-m", "tubelet"]
    both = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "tubelet",
    ]
    for name, launch in (("one", alone), ("two", both)):
        subprocess.run(
            [*launch, "train", "dit", "-o", str(tmp_path / name), *numbers],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=True,
            timeout=240,
            capture_output=True,
        )
    losses = [[line["flow"] for line in read_log(tmp_path / name)] for name in ("one", "two")]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_damaged_latents_are_named(config, tmp_path):
    trained(config, tmp_path / "run")
    np.save(tmp_path / "run" / "latents.npy", np.zeros((2, 4, 3, 2, 2), np.float16))
    with pytest.raises(TrainingError, match=r"holds 2 latents for 6 captions; it is damaged"):
        trained(config, tmp_path / "run", resume=True)


def test_weights_of_channels_and_statistics_are_those_of_the_data(config, tmp_path, tokenizer_folder):
    latents = encode_latents(tokenizer_folder, SceneClips(SCENES), tmp_path, on_clip=lambda *_: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = DiTTask(config, latents, words_of(config, latents.captions)).start()
    values = torch.from_numpy(latents.values.astype(np.float32))
    normal = network.normalise(values)
    assert normal.mean(dim=(0, 2, 3, 4)).abs().max() < 1e-3
    assert (normal.std(dim=(0, 2, 3, 4)) - 1).abs().max() < 1e-2


def test_pictures_show_clips_of_captions(config, tmp_path, tokenizer_folder):
    latents = encode_latents(tokenizer_folder, SceneClips(SCENES), tmp_path, on_clip=lambda *_: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task = DiTTask(config, latents, words_of(config, latents.captions))
    (picture,) = task.pictures(task.start()).values()
    assert picture.shape == (3, 4 * 16, 3 * 16)
    assert 0 <= float(picture.min()) <= float(picture.max()) <= 1


@pytest.fixture
def tokens(tmp_path):
    """A tokenizer, and a folder of tokens of three clips, two of them with a caption."""
    backbone = KLTConfig(name="tiny", patches=(Stride(4, 8, 8),), coefficients=(16,), channels=3)
    discrete = DiscreteConfig(name="tiny", backbone=backbone, quantizer=FSQConfig(levels=(5, 4, 3)))
    DiscreteTokenizer.of(discrete).save(tmp_path / "tokenizer")
    known = read_discrete(tmp_path / "tokenizer")
    folder = tmp_path / "tokens"
    folder.mkdir()
    for number, caption in enumerate(("a red ball", None, "a blue ball")):
        video = torch.rand(1, 3, 9, 16, 16, generator=torch.Generator().manual_seed(number)) * 2 - 1
        grid = known.tokenizer.tokenize(video)
        facts = ClipFacts(
            source=f"{number}.mp4", tokenizer="tiny", tokenizer_sha256=known.sha256, caption=caption
        )
        write_token_array(folder / f"{number}.npz", grid, facts, force=False)
    return str(tmp_path / "tokenizer"), folder


def test_files_of_tokens_with_captions_are_trained_on(config, tmp_path, tokens):
    tokenizer, folder = tokens
    trained(replace(config, tokenizer=tokenizer), tmp_path / "run", data=folder)
    model = read_generator(export_generator(tmp_path / "run", tmp_path / "mine"))
    assert model.network.config.words == ("blue", "circle", "red")
    assert model.network.config.fps == 24.0
    frames = np.concatenate(list(generate_frames(Request(prompt="a red ball"), model=model)))
    assert frames.shape == (9, 16, 16, 3)


def test_tokens_of_another_tokenizer_are_refused(config, tmp_path, tokens, tokenizer_folder):
    _, folder = tokens
    with pytest.raises(OptionError, match=r"gives latents, and .* holds tokens"):
        trained(config, tmp_path / "run", data=folder)
    with pytest.raises(OptionError, match="was made with tiny, another tokenizer than tubelet-fsq"):
        trained(replace(config, tokenizer="tubelet-fsq"), tmp_path / "run", data=folder)
    with pytest.raises(OptionError, match=r"holds no \.npz or \.parquet of tokens"):
        TokenFiles(tmp_path)


def test_an_unfinished_run_says_so(config, tmp_path, stop_after):
    trained(config, tmp_path / "run", on_iteration=stop_after(2))
    with pytest.warns(TubeletWarning, match="is not finished: it stopped at"):
        folder = export_generator(tmp_path / "run", tmp_path / "mine")
    assert "Not finished" in (folder / "card.md").read_text()


def test_a_configuration_comes_back_from_the_run(config, tmp_path):
    trained(config, tmp_path / "run")
    assert config_from_facts("dit", read_run(tmp_path / "run" / "run.json")["config"]) == config
    with pytest.raises(OptionError, match="holds no run of a generator"):
        export_generator(tmp_path, tmp_path / "mine")


@pytest.mark.parametrize(
    "wrong",
    [{"given": 1.5}, {"stages": ()}, {"weight_power": -1.0}, {"unprompted": -0.1}, {"time_mean": -5.0}],
)
def test_numbers_without_meaning_are_refused(wrong):
    with pytest.raises(OptionError):
        DiTTrainConfig(**wrong)


@pytest.mark.parametrize("wrong", [{"clips": 0}, {"unsaid": 2.0}, {"colours": ("mauve",)}, {"shapes": ()}])
def test_scenes_without_meaning_are_refused(wrong):
    with pytest.raises(OptionError):
        SceneData(**wrong)


def test_scenes_show_what_they_are_asked_for_and_keep_held_out_ones_apart():
    data = replace(SCENES, shapes=("circle", "square"), colours=("red", "white"))
    for combinations, expected in (("seen", False), ("held-out", True)):
        for scene, _ in zip(data.all_scenes(combinations), range(5), strict=False):
            (thing,) = scene.things
            assert thing.appearance.name in data.shapes
            assert thing.appearance.colour in data.colours
            assert thing.motion.direction in data.directions
            assert scene.held_out == expected


def test_some_captions_leave_the_ground_unsaid():
    scenes = [scene for scene, _ in zip(SCENES.all_scenes(), range(40), strict=False)]
    unsaid = [SCENES.caption(scene) for scene in scenes if SCENES.caption(scene) != scene.caption]
    assert 3 < len(unsaid) < 25
    for caption in unsaid:
        assert not {"black", "gray", "dark", "background", "backdrop"} & set(caption.split())
    assert all(replace(SCENES, unsaid=0.0).caption(scene) == scene.caption for scene in scenes)
