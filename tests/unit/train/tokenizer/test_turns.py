"""Latents that are turned: what they decode to is compared with the clip turned alike."""

from dataclasses import replace

import pytest
import torch

from tubelet.errors import OptionError
from tubelet.recipes.fidelity import m16_equivariant
from tubelet.train.task import Place
from tubelet.train.tokenizer.config import LossWeights
from tubelet.train.tokenizer.losses import Batch, terms_of
from tubelet.train.tokenizer.network import Drawn, Network
from tubelet.train.tokenizer.turns import TURNS, draw_turn, turned, turned_counts


@pytest.fixture
def turning(config):
    model = replace(config.model, variational=False)
    return replace(config, model=model, losses=LossWeights(log_mse=0.1, equivariance=0.2))


@pytest.fixture
def network(turning) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = Network.build(turning.model, None).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network


def clips(height: int = 16, width: int = 16) -> torch.Tensor:
    return torch.rand(2, 3, 5, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_every_turn_is_drawn_as_often_and_by_seed_and_step_alone():
    drawn = [draw_turn(seed=1, step=step) for step in range(300)]
    assert drawn == [draw_turn(seed=1, step=step) for step in range(300)]
    assert all(70 < drawn.count(turn) < 130 for turn in TURNS)
    assert drawn != [draw_turn(seed=2, step=step) for step in range(300)]


def test_a_turn_is_what_it_says():
    maps = torch.arange(8.0).reshape(1, 1, 1, 2, 4)
    assert turned(maps, "mirrored")[0, 0, 0].tolist() == [[3, 2, 1, 0], [7, 6, 5, 4]]
    assert turned(maps, "upside-down")[0, 0, 0].tolist() == [[4, 5, 6, 7], [0, 1, 2, 3]]
    assert turned(maps, "half-size")[0, 0, 0].tolist() == [[2.5, 4.5]]
    counts = torch.arange(8).reshape(1, 1, 1, 2, 4)
    assert turned_counts(counts, "half-size")[0, 0, 0].tolist() == [[0, 2]]
    assert turned_counts(counts, "mirrored").tolist() == turned(counts, "mirrored").tolist()


@torch.no_grad()
@pytest.mark.parametrize("turn", TURNS)
def test_the_turned_latent_is_decoded_with_its_channels(network, turn):
    video = clips()
    latent = network.tokenizer.encode(video)
    counts = torch.randint(0, 9, (2, 1, *latent.shape[2:]), generator=torch.Generator().manual_seed(2))
    found = network(video, Drawn(counts=counts, turn=turn)).turned
    assert torch.equal(found.reference, turned(video, turn))
    height, width = found.reference.shape[3:]
    expected = network.tokenizer.decode(
        turned(latent, turn), frames=5, height=height, width=width, counts=turned_counts(counts, turn)
    )
    assert torch.allclose(found.video, expected, atol=1e-5)
    assert network(video, Drawn(counts=counts)).turned is None


@torch.no_grad()
def test_positions_without_a_pair_are_left_out(network):
    video = clips(22, 15)
    cells = network.tokenizer.encode(video).shape[2:]
    found = network(video, Drawn(counts=torch.full((2, 1, *cells), 8), turn="half-size")).turned
    assert torch.equal(found.reference, turned(video[:, :, :, :16, :8], "half-size"))
    assert found.video.shape == found.reference.shape


def test_it_counts_with_its_weight_and_reaches_the_encoder(network, turning):
    video = clips()
    place = Place(iteration=0, indices=range(2), progress=0.0)
    cells = network.tokenizer.encode(video).shape[2:]
    back = network(video, Drawn(counts=torch.full((2, 1, *cells), 8), turn="mirrored"))
    terms = terms_of(turning, Batch(video=video, back=back, place=place), perceptual=None, discriminator=None)
    term = terms["equivariance"]
    errors = (back.turned.video - video.flip(4)).square().mean(dim=(1, 2, 3, 4))
    assert term.weight == 0.2
    assert torch.allclose(term.value, (errors + turning.losses.log_floor).log().mean())
    term.value.backward()
    assert network.tokenizer.model.encoder.leave.weight.grad.any()


def test_a_latent_that_predicts_is_not_turned(turning):
    with pytest.raises(OptionError, match=r"weight of equivariance is 0.2, .* predicts nothing"):
        replace(turning, model=replace(turning.model, ahead=2))


def test_the_recipe_goes_on_from_trained_weights():
    config = m16_equivariant()
    assert config.start == "tubelet-m16"
    assert config.losses.equivariance > 0
