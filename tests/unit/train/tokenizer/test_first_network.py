"""What a run begins with when it starts from a tokenizer that was trained before."""

from dataclasses import replace

import pytest
import torch

from tubelet.data.crops import open_crops
from tubelet.errors import OptionError
from tubelet.models.klt.model import FIRST_DEVIATION
from tubelet.quantizers.config import LFQConfig, VQConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.tokenizer.config import LossWeights, Prefixes
from tubelet.train.tokenizer.start import first_network


@pytest.fixture
def plain(config):
    """A run of a model without a distribution."""
    model = replace(config.model, variational=False)
    return replace(config, model=model, losses=LossWeights(charbonnier=1.0), noise=0.0)


@pytest.fixture
def trained(plain, data, tmp_path) -> tuple[ContinuousTokenizer, str]:
    """A tokenizer whose networks do something, and its folder."""
    model = plain.model.start(open_crops(data), seed=0)
    tokenizer = ContinuousTokenizer(model, lead_frame=plain.model.lead_frame, config=plain.model)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for stack in model.networks():
            for parameter in stack.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    tokenizer.save(tmp_path / "trained", card="# Trained\n")
    return tokenizer, str(tmp_path / "trained")


@pytest.fixture
def video() -> torch.Tensor:
    return torch.rand(2, 3, 5, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


@torch.no_grad()
def test_a_distribution_begins_as_a_narrow_one_around_the_same_latent(config, trained, data, video):
    tokenizer, folder = trained
    begun = first_network(replace(config, start=folder), open_crops(data)).tokenizer
    posterior = begun.posterior(video)
    assert torch.allclose(posterior.mean, tokenizer.encode(video), atol=1e-2)  # weights are stored rounded
    assert torch.allclose((posterior.log_variance / 2).exp(), torch.tensor(FIRST_DEVIATION), rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("quantizer", [VQConfig(codes=40), LFQConfig()], ids=["vq", "lfq"])
def test_a_quantiser_is_fitted_to_the_latent_of_a_continuous_start(plain, trained, data, video, quantizer):
    tokenizer, folder = trained
    run = replace(
        plain,
        model=replace(plain.model, channels=4),
        quantizer=quantizer,
        prefixes=Prefixes(counts=(4,), weights=(1.0,), maps=0.0),
        start=folder,
    )
    network = first_network(run, open_crops(data))
    assert torch.allclose(network.tokenizer.encode(video), tokenizer.encode(video)[:, :4], atol=1e-2)
    latent = network.tokenizer.encode(video)
    fitted = network.quantizer
    fresh = quantizer.build(4)

    def error(each):
        return (each.dequantize(each.quantize(latent)) - latent).square().mean()

    assert error(fitted) <= error(fresh)


def test_a_distribution_is_not_taken_away(config, plain, trained, data, tmp_path):
    _, folder = trained
    crops = open_crops(data)
    first_network(replace(config, start=folder), crops).tokenizer.save(tmp_path / "vae", card="# VAE\n")
    with pytest.raises(OptionError, match="a continuous one of as many channels or more"):
        first_network(replace(plain, start=str(tmp_path / "vae")), crops)


def test_channels_are_not_added(plain, trained, data):
    wider = replace(plain, model=replace(plain.model, channels=9), start=trained[1])
    with pytest.raises(OptionError, match="channels can only be left out"):
        first_network(wider, open_crops(data))
