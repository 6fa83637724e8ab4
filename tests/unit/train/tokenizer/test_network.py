"""What a training step runs: the clips of a batch there and back, each as it was drawn."""

from dataclasses import replace

import pytest
import torch

from tubelet.codec.symbols import BASE_STEP
from tubelet.quantizers.scalar import ScalarQuantizer
from tubelet.train.tokenizer.network import Drawn, Network


@pytest.fixture
def network(config) -> Network:
    model = replace(config.model, variational=False)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = Network.build(model, None).eval()
    network.tokenizer.model.transform.deviation.copy_(torch.linspace(4, 0.5, 16))
    return network


@pytest.fixture
def video() -> torch.Tensor:
    return torch.rand(2, 3, 5, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


@torch.no_grad()
def test_what_is_rounded_is_what_a_file_gives_back(network, video):
    video = video[:1]
    latent = network.tokenizer.encode(video)
    quantizer = ScalarQuantizer.scaled(BASE_STEP / network.tokenizer.model.transform.deviation[:8], 2.0)
    stored = quantizer.dequantize(quantizer.quantize(latent))
    expected = network.tokenizer.decode(stored, frames=5, height=16, width=16)
    counts = torch.full((1, 1, *latent.shape[2:]), 8)
    found = network(video, Drawn(counts=counts, steps=torch.tensor([2.0]))).video
    assert torch.allclose(found, expected, atol=1e-5)
    assert not torch.allclose(found, network(video, Drawn(counts=counts)).video, atol=1e-3)


def test_gradients_pass_the_rounding(network, video):
    counts = torch.full((2, 1, *network.tokenizer.encode(video).shape[2:]), 8)
    for block in network.tokenizer.model.encoder.parameters():
        block.requires_grad_()
    network(video, Drawn(counts=counts, steps=torch.tensor([4.0, 0.0]))).video.square().mean().backward()
    assert network.tokenizer.model.encoder.leave.weight.grad.abs().sum() > 0


@torch.no_grad()
def test_a_clip_without_budget_or_step_is_as_if_nothing_were_drawn(network, video):
    counts = torch.full((2, 1, *network.tokenizer.encode(video).shape[2:]), 8)
    plain = network(video, Drawn(counts=counts)).video
    drawn = Drawn(counts=counts, budgets=torch.tensor([2.0, torch.inf]), steps=torch.tensor([1.0, 0.0]))
    found = network(video, drawn).video
    assert torch.allclose(found[1], plain[1], atol=1e-6)
    assert not torch.allclose(found[0], plain[0], atol=1e-3)


@torch.no_grad()
def test_a_budget_is_better_spent_than_the_same_number_everywhere(network):
    generator = torch.Generator().manual_seed(2)
    busy = torch.rand(1, 3, 5, 16, 16, generator=generator) * 2 - 1
    video = torch.where(torch.arange(16) < 6, busy, 0.0)
    cells = network.tokenizer.encode(video).shape[2:]
    uniform = Drawn(counts=torch.full((1, 1, *cells), 3))
    spent = Drawn(counts=torch.full((1, 1, *cells), 8), budgets=torch.tensor([3.0]))
    errors = [(network(video, each).video - video).square().mean() for each in (spent, uniform)]
    assert errors[0] < errors[1]
