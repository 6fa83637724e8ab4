"""A run is the same run, whether it is interrupted, killed, or shared by processes."""

import hashlib
import json
import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from safetensors.torch import save_file

import tubelet
from tubelet.data.crops import open_crops
from tubelet.data.feed import Draw, draw_batch
from tubelet.errors import CheckpointError, OptionError, TrainingError
from tubelet.models.klt.config import KLTConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.config import Optimizer
from tubelet.train.iteration import IterationFigures
from tubelet.train.journal import read_log
from tubelet.train.loop import RunOptions
from tubelet.train.optimizers import lr_at
from tubelet.train.state import checkpoints
from tubelet.train.tokenizer import task as task_module
from tubelet.train.tokenizer.batches import to_video
from tubelet.train.tokenizer.config import LossWeights, Prefixes, Stage
from tubelet.train.tokenizer.export import export_run
from tubelet.train.tokenizer.task import train


def totals(folder):
    return [line["total"] for line in read_log(folder)]


@pytest.fixture
def unbroken(config, data, tmp_path):
    train(config, data=data, options=RunOptions(folder=tmp_path / "unbroken"))
    return totals(tmp_path / "unbroken")


def test_a_start_that_is_refused_leaves_no_run_behind(config, data, tmp_path):
    wrong = replace(config, start="tubelet-fsq")
    with pytest.raises(
        OptionError, match=r"cannot go on from: its model: .*width is \d+ there and \d+ in the run"
    ):
        train(wrong, data=data, options=RunOptions(folder=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    train(replace(config, iterations=1), data=data, options=RunOptions(folder=tmp_path / "run"))
    with pytest.raises(OptionError, match="holds a run"):
        train(wrong, data=data, options=RunOptions(folder=tmp_path / "run"))


@pytest.mark.parametrize("kind", ["adamw", "muon"])
@pytest.mark.parametrize("step", [1, 3, 4, 6])
def test_a_run_that_is_stopped_and_resumed_has_the_losses_of_an_unbroken_one(
    config, data, tmp_path, kind, step, stop_after
):
    config = replace(config, optimizer=Optimizer(kind=kind))
    train(config, data=data, options=RunOptions(folder=tmp_path / "unbroken"))
    broken = tmp_path / "broken"
    train(config, data=data, options=RunOptions(folder=broken, on_iteration=stop_after(step)))
    assert step <= len(totals(broken)) <= step + 1
    train(config, data=data, options=RunOptions(folder=broken, resume=True))
    assert totals(broken) == totals(tmp_path / "unbroken")


def test_steps_after_the_last_checkpoint_of_a_killed_run_are_done_again(
    config, data, tmp_path, unbroken, stop_after
):
    def die(_share: float, number: int, _figures: IterationFigures) -> None:
        if number == 6:
            raise KeyboardInterrupt

    folder = tmp_path / "killed"
    train(config, data=data, options=RunOptions(folder=folder, on_iteration=stop_after(2)))
    with pytest.raises(KeyboardInterrupt):
        train(config, data=data, options=RunOptions(folder=folder, resume=True, on_iteration=die))
    with (folder / "log.jsonl").open("a") as log:
        log.write('{"step": 7, "tot')
    train(config, data=data, options=RunOptions(folder=folder, resume=True))
    assert totals(folder) == unbroken


def test_resuming_where_nothing_was_started_starts(config, data, tmp_path, unbroken):
    train(config, data=data, options=RunOptions(folder=tmp_path / "new", resume=True))
    assert totals(tmp_path / "new") == unbroken


def test_a_trained_network_is_nearer_than_its_linear_start(config, data, tmp_path):
    config = replace(
        config,
        model=replace(config.model, variational=False),
        iterations=150,
        stages=(Stage(batch=8, frames=5, side=24),),
        losses=LossWeights(log_mse=1.0),
        prefixes=Prefixes(counts=(8,), weights=(1.0,), maps=0.0),
        optimizer=Optimizer(kind="muon", lr=3e-3),
        noise=0.0,
    )
    trained = train(config, data=data, options=RunOptions(folder=tmp_path)).network.tokenizer
    crops = open_crops(data)
    linear = ContinuousTokenizer(config.model.start(crops, seed=0))
    video = to_video(draw_batch(crops, Draw(batch=18, frames=9, side=24), seed=9, step=0, indices=range(18)))
    with torch.no_grad():
        errors = [(tokenizer(video) - video).square().mean().item() for tokenizer in (trained, linear)]
    assert errors[0] < 0.99 * errors[1]


def test_a_frozen_encoder_stays_what_it_was(config, data, tmp_path, stop_after):
    folder = tmp_path / "run"
    half = train(config, data=data, options=RunOptions(folder=folder, on_iteration=stop_after(4)))
    before = {name: p.clone() for name, p in half.network.tokenizer.model.named_parameters()}
    after = train(config, data=data, options=RunOptions(folder=folder, resume=True)).network.tokenizer.model
    changed = {name for name, p in after.named_parameters() if not torch.equal(p, before[name])}
    assert not any(name.startswith(("encoder", "transform")) for name in changed)
    assert any(name.startswith("decoder") for name in changed)


def test_the_last_rate_is_nearly_zero(config, data, tmp_path):
    train(replace(config, iterations=40), data=data, options=RunOptions(folder=tmp_path))
    rates = [line["lr"] for line in read_log(tmp_path)]
    assert rates[-1] < max(rates) / 50


def test_a_run_by_time_ends_on_time_and_its_rate_follows_the_clock(config, data, tmp_path):
    config = replace(config, iterations=None, optimizer=Optimizer(warm_up=0.5))
    train(config, data=data, options=RunOptions(folder=tmp_path, time_limit=2.0))
    log = read_log(tmp_path)
    assert log[-2]["seconds"] <= 2.0 <= log[-1]["seconds"]  # written to the millisecond
    for before, line in pairwise(log):
        assert line["lr"] == pytest.approx(lr_at(before["seconds"] / 2.0, config.optimizer), abs=2e-6)


def test_a_bad_step_moves_nothing_and_the_run_goes_on(config, data, tmp_path, monkeypatch):
    usual = task_module.to_video
    calls = iter(range(100))
    monkeypatch.setattr(
        task_module, "to_video", lambda b, *rest: usual(b, *rest) * (math.nan if next(calls) == 2 else 1)
    )
    state = train(config, data=data, options=RunOptions(folder=tmp_path))
    log = read_log(tmp_path)
    assert [line["taken"] for line in log] == [True, True, False, True, True, True, True, True]
    assert all(p.isfinite().all() for p in state.network.parameters())
    assert all(p.isfinite().all() for p in state.ema.values())


def test_a_run_gives_up_after_repeated_bad_steps_and_keeps_its_last_good_checkpoint(
    config, data, tmp_path, monkeypatch, stop_after
):
    usual = task_module.to_video
    train(config, data=data, options=RunOptions(folder=tmp_path, on_iteration=stop_after(3)))
    monkeypatch.setattr(task_module, "to_video", lambda batch, *rest: usual(batch, *rest) * math.nan)
    with pytest.raises(TrainingError, match="2 iterations in a row"):
        train(config, data=data, options=RunOptions(folder=tmp_path, resume=True))
    assert [folder.name for folder in checkpoints(tmp_path)] == ["iteration-00000004"]


def test_a_jump_of_the_gradients_is_left_out(config, data, tmp_path, monkeypatch):
    usual = task_module.to_video
    calls = iter(range(100))
    monkeypatch.setattr(
        task_module, "to_video", lambda b, *rest: usual(b, *rest) * (1e4 if next(calls) == 5 else 1)
    )
    config = replace(config, losses=replace(config.losses, log_mse=0.0), jump=50.0)
    train(config, data=data, options=RunOptions(folder=tmp_path))
    assert [line["iteration"] for line in read_log(tmp_path) if not line["taken"]] == [6]


def test_a_run_needs_one_end(config, data, tmp_path):
    with pytest.raises(OptionError, match="one end"):
        train(replace(config, iterations=None), data=data, options=RunOptions(folder=tmp_path))
    with pytest.raises(OptionError, match="one end"):
        train(config, data=data, options=RunOptions(folder=tmp_path, time_limit=5.0))


def test_another_run_is_not_overwritten_unasked(config, data, tmp_path):
    train(config, data=data, options=RunOptions(folder=tmp_path))
    with pytest.raises(OptionError, match="--resume goes on with it"):
        train(config, data=data, options=RunOptions(folder=tmp_path))
    train(replace(config, iterations=2), data=data, options=RunOptions(folder=tmp_path, force=True))
    assert len(totals(tmp_path)) == 2


def test_resuming_with_other_numbers_says_which(config, data, tmp_path):
    train(config, data=data, options=RunOptions(folder=tmp_path))
    with pytest.raises(OptionError, match=r"model.width 12 there and 16 here"):
        train(
            replace(config, model=replace(config.model, width=16)),
            data=data,
            options=RunOptions(folder=tmp_path, resume=True),
        )


def test_a_damaged_checkpoint_is_named(config, data, tmp_path):
    train(config, data=data, options=RunOptions(folder=tmp_path))
    newest = checkpoints(tmp_path)[-1]
    for file in newest.glob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(TrainingError, match="cannot be taken up"):
        train(config, data=data, options=RunOptions(folder=tmp_path, resume=True))


def test_nothing_in_a_checkpoint_can_be_executed(config, data, tmp_path):
    train(config, data=data, options=RunOptions(folder=tmp_path))
    files = [path.name for path in checkpoints(tmp_path)[-1].iterdir()]
    assert all(name.endswith((".safetensors", ".json")) for name in files), files


def test_only_the_newest_checkpoints_are_kept(config, data, tmp_path):
    train(replace(config, save_seconds=0.0), data=data, options=RunOptions(folder=tmp_path))
    assert [folder.name for folder in checkpoints(tmp_path)] == ["iteration-00000007", "iteration-00000008"]


def test_what_a_run_is_lies_beside_it(config, data, tmp_path):
    train(config, data=data, options=RunOptions(folder=tmp_path))
    facts = json.loads((tmp_path / "run.json").read_text())
    assert facts["clips"] == ["0.mp4", "1.mp4", "2.mp4"]
    assert facts["config"]["model"]["width"] == 12
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_an_adversarial_stage_trains_the_discriminator_and_the_decoder_and_resumes(
    config, data, tmp_path, stop_after
):
    stages = (
        Stage(until=0.5, batch=2, frames=3, side=16),
        Stage(batch=2, frames=3, side=16, adversarial=0.1),
    )
    config = replace(config, stages=stages, iterations=6)
    train(config, data=data, options=RunOptions(folder=tmp_path / "unbroken"))
    log = read_log(tmp_path / "unbroken")
    assert ["discriminator" in line for line in log] == [False] * 3 + [True] * 3
    train(config, data=data, options=RunOptions(folder=tmp_path / "broken", on_iteration=stop_after(4)))
    train(config, data=data, options=RunOptions(folder=tmp_path / "broken", resume=True))
    assert totals(tmp_path / "broken") == totals(tmp_path / "unbroken")


def test_a_run_can_go_on_from_a_trained_tokenizer(config, data, tmp_path):
    train(config, data=data, options=RunOptions(folder=tmp_path / "first"))
    known = tubelet.load(export_run(tmp_path / "first", tmp_path / "mine"))
    # Nothing is learnt in one step at a rate of zero, so what a run starts from is what it ends with.
    still = replace(config, start=str(tmp_path / "mine"), iterations=1, optimizer=Optimizer(lr=0.0))
    state = train(still, data=data, options=RunOptions(folder=tmp_path / "second"))
    weights = dict(state.network.tokenizer.state_dict())
    assert all(torch.equal(weights[name], tensor) for name, tensor in known.state_dict().items())


def test_a_run_can_go_on_from_a_tokenizer_of_more_channels(config, data, tmp_path):
    train(config, data=data, options=RunOptions(folder=tmp_path / "first"))
    known = tubelet.load(export_run(tmp_path / "first", tmp_path / "mine"))
    fewer = replace(config, start=str(tmp_path / "mine"), iterations=1, optimizer=Optimizer(lr=0.0))
    prefixes = Prefixes(counts=(3,), weights=(1.0,))
    fewer = replace(fewer, model=replace(config.model, channels=3), prefixes=prefixes)
    state = train(fewer, data=data, options=RunOptions(folder=tmp_path / "second"))
    video = torch.zeros(1, 3, 3, 8, 8)
    latent = state.network.tokenizer.encode(video)
    assert torch.allclose(latent, known.encode(video, channels=3), atol=1e-5)


def test_a_run_goes_on_from_the_same_model_only(config, data, tmp_path):
    train(config, data=data, options=RunOptions(folder=tmp_path / "first"))
    folder = export_run(tmp_path / "first", tmp_path / "mine")
    other = replace(config, start=str(folder), model=replace(config.model, width=16))
    with pytest.raises(OptionError, match="the same model"):
        train(other, data=data, options=RunOptions(folder=tmp_path / "second"))


@pytest.fixture
def network_file(tmp_path):
    """A perceptual network of VGG-16's layers with two channels each."""
    layers, inputs, tensors = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28), 3, {}
    random = torch.Generator().manual_seed(0)
    for layer in layers:
        tensors[f"features.{layer}.weight"] = torch.randn(2, inputs, 3, 3, generator=random) / 3
        tensors[f"features.{layer}.bias"] = torch.zeros(2)
        inputs = 2
    tensors |= {f"lin{stage}.model.1.weight": torch.ones(1, 2, 1, 1) for stage in range(5)}
    path = tmp_path / "tiny.safetensors"
    save_file(tensors, path)
    return path


def test_the_perceptual_loss_counts_where_its_network_is_given(config, data, tmp_path, network_file):
    config = replace(
        config,
        losses=LossWeights(charbonnier=1.0, perceptual=0.1),
        perceptual=str(network_file),
        perceptual_sha256=hashlib.sha256(network_file.read_bytes()).hexdigest(),
    )
    train(config, data=data, options=RunOptions(folder=tmp_path / "run"))
    line = read_log(tmp_path / "run")[0]
    assert line["total"] == pytest.approx(line["charbonnier"] + 0.1 * line["perceptual"], rel=1e-5)
    assert line["perceptual"] > 0


def test_a_perceptual_network_that_is_not_there_is_no_silent_zero(config, data, tmp_path):
    losses = LossWeights(charbonnier=1.0, perceptual=0.1)
    with pytest.raises(OptionError, match="without the weights of its network"):
        replace(config, losses=losses)
    absent = replace(config, losses=losses, perceptual=str(tmp_path / "no"), perceptual_sha256="0" * 64)
    with pytest.raises(CheckpointError, match="no"):
        train(absent, data=data, options=RunOptions(folder=tmp_path / "run"))


def test_a_run_that_is_taken_up_does_not_fit_its_start_again(config, data, tmp_path, monkeypatch, stop_after):
    train(config, data=data, options=RunOptions(folder=tmp_path, on_iteration=stop_after(3)))
    monkeypatch.setattr(KLTConfig, "start", lambda *_, **__: pytest.fail("it was fitted again"))
    train(config, data=data, options=RunOptions(folder=tmp_path, resume=True))
    assert len(totals(tmp_path)) == 8
