"""A tokenizer learns to predict: what is dropped from its latent, what is weighed, and how it begins."""

from dataclasses import replace

import pytest
import torch

from tubelet import checkpoint
from tubelet.errors import OptionError
from tubelet.recipes.fidelity import predictive
from tubelet.train.loop import RunOptions
from tubelet.train.task import Place
from tubelet.train.tokenizer.config import LossWeights, Stage
from tubelet.train.tokenizer.draws import draw_ahead
from tubelet.train.tokenizer.export import export_run
from tubelet.train.tokenizer.losses import Batch, terms_of
from tubelet.train.tokenizer.network import Drawn, Network
from tubelet.train.tokenizer.task import train


@pytest.fixture
def predicting(config):
    """A short run of a small model that predicts three steps."""
    return replace(
        config,
        model=replace(config.model, variational=False, ahead=3),
        losses=LossWeights(log_mse=0.1, log_difference=0.03),
        noise=0.0,
        scenes=0.5,
    )


@pytest.fixture
def network(predicting) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = Network.build(predicting.model, None).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network


def clips(frames: int = 9) -> torch.Tensor:
    return torch.rand(2, 3, frames, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def reconstruct(network: Network, video: torch.Tensor, ahead: int, channels: int = 8):
    steps = network.tokenizer.grouping.steps(video.shape[2])
    return network(video, Drawn(counts=torch.full((2, 1, steps, 4, 4), channels), ahead=ahead))


@torch.no_grad()
def test_what_is_predicted_in_training_is_what_decode_gives_ahead(network):
    video = clips()
    found = reconstruct(network, video, ahead=2, channels=5)
    latent = network.tokenizer.encode(video[:, :, :5])
    counts = torch.full((2, 1, 3, 4, 4), 5)
    expected = network.tokenizer.decode(latent, frames=5, height=16, width=16, counts=counts, ahead=2)
    assert found.ahead == 4
    assert torch.allclose(found.video, expected, atol=1e-5)
    # Nothing of the frames that are to be predicted is seen.
    other = video.clone()
    other[:, :, 5:] = -other[:, :, 5:]
    assert torch.equal(reconstruct(network, other, ahead=2, channels=5).video, found.video)


def test_known_and_predicted_frames_are_weighed_apart(network, predicting):
    video = clips()
    place = Place(iteration=0, indices=range(2), progress=0.0)

    def terms(ahead: int):
        batch = Batch(video=video, back=reconstruct(network, video, ahead=ahead), place=place)
        return batch.back.video, terms_of(predicting, batch, perceptual=None, discriminator=None)

    back, found = terms(2)
    assert {name: term.weight for name, term in found.items()} == {
        "log_mse": 0.1,
        "log_mse_ahead": 0.05,
        "log_difference": 0.03,
        "log_difference_ahead": 0.015,
    }
    error = (back - video).square()
    floor = predicting.losses.log_floor
    for name, part in (("log_mse", error[:, :, :5]), ("log_mse_ahead", error[:, :, 5:])):
        assert torch.allclose(found[name].value, (part.mean(dim=(1, 2, 3, 4)) + floor).log().mean())
    change = ((back - video)[:, :, 5:] - (back - video)[:, :, 4:-1]).square().mean(dim=(1, 2, 3, 4))
    assert torch.allclose(found["log_difference_ahead"].value, (change + floor).log().mean())
    assert set(terms(0)[1]) == {"log_mse", "log_difference"}
    found["log_mse_ahead"].value.backward()
    gradients = {name: each.grad for name, each in network.named_parameters() if each.grad is not None}
    assert gradients["tokenizer.model.prefix.padding"][:2].any()
    assert gradients["tokenizer.model.encoder.leave.weight"].any()  # the latent itself becomes predictable


def test_every_number_of_steps_is_dropped_as_often_and_by_seed_and_step_alone():
    drawn = [draw_ahead(3, seed=1, step=step) for step in range(400)]
    assert drawn == [draw_ahead(3, seed=1, step=step) for step in range(400)]
    assert all(70 < drawn.count(steps) < 130 for steps in range(4))
    assert drawn != [draw_ahead(3, seed=2, step=step) for step in range(400)]


def test_a_trained_tokenizer_goes_on_as_one_that_predicts(predicting, data, tmp_path, monkeypatch):
    monkeypatch.setattr("tubelet.train.tokenizer.ready.MEASURED", 16)
    plain = replace(predicting, model=replace(predicting.model, ahead=0), iterations=2)
    train(plain, data=data, options=RunOptions(folder=tmp_path / "plain"))
    measured: list[int] = []
    start = export_run(tmp_path / "plain", tmp_path / "start", on_windows=measured.append)
    assert sum(measured) == 16
    going_on = replace(
        predicting, start=str(start), stages=(Stage(batch=2, frames=9, side=16),), iterations=4, seed=3
    )
    train(going_on, data=data, options=RunOptions(folder=tmp_path / "run"))
    tokenizer = checkpoint.load(export_run(tmp_path / "run", tmp_path / "predicting"))
    assert tokenizer.ahead == 3
    latent = tokenizer.encode(clips())
    assert tokenizer.decode(latent, frames=9, height=16, width=16, ahead=4).shape == (2, 3, 17, 16, 16)
    assert tokenizer.model.prefix.padding.any()


def test_only_continuous_tokenizers_predict_and_only_from_steps_before(discrete, predicting):
    with pytest.raises(OptionError, match="continuous tokenizers predict"):
        replace(discrete, model=replace(discrete.model, ahead=2))
    with pytest.raises(OptionError, match="the weight is not negative"):
        replace(predicting, ahead_weight=-1.0)
    with pytest.raises(OptionError, match="ahead is 3 and the decoder looks at no step before"):
        replace(predicting.model, memory=0).build()


def test_the_recipe_starts_from_trained_weights_and_ends_with_the_decoder_alone():
    config = predictive()
    assert config.start == "tubelet-m16"
    assert not config.stages[-1].encoder
    assert config.model.ahead == config.stages[-1].frames // 4 - 1
