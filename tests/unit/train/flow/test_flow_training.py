"""Training of a flow: what moves, what never does, and runs that become tokenizers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tubelet
from tubelet.data.crops import open_crops
from tubelet.data.feed import draw_batch
from tubelet.data.prepare import PrepareConfig, prepare_crops
from tubelet.errors import OptionError
from tubelet.models.flow import start
from tubelet.models.flow.config import FlowConfig
from tubelet.models.klt.config import KLTConfig
from tubelet.recipes.flow import flow, flow_perceptual
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.config import Optimizer
from tubelet.train.flow import task as flow_task
from tubelet.train.flow.config import FlowLosses, FlowStage, FlowTrainConfig
from tubelet.train.flow.export import export_flow, is_flow
from tubelet.train.flow.network import FlowNetwork
from tubelet.train.flow.task import FlowTask, train_flow
from tubelet.train.journal import read_log
from tubelet.train.loop import RunOptions
from tubelet.train.task import Place
from tubelet.train.tokenizer.batches import to_video
from tubelet.train.tokenizer.config import Prefixes

BASE = KLTConfig(name="base", coefficients=(24,), channels=16, width=8, encoder_blocks=1, decoder_blocks=1)
MODEL = FlowConfig(name="tiny", base=BASE, width=8, blocks=1)
SAMPLES = FlowLosses(log_mse=0.5, log_detail=0.2, log_difference=0.1)
PLACE = Place(iteration=0, indices=range(2), progress=0.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    random = np.random.default_rng(0)
    for index in range(4):
        stripes = 128 + 50 * np.sin(np.arange(72) / 7 + index) + 30 * (-1) ** np.arange(72)
        clip = stripes.reshape(1, 1, 72, 1) + random.normal(0, 2, (9, 72, 72, 3))
        np.save(folder / f"{index}.npy", clip.clip(0, 255).astype(np.uint8))
    prepared = tmp_path_factory.mktemp("crops") / "data"
    prepare_crops(sorted(folder.iterdir()), prepared, PrepareConfig(crop=64, frames=9, per_clip=4))
    return prepared


@pytest.fixture(scope="module")
def crops(data):
    return open_crops(data)


@pytest.fixture(scope="module")
def base(crops, tmp_path_factory):
    tokenizer = ContinuousTokenizer(BASE.start(crops, seed=0), config=BASE)
    return str(tokenizer.save(tmp_path_factory.mktemp("base") / "base"))


@pytest.fixture(autouse=True)
def few_windows(monkeypatch):
    monkeypatch.setattr(start, "WINDOWS", 6)


def config(base, **changes):
    numbers = {
        "iterations": 4,
        "bfloat16": False,
        "optimizer": Optimizer(lr=1e-3),
        "prefixes": Prefixes(counts=(2, 4), weights=(1.0, 1.0), maps=0.5),
        "stages": (FlowStage(batch=2, frames=9, side=32),),
        "base": base,
    }
    return FlowTrainConfig(model=MODEL, **(numbers | changes))


def batch_of(task):
    (stage,) = task.config.stages
    draw = flow_task._draw(task.config, stage)
    return draw_batch(task._crops, draw, seed=0, step=0, indices=range(2))


@pytest.mark.parametrize("losses", [FlowLosses(velocity=1.0), SAMPLES])
def test_losses_move_the_flow_and_never_the_tokenizer(crops, base, losses, tmp_path):
    task = FlowTask(config(base, losses=losses), crops, data=tmp_path)
    network = task.start()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in network.model.refiner.parameters():
            weights.add_(0.1 * torch.randn(weights.shape, generator=generator))
    task.set_trainable(network, None)
    terms = task.outcome(network, network, batch_of(task), PLACE, None).terms
    assert set(terms) == ({"velocity"} if losses.velocity else {"log_mse", "log_detail", "log_difference"})
    sum(term.weight * term.value for term in terms.values()).backward()
    for name, weights in network.named_parameters():
        moved = weights.grad is not None and bool(weights.grad.abs().sum() > 0)
        assert moved == ("refiner" in name), name


def test_a_flow_goes_on_with_more_blocks_and_refines_as_before_until_they_are_trained(data, base, tmp_path):
    train_flow(
        config(base, losses=SAMPLES, iterations=2), data=data, options=RunOptions(folder=tmp_path / "run")
    )
    shallow = tubelet.load(export_flow(tmp_path / "run", tmp_path / "shallow"))
    deep = replace(
        config(base, losses=SAMPLES, start=str(tmp_path / "shallow")), model=replace(MODEL, blocks=3)
    )
    network = FlowTask(deep, open_crops(data), data=data).start()
    clip = to_video(open_crops(data)[0][None].copy())
    latent = shallow.encode(clip, channels=4)
    size = dict(zip(("frames", "height", "width"), clip.shape[2:], strict=True))
    before = shallow.refined(2, seed=3).decode(latent, **size)
    assert torch.allclose(network.tokenizer.refined(2, seed=3).decode(latent, **size), before, atol=1e-6)
    task = FlowTask(deep, open_crops(data), data=data)
    task.outcome(network, network, batch_of(task), PLACE, None).terms["log_mse"].value.backward()
    assert all(block.draw.map.weight.grad.abs().sum() > 0 for block in network.model.refiner.network.blocks)
    train_flow(deep, data=data, options=RunOptions(folder=tmp_path / "deep"))
    assert tubelet.load(export_flow(tmp_path / "deep", tmp_path / "deeper")).config.blocks == 3
    with pytest.raises(OptionError, match="blocks is 3 there and 1 in the run"):
        FlowTask(config(base, start=str(tmp_path / "deeper")), open_crops(data), data=data).start()
    with pytest.raises(OptionError, match="width is 8 there and 16 in the run"):
        FlowTask(replace(deep, model=replace(MODEL, width=16)), open_crops(data), data=data).start()


def test_weaker_noise_is_that_of_the_start_made_smaller(crops, base, tmp_path):
    plain, weak = (FlowTask(config(base, noise=each), crops, data=tmp_path).start() for each in (1.0, 0.5))
    assert torch.equal(0.5 * plain.model.refiner.deviation, weak.model.refiner.deviation)
    with pytest.raises(OptionError, match=r"noise is 0.0; it is a factor above 0"):
        config(base, noise=0.0)


def test_what_is_sampled_in_training_is_what_the_tokenizer_decodes(crops, base, tmp_path):
    task = FlowTask(config(base, losses=SAMPLES), crops, data=tmp_path)
    network = task.start()
    torch.nn.init.normal_(network.model.refiner.network.leave.weight, std=0.1, generator=torch.Generator())
    clips = to_video(batch_of(task))
    refined = network.tokenizer.refined(3, seed=5)
    counts = torch.full((2, 1, 3, 4, 4), 4)
    frozen = network.frozen(clips, counts)
    noise = refined.model.noise(slice(0, 4), slice(0, 4))["noise"].expand_as(frozen.residual)
    with torch.no_grad():
        end = network(noise, frozen, time=torch.zeros(2, 1, 1, 1, 1), steps=3)
        video = network.to_video(frozen, end, clips)
        decoded = refined.decode(
            network.tokenizer.encode(clips), counts=counts, frames=9, height=32, width=32
        )
    assert torch.allclose(video, decoded, atol=1e-5)


def test_the_true_residual_gives_back_the_coefficients_that_a_clip_has(crops, base, tmp_path):
    task = FlowTask(config(base), crops, data=tmp_path)
    network = task.start()
    clips = to_video(batch_of(task))
    frozen = network.frozen(clips, torch.full((2, 1, 3, 4, 4), 4))
    model, grouping = network.model.base, network.tokenizer.grouping
    back = grouping.ungroup(
        model.transform.inverse(model.transform(grouping.group(clips))), frames=9, height=32, width=32
    )
    assert torch.allclose(network.to_video(frozen, frozen.residual, clips), back, atol=1e-4)


def test_a_run_becomes_a_tokenizer_whose_latent_is_that_of_the_frozen_one(data, base, tmp_path):
    train_flow(config(base), data=data, options=RunOptions(folder=tmp_path / "run"))
    assert is_flow(tmp_path / "run")
    tokenizer = tubelet.load(export_flow(tmp_path / "run", tmp_path / "mine"))
    assert tokenizer.config == replace(MODEL, name="mine")
    assert "refines the frames of base" in (tmp_path / "mine" / "card.md").read_text(encoding="utf-8")
    clip = to_video(open_crops(data)[0][None].copy())
    assert torch.equal(tokenizer.encode(clip), tubelet.load(base).encode(clip))
    assert torch.equal(tokenizer(clip), tubelet.load(base)(clip))
    again = config(base, start=str(tmp_path / "mine"), losses=SAMPLES, iterations=2, steps=(1, 2))
    train_flow(again, data=data, options=RunOptions(folder=tmp_path / "run2"))
    log = [line for line in read_log(tmp_path / "run2") if "total" in line]
    assert all(np.isfinite(line["log_detail"]) for line in log)


@pytest.mark.parametrize("losses", [FlowLosses(velocity=1.0), FlowLosses(log_mse=1.0)])
def test_gradients_lead_to_smaller_losses(crops, base, losses, tmp_path):
    wide = replace(MODEL, width=32)
    task = FlowTask(replace(config(base, losses=losses), model=wide), crops, data=tmp_path)
    network, batch = task.start(), batch_of(task)
    task.set_trainable(network, None)
    optimizer = torch.optim.Adam(network.model.refiner.parameters(), lr=1e-2)
    found: list[float] = []
    for _ in range(25):
        (term,) = task.outcome(network, network, batch, PLACE, None).terms.values()
        term.value.backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(term.value.item())
    assert found[-1] < found[0] - 0.2


def test_numbers_of_a_run_that_make_no_sense_are_refused(crops, base, tmp_path):
    with pytest.raises(OptionError, match="prefixes go to 32 channels and the model has 16"):
        config(base, prefixes=Prefixes(counts=(32,), weights=(1.0,)))
    with pytest.raises(OptionError, match="rise to 1"):
        config(base, stages=(FlowStage(until=0.5),))
    with pytest.raises(OptionError, match="steps are"):
        config(base, steps=(0,))
    with pytest.raises(OptionError, match="nothing to learn"):
        config(base, losses=FlowLosses())
    with pytest.raises(OptionError, match="without the weights of its network"):
        FlowTask(config(base, losses=FlowLosses(perceptual=1.0)), crops, data=tmp_path)
    with pytest.raises(OptionError, match="window lies inside a crop"):
        FlowTask(config(base, stages=(FlowStage(side=72),)), crops, data=tmp_path)
    with pytest.raises(
        OptionError, match=r"tubelet-s is not the tokenizer of the run: coefficients is \(256,\) there"
    ):
        FlowTask(config("tubelet-s"), crops, data=tmp_path).start()


def test_the_recipes_fit_the_tokenizer_that_they_refine():
    for recipe in (flow(), flow_perceptual()):
        assert recipe.model.base == replace(tubelet.load(recipe.base).config, name=recipe.model.base.name)
        assert {4, 16} <= set(recipe.prefixes.counts)
    network = FlowNetwork(flow().model.build(), flow().model)
    # What is stored: a byte a weight (decision 0055), four a number of the transform.
    stored = (
        sum(p.numel() for p in network.parameters())
        + 3 * network.model.base.transform.levels[0].basis.numel()
    )
    assert stored < 8e6
