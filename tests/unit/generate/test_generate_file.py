"""Videos of prompts: the same bytes for the same seed, of the size and length that were asked for."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from tubelet.errors import OptionError, OutputError, TubeletWarning
from tubelet.generate.dit.sampler import FlowSampling
from tubelet.generate.files import Request, generate_file, generate_frames
from tubelet.generate.known_tokenizer import continuous_of
from tubelet.generate.windows import make_steps
from tubelet.video.pixels import from_model, to_model
from tubelet.video.probe import probe
from tubelet.video.read import read
from tubelet.video.write import Writer

REQUEST = Request(prompt="a red circle moves left", sampling=FlowSampling(steps=2))


def frames_of(path):
    return np.concatenate([run.frames for run in read(path)])


@pytest.mark.parametrize("suffix", [".mp4", ".npy", ".webm"])
def test_a_seed_gives_the_same_bytes_twice(model, tmp_path, suffix):
    for name in ("one", "two"):
        generate_file(REQUEST, tmp_path / (name + suffix), model=model)
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
    generate_file(replace(REQUEST, seed=1), tmp_path / f"other{suffix}", model=model)
    assert (tmp_path / f"one{suffix}").read_bytes() != (tmp_path / f"other{suffix}").read_bytes()


def test_without_numbers_a_clip_is_as_those_of_training(model, tmp_path):
    made = generate_file(REQUEST, tmp_path / "a.mp4", model=model)
    info = probe(tmp_path / "a.mp4")
    assert (made.frames, made.height, made.width, made.fps) == (17, 32, 48, 30.0)
    assert (info.frames, info.height, info.width, info.average_rate) == (17, 32, 48, 30)


@pytest.mark.parametrize(("frames", "size"), [(1, (32, 48)), (2, (1, 1)), (23, (33, 17)), (40, (16, 16))])
def test_any_length_and_size(model, tmp_path, frames, size):
    made = generate_file(replace(REQUEST, frames=frames, size=size), tmp_path / "a.npy", model=model)
    assert frames_of(tmp_path / "a.npy").shape == (made.frames, *size, 3) == (frames, *size, 3)


def test_frames_come_before_the_last_ones_are_made(model, monkeypatch):
    made = []

    def watched(*args):
        for latent in make_steps(*args):
            made.append(latent.shape[2])
            yield latent

    monkeypatch.setattr("tubelet.generate.files.make_steps", watched)
    runs = generate_frames(replace(REQUEST, frames=65), model=model)
    assert len(next(runs)) == 1
    assert made == [5]
    assert sum(map(len, runs)) == 64
    assert made == [5, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_the_file_says_prompt_seed_and_model(model, tmp_path, suffix):
    target = tmp_path / f"a{suffix}"
    generate_file(replace(REQUEST, seed=9), target, model=model)
    with av.open(str(target)) as file:
        tags = {name.lower(): text for name, text in file.metadata.items()}
    assert tags["title"] == REQUEST.prompt
    assert tags["comment"] == "made by tiny 0000000000000000, seed 9, 2 euler steps, guidance 3"


def test_a_picture_becomes_the_first_frame(model, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (1, 19, 30, 3), dtype=np.uint8)
    with Writer(tmp_path / "first.png", width=30, height=19, time_base=Fraction(1)) as writer:
        writer.write(picture, np.zeros(1, np.int64))
    request = replace(REQUEST, image=tmp_path / "first.png", frames=6)
    frames = np.concatenate(list(generate_frames(request, model=model)))
    expected = from_model(continuous_of(model.tokenizer)(to_model(picture)))
    assert frames.shape == (6, 19, 30, 3)
    assert np.abs(frames[:1].astype(int) - expected).max() <= 1


def test_bad_wishes_are_refused(model, tmp_path):
    for wrong in (
        {"seed": -1},
        {"frames": 0},
        {"size": (0, 4)},
        {"size": (1 << 20, 4)},
        {"size": (4, 4), "image": tmp_path},
    ):
        with pytest.raises(OptionError):
            replace(REQUEST, **wrong)
    with pytest.raises(OptionError, match="no word that the generator knows"):
        generate_file(replace(REQUEST, prompt=""), tmp_path / "a.mp4", model=model)
    with pytest.raises(OptionError, match=r"ends in '\.txt'"):
        generate_file(REQUEST, tmp_path / "a.txt", model=model)
    with pytest.warns(TubeletWarning, match="has not learned dragon"):
        generate_file(replace(REQUEST, prompt="a red dragon"), tmp_path / "a.mp4", model=model)
    with pytest.raises(OutputError, match="exists"):
        generate_file(REQUEST, tmp_path / "a.mp4", model=model)
