"""Bits of a latent in the loss: how they are estimated, what they weigh, and that a run goes on with them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tubelet import checkpoint
from tubelet.codec.budget import price_of_step
from tubelet.errors import OptionError
from tubelet.recipes.fidelity import m_rate
from tubelet.train.loop import RunOptions
from tubelet.train.tokenizer.config import LossWeights
from tubelet.train.tokenizer.draws import draw_dither
from tubelet.train.tokenizer.export import export_run
from tubelet.train.tokenizer.losses import bits_over_error
from tubelet.train.tokenizer.network import Drawn, Network, Reconstruction
from tubelet.train.tokenizer.rate import RateModel
from tubelet.train.tokenizer.task import train


@pytest.fixture
def model():
    """Some shares and scales of three channels, in float64."""
    found = RateModel(3).double()
    with torch.no_grad():
        found.share.copy_(torch.tensor([-0.1, 0.0, 0.3]))
        found.scale.copy_(torch.tensor([[0.0, 0.05, -0.1], [-0.05, 0.1, 0.0]]))
    return found


def latent(steps=4, **options):
    return torch.randn(2, 3, steps, 2, 5, generator=torch.Generator().manual_seed(0), **options).double()


def all_of(values, channels=3):
    return torch.full((values.shape[0], 1, *values.shape[2:]), channels)


@torch.no_grad()
def test_bits_are_those_of_a_logistic_distribution_around_a_share_of_the_step_before(model):
    values, steps = latent(), torch.tensor([[0.1, 0.5, 2.0], [1.0, 0.2, 0.3]]).double()
    found = model(values, steps, all_of(values))
    for clip in range(2):
        wanted = 0.0
        for channel in range(3):
            share = torch.sigmoid(10 * model.share[channel])
            for step in range(4):
                mean = share * values[clip, channel, step - 1] if step else torch.zeros(2, 5).double()
                scale = torch.exp(-0.6 + 10 * model.scale[min(step, 1), channel])
                off, half = values[clip, channel, step] - mean, steps[clip, channel] / 2
                likely = torch.sigmoid((off + half) / scale) - torch.sigmoid((off - half) / scale)
                wanted -= float(likely.log2().sum())
        assert float(found[clip]) == pytest.approx(wanted, rel=1e-9)


@torch.no_grad()
def test_all_symbols_together_are_certain(model):
    """In the first step, where nothing is known: the likelihoods of all multiples of a step add up to one."""
    steps = torch.full((1, 3), 0.4).double()
    multiples = 0.4 * torch.arange(-400, 401).double()
    bits = torch.stack(
        [
            model(torch.full((1, 3, 1, 1, 1), value).double(), steps, torch.ones(1, 1, 1, 1, 1).long())
            for value in multiples
        ]
    )
    assert float((2.0**-bits).sum()) == pytest.approx(1.0, abs=1e-6)


def test_far_off_values_have_finite_bits_and_gradients(model):
    values = (1e4 * latent()).requires_grad_()
    model(values, torch.full((2, 3), 1e-3).double(), all_of(values)).sum().backward()
    assert bool(values.grad.isfinite().all())
    assert float(values.grad.abs().max()) > 0


@torch.no_grad()
def test_channels_that_a_position_lacks_take_no_bits(model):
    values, steps = latent(), torch.ones(2, 3).double()
    counts = all_of(values, 2)
    counts[:, :, 1:] = 0
    changed = values.clone()
    changed[:, 2] += 1
    assert torch.equal(model(values, steps, counts), model(changed, steps, counts))
    assert float(model(values, steps, torch.zeros_like(counts)).abs().max()) == 0


def test_the_noise_of_a_batch_is_that_of_its_parts_and_even():
    keys = {"seed": 3, "step": 5}
    whole = draw_dither((8, 3, 6, 6), indices=range(6), **keys)
    parts = [draw_dither((8, 3, 6, 6), indices=each, **keys) for each in (range(2), range(2, 6))]
    assert torch.equal(whole, torch.cat(parts))
    assert float(whole.abs().max()) <= 0.5
    assert float(whole.var()) == pytest.approx(1 / 12, rel=0.05)


@pytest.fixture
def rated(config):
    """A short run of a small model that counts bits."""
    return replace(
        config,
        model=replace(config.model, variational=False),
        losses=LossWeights(log_mse=0.1, rate=0.1),
        noise=0.0,
        quantized=0.7,
    )


def test_bits_are_worth_the_price_that_files_give_them(rated):
    network = Network.build(rated.model, None, rate=True)
    video = torch.rand(2, 3, 9, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    channels = network.tokenizer.channels
    drawn = Drawn(
        counts=torch.full((2, 1, 5, 4, 4), channels),
        steps=torch.tensor([0.0, 2.0]),
        dither=torch.zeros(2, channels, 5, 4, 4),
    )
    back = network(video, drawn)
    assert float(back.bits_worth[0].detach()) == 0, "a clip that is not rounded takes no bits"
    steps = network._steps(torch.tensor([1.0, 2.0]))
    bits = network.rate(back.latent, steps, drawn.counts)[1].detach()
    assert float(back.bits_worth[1].detach()) == pytest.approx(float(price_of_step(2.0) * bits), rel=1e-4)
    back.bits_worth.sum().backward()
    assert network.rate.share.grad is not None


def test_beside_the_logarithm_of_the_error_bits_weigh_what_they_are_worth():
    """The gradient of log(error) plus worth over error is that of error plus worth, over the error."""
    video = torch.zeros(2, 3, 1, 2, 2)
    back = torch.full((2, 3, 1, 2, 2), 0.5)
    worth = torch.tensor([3.0, 1.5], requires_grad=True)
    found = bits_over_error(video, Reconstruction(back, None, back, None, 0, worth), floor=0.0)
    assert float(found.detach()) == pytest.approx(np.mean([3.0, 1.5]) / (12 * 0.25))
    found.backward()
    assert worth.grad.tolist() == pytest.approx([1 / 3 / 2] * 2)


def test_a_run_learns_what_bits_are_and_exports_a_tokenizer(tmp_path, data, rated, monkeypatch):
    monkeypatch.setattr("tubelet.train.tokenizer.ready.MEASURED", 16)
    plain = replace(rated, losses=LossWeights(log_mse=0.1), iterations=1)
    train(plain, data=data, options=RunOptions(folder=tmp_path / "plain"))
    start = export_run(tmp_path / "plain", tmp_path / "start")
    going_on = replace(rated, start=str(start), iterations=4)
    state = train(going_on, data=data, options=RunOptions(folder=tmp_path / "run"))
    assert bool((state.network.rate.scale != 0).any())
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert sum('"rate"' in line for line in lines) == 4
    made = checkpoint.load(export_run(tmp_path / "run", tmp_path / "made"))
    assert made.channels == rated.model.channels


def test_bits_without_rounding_are_refused(rated):
    with pytest.raises(OptionError, match="Set quantized"):
        replace(rated, quantized=0.0)


def test_the_recipe_rounds_at_the_steps_of_usual_qualities():
    config = m_rate()
    assert config.losses.rate == config.losses.log_mse
    assert config.quantizer_steps[0] < config.quantizer_steps[1] < 6
