"""`tubelet continue`: the frames of a video, and after them what a tokenizer predicts, at their rate."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from commands import refused

import tubelet
from tubelet.codec.continuation import continue_file
from tubelet.errors import CheckpointError, LatentError, OptionError
from tubelet.models.klt.config import KLTConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Stride
from tubelet.video.pixels import from_model, to_model
from tubelet.video.read import read

CONFIG = KLTConfig(
    name="toy",
    patches=(Stride(4, 8, 8),),
    coefficients=(16,),
    channels=8,
    width=8,
    encoder_blocks=1,
    decoder_blocks=1,
    ahead=3,
)


@pytest.fixture(scope="module")
def predicting(tmp_path_factory):
    """The folder of a tokenizer with random weights that predicts three steps."""
    tokenizer = ContinuousTokenizer.of(CONFIG).requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(0)
    for parameter in tokenizer.parameters():
        parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return tokenizer.save(tmp_path_factory.mktemp("tokenizers") / "toy")


def frames_and_times(path) -> tuple[np.ndarray, list]:
    base = tubelet.probe(path).time_base
    runs = list(read(path))
    times = [int(tick) * base for run in runs for tick in run.timestamps]
    return np.concatenate([run.frames for run in runs]), times


def predicted(tokenizer, frames: np.ndarray, steps: int) -> torch.Tensor:
    """What the tokenizer itself predicts after some frames, and what it makes of the last of them."""
    full = tokenizer.grouping.first_frame(tokenizer.grouping.steps(len(frames) + 1) - 1)
    latent = tokenizer.encode(to_model(frames[:full]))
    height, width = frames.shape[1:3]
    with torch.no_grad():
        video = tokenizer.decode(latent, frames=full, height=height, width=width, ahead=steps)
    return video[:, :, len(frames) - 1 :]


@pytest.mark.parametrize("count", [1, 2, 9, 11])
def test_frames_of_the_source_are_followed_by_those_that_are_predicted(
    cli, video_file, predicting, tmp_path, count
):
    source, target = video_file("in.mkv", frames=count, height=20, width=28), tmp_path / "out.mkv"
    ended = cli("continue", source, "--seconds", "0.25", "--tokenizer", predicting, "-o", target)
    assert ended.code == 0, ended.err
    assert f"{count} of the source, 6 predicted" in ended.out
    given, before = frames_and_times(source)
    found, times = frames_and_times(target)
    assert len(found) == count + 6
    assert (found[:count] == given).all()
    assert times[:count] == before
    steps = np.diff([float(time) for time in times])
    # A frame alone lasts as long as its file says, and what follows has the usual rate.
    assert np.allclose(steps, steps[0] if count > 1 else 1 / 24, atol=0.0021)
    with torch.no_grad():
        expected = from_model(tubelet.continue_clip(to_model(given), frames=6, tokenizer=predicting))
    assert np.abs(found[count:] - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("count", [9, 11])
def test_detail_goes_on_where_nothing_moves_and_nowhere_else(count):
    # Before it is trained a tokenizer predicts that the last frame stands still.
    tokenizer = ContinuousTokenizer.of(CONFIG)
    texture = np.random.default_rng(0).integers(0, 256, (40, 64, 3), dtype=np.uint8)
    frames = np.repeat(texture[None], count, axis=0)
    frames[:, :, 32:] = np.random.default_rng(1).integers(0, 256, (count, 40, 32, 3), dtype=np.uint8)
    plain = predicted(tokenizer, frames, 3)
    with torch.no_grad():
        coming = tubelet.continue_clip(to_model(frames), frames=6, tokenizer=tokenizer)
    last, still, moving = to_model(frames[-1:]), slice(0, 28), slice(36, 64)
    assert (last - plain[:, :, :1]).abs().mean() > 0.1
    assert (coming - last)[..., still].abs().max() < 1e-4
    # Noise has nothing in common with the noise before it, but for chance in 49 pixels.
    lacking, added = last - plain[:, :, :1], coming - plain[:, :, 1:7]
    assert added[..., moving].square().mean() < 0.01 * lacking[..., moving].square().mean()


def test_a_clip_that_cannot_be_continued_is_refused(predicting):
    clip = to_model(np.zeros((3, 16, 16, 3), np.uint8))
    with pytest.raises(OptionError, match="frames is 0; from 1 to 86400 frames are predicted"):
        tubelet.continue_clip(clip, frames=0, tokenizer=predicting)
    with pytest.raises(OptionError, match="has not learnt to predict"):
        tubelet.continue_clip(clip, frames=1, tokenizer="klt-4x8x8")
    with pytest.raises(LatentError, match="NaN"):
        tubelet.continue_clip(clip * torch.nan, frames=1, tokenizer=predicting)
    with pytest.raises(CheckpointError, match="klt-9"):
        tubelet.continue_clip(clip, frames=1, tokenizer="klt-9")


def test_a_pause_in_the_source_makes_what_follows_no_slower(video_file, predicting, tmp_path):
    source = video_file("in.mkv", frames=9, timestamps=[0, 1, 2, 3, 4, 60, 61, 62, 64])
    continue_file(source, tmp_path / "out.mkv", seconds=0.25, tokenizer=predicting)
    _, times = frames_and_times(tmp_path / "out.mkv")
    assert len(times) == 9 + 5
    assert np.allclose(np.diff([float(time) for time in times[9:]]), 8 / 7 / 25, atol=0.0021)


def test_predicting_in_little_memory_gives_the_same_frames(video_file, predicting, tmp_path, monkeypatch):
    source = video_file("in.mkv", frames=9, height=20, width=28)
    continue_file(source, tmp_path / "a.mkv", seconds=0.6, tokenizer=predicting)
    monkeypatch.setattr("tubelet.codec.continuation.steps_per_run", lambda *_: 1)
    result = continue_file(source, tmp_path / "b.mkv", seconds=0.6, tokenizer=predicting)
    assert (result.frames, result.ahead, result.steps, result.learnt) == (9, 15, 4, 3)
    one, two = (frames_and_times(tmp_path / name)[0] for name in ("a.mkv", "b.mkv"))
    assert (one == two).all()


@pytest.mark.slow
def test_full_hd_is_continued_in_the_usual_memory(video_file, tmp_path):
    as_shipped = replace(
        CONFIG, coefficients=(256,), channels=16, width=192, encoder_blocks=2, decoder_blocks=6
    )
    folder = ContinuousTokenizer.of(as_shipped).save(tmp_path / "large")
    source = video_file("in.mp4", frames=5, height=1080, width=1920)
    result = continue_file(source, tmp_path / "out.mp4", seconds=0.16, tokenizer=folder)
    assert (result.frames, result.ahead) == (5, 4)


def test_what_lies_farther_than_was_learnt_is_said(cli, video_file, predicting, tmp_path):
    source = video_file("in.mkv", frames=5, height=20, width=28)
    ended = cli("continue", source, "--seconds", "1", "--tokenizer", predicting, "-o", tmp_path / "o.mkv")
    assert "the last 4 steps are farther ahead than it has learnt" in ended.out


def test_bad_usage_is_refused(cli, video_file, predicting, tmp_path):
    source, target = video_file("in.mkv", frames=5, height=20, width=28), tmp_path / "out.mkv"
    words = ("continue", source, "-o", target)
    assert refused(cli(*words, "--tokenizer", "klt-4x8x8"), 2, "has not learnt to predict", "tubelet train")
    assert not target.exists()
    assert refused(cli(*words, "--tokenizer", predicting, "--seconds", "0"), 2, "seconds is 0.0")
    assert refused(cli("continue", source, "-o", tmp_path / "a.txt", "--tokenizer", predicting), 2, ".txt")
    target.write_bytes(b"mine")
    assert refused(cli(*words, "--tokenizer", predicting), 1, "exists; nothing is overwritten unasked")
    assert target.read_bytes() == b"mine"
    with pytest.raises(OptionError, match="seconds is inf"):
        continue_file(source, tmp_path / "b.mkv", seconds=float("inf"), tokenizer=predicting)


def test_a_gate_is_fitted_by_a_command_and_continues(cli, video_file, predicting, tmp_path):
    source, data, gated = video_file("in.mkv", frames=13), tmp_path / "data", tmp_path / "gated"
    sizes = ("--crop", "16", "--frames", "13", "--per-clip", "2")
    assert cli("prepare", source, "-o", data, *sizes).code == 0
    ended = cli("fit-gate", predicting, "--data", data, "-o", gated, "--windows", "8", "--json", "-")
    assert ended.code == 0, ended.err
    assert "last frame goes on" in ended.err
    figures = json.loads(ended.out)["figures"]
    assert figures["tokenizer"] == str(gated)
    assert figures["blended_psnr_db"] >= min(figures["last_frame_psnr_db"], figures["predicted_psnr_db"])
    assert "## Gate" in (gated / "card.md").read_text(encoding="utf-8")
    assert tubelet.load(gated).config.gate
    target = tmp_path / "out.mkv"
    assert cli("continue", source, "--seconds", "0.25", "--tokenizer", gated, "-o", target).code == 0
    again = cli("fit-gate", predicting, "--data", data, "-o", gated, "--windows", "8")
    assert refused(again, 1, "nothing is overwritten unasked")
    linear = cli("fit-gate", "klt-4x8x8", "--data", data, "-o", tmp_path / "no")
    assert refused(linear, 2, "has not learnt to predict")


def test_what_is_predicted_counts_as_work(video_file, predicting, tmp_path):
    totals, done = [], []
    source = video_file("in.mp4", frames=9, height=20, width=28)
    continue_file(
        source,
        tmp_path / "out.mkv",
        seconds=0.3,
        tokenizer=predicting,
        on_total=totals.append,
        on_frames=done.append,
    )
    assert totals == [sum(done)]
