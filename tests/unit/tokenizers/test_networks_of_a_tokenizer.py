"""What networks add to a tokenizer: budgets per position, a distribution, statistics, number formats."""

import math

import pytest
import torch

from tubelet.errors import OptionError
from tubelet.models.klt.model import FIRST_DEVIATION
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.posterior import Posterior

SIZE = {"frames": 9, "height": 21, "width": 35}


@pytest.fixture(scope="module")
def video():
    return torch.rand(2, 3, *SIZE.values(), generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture(scope="module")
def variational(make_tokenizer):
    return make_tokenizer(width=16, encoder_blocks=1, decoder_blocks=1, variational=True).tokenizer


@pytest.mark.parametrize("kind", ["small_tokenizer", "network_tokenizer"])
@pytest.mark.parametrize("channels", [1, 5, 12])
def test_a_map_of_equal_counts_decodes_as_a_prefix(request, video, kind, channels):
    tokenizer = request.getfixturevalue(kind)
    latent = tokenizer.encode(video)
    counts = torch.full((2, 1, *latent.shape[2:]), channels)
    expected = tokenizer.decode(latent[:, :channels], **SIZE)
    assert torch.allclose(tokenizer.decode(latent, **SIZE, counts=counts), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["small_tokenizer", "network_tokenizer"])
def test_channels_beyond_a_positions_count_are_not_looked_at(request, video, kind):
    tokenizer = request.getfixturevalue(kind)
    latent = tokenizer.encode(video)
    counts = torch.randint(0, 13, (2, 1, *latent.shape[2:]), generator=torch.Generator().manual_seed(2))
    beyond = torch.arange(12)[:, None, None, None] >= counts
    changed = torch.where(beyond, latent + 5, latent)
    assert torch.equal(
        tokenizer.decode(latent, **SIZE, counts=counts), tokenizer.decode(changed, **SIZE, counts=counts)
    )


def test_counts_are_per_position(network_tokenizer, video):
    latent = network_tokenizer.encode(video)
    counts = torch.full((2, 1, *latent.shape[2:]), 12)
    full = network_tokenizer.decode(latent, **SIZE, counts=counts)
    counts[:, :, -1, 0, 0] = 0
    changed = (network_tokenizer.decode(latent, **SIZE, counts=counts) != full).any(dim=1)
    assert changed[:, -1, 0, 0].all()
    assert not changed[:, :-4].any()


def test_the_mean_of_the_posterior_is_what_encode_gives(variational, video):
    assert torch.equal(variational.posterior(video).mean, variational.encode(video))


def test_a_tokenizer_without_a_distribution_says_so(network_tokenizer, video):
    with pytest.raises(OptionError, match="tubelet-m-vae"):
        network_tokenizer.posterior(video)


def test_a_distribution_needs_an_encoder(make_tokenizer):
    with pytest.raises(OptionError, match="linear encoder gives no distribution"):
        make_tokenizer(variational=True)


def test_an_untrained_posterior_is_narrow(make_tokenizer, video):
    config = make_tokenizer(width=16, encoder_blocks=1, decoder_blocks=1, variational=True).config
    posterior = ContinuousTokenizer.of(config).posterior(video)
    assert torch.allclose(posterior.log_variance, torch.tensor(2 * math.log(FIRST_DEVIATION)))


def test_samples_have_the_mean_and_the_variance_of_the_posterior():
    posterior = Posterior(
        mean=torch.full((1, 1, 50, 50, 50), 3.0), log_variance=torch.full((1, 1, 50, 50, 50), -2.0)
    )
    drawn = posterior.sample(torch.Generator().manual_seed(0))
    assert drawn.mean() == pytest.approx(3, abs=0.01)
    assert drawn.var() == pytest.approx(math.exp(-2), rel=0.02)
    assert torch.equal(drawn, posterior.sample(torch.Generator().manual_seed(0)))


def test_gradients_reach_the_mean_and_the_variance():
    mean, log_variance = (torch.zeros(1, 1, 2, 2, 2, requires_grad=True) for _ in range(2))
    drawn = Posterior(mean=mean, log_variance=log_variance).sample(torch.Generator().manual_seed(0))
    drawn.square().sum().backward()
    assert mean.grad is not None and mean.grad.any()
    assert log_variance.grad is not None and log_variance.grad.any()


def test_the_divergence_is_that_of_torch(variational, video):
    posterior = variational.posterior(video)
    one = torch.distributions.Normal(posterior.mean, (posterior.log_variance / 2).exp())
    slow = torch.distributions.kl_divergence(one, torch.distributions.Normal(0.0, 1.0))
    assert torch.allclose(posterior.kl(), slow.sum(dim=(1, 2, 3, 4)), rtol=1e-4)


def test_standardising_changes_the_latent_and_not_the_video(make_tokenizer, video):
    tokenizer = make_tokenizer(width=16, encoder_blocks=1, decoder_blocks=1, variational=True).tokenizer
    before, spread = tokenizer.encode(video), tokenizer.posterior(video).log_variance
    expected = tokenizer.decode(before[:, :7], **SIZE)
    mean, deviation = before.mean(dim=(0, 2, 3, 4)), before.std(dim=(0, 2, 3, 4))
    tokenizer.model.standardise({"latent": (mean, deviation)})
    after = tokenizer.encode(video)
    assert after.mean(dim=(0, 2, 3, 4)).abs().max() < 1e-5
    assert (after.std(dim=(0, 2, 3, 4)) - 1).abs().max() < 1e-5
    assert torch.allclose(tokenizer.decode(after[:, :7], **SIZE), expected, atol=1e-5)
    widths = (tokenizer.posterior(video).log_variance - spread)[0, :, 0, 0, 0] / 2
    assert torch.allclose(widths.exp() * deviation, torch.ones(12), atol=1e-5)
    tokenizer.model.standardise({"latent": (mean, deviation)})
    assert not torch.equal(tokenizer.encode(video), after)


def test_a_linear_tokenizer_is_standardised_already(small_tokenizer):
    before = {name: each.clone() for name, each in small_tokenizer.weights().items()}
    small_tokenizer.model.standardise({"latent": (torch.ones(12), torch.full((12,), 2.0))})
    assert all(torch.equal(before[name], each) for name, each in small_tokenizer.weights().items())


def test_networks_in_bfloat16_keep_the_precision_of_the_transform(make_tokenizer, video):
    tokenizer = make_tokenizer(width=16, encoder_blocks=1, decoder_blocks=1).tokenizer
    expected = tokenizer.encode(video)
    latent = tokenizer.networks_to(torch.bfloat16).encode(video)
    assert latent.dtype == torch.float32
    assert (latent - expected).abs().max() < 0.15
    assert not torch.equal(latent, expected)
    assert tokenizer.decode(latent, **SIZE).dtype == torch.float32


def test_networks_in_bfloat16_stream_bit_for_bit(make_tokenizer, video):
    tokenizer = make_tokenizer(width=16, encoder_blocks=1, decoder_blocks=1).tokenizer.networks_to(
        torch.bfloat16
    )
    latents = []
    for cuts in ((9,), (1, 3, 5)):
        stream = tokenizer.stream_encoder()
        latents.append(torch.cat([*map(stream.push, video.split(cuts, dim=2)), stream.finish()], dim=2))
    assert torch.equal(*latents)


def test_operations_per_pixel_count_every_multiplication_twice(make_tokenizer):
    linear = make_tokenizer().tokenizer
    assert linear.flops_per_pixel() == 2 * 2 * 12 * 768 / 256
    network = make_tokenizer(width=16, encoder_blocks=1, decoder_blocks=2).tokenizer
    block = (9 + 3 + 9) * 16 * 16
    stacks = 12 * 16 + block + 16 * 12 + 13 * 16 + 2 * block + 16 * 12
    assert network.flops_per_pixel() == 2 * (2 * 12 * 768 + stacks) / 256


def test_a_network_without_memory_sees_every_step_by_itself(make_tokenizer, video):
    tokenizer = make_tokenizer(
        width=16, encoder_blocks=1, decoder_blocks=1, memory=0, lead_frame=False
    ).tokenizer
    whole = tokenizer.encode(video)
    assert torch.allclose(tokenizer.encode(video[:, :, 4:8]), whole[:, :, 1:2], rtol=0, atol=1e-5)
    assert tokenizer.warm_up == 0
