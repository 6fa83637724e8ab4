import pytest
import torch

from tubelet.nn.blocks import RateGain
from tubelet.nn.prefix import PrefixInput


@pytest.fixture
def prefix() -> PrefixInput:
    module = PrefixInput(8).requires_grad_(requires_grad=False)
    module.fill.copy_(torch.arange(8) + 100.0)
    return module


LATENT = torch.randn(2, 8, 3, 4, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("known", [1, 3, 8])
def test_missing_channels_are_zero_on_the_skip_and_the_fill_in_the_network(prefix, known):
    told = prefix(LATENT[:, :known], None)
    assert torch.equal(told.skip[:, :known], LATENT[:, :known])
    assert torch.equal(told.inputs[:, :known], LATENT[:, :known])
    assert not told.skip[:, known:].any()
    assert (told.inputs[:, known:8] == prefix.fill[known:, None, None, None]).all()


def test_the_last_input_is_the_share_of_channels_that_are_there(prefix):
    counts = torch.randint(0, 9, (2, 1, 3, 4, 5))
    assert torch.equal(prefix(LATENT, counts).inputs[:, 8:], counts / 8)


def test_a_map_of_equal_counts_is_a_prefix(prefix):
    mapped = prefix(LATENT, torch.full((2, 1, 3, 4, 5), 3))
    plain = prefix(LATENT[:, :3], None)
    assert torch.equal(mapped.skip, plain.skip)
    assert torch.equal(mapped.inputs, plain.inputs)
    assert torch.equal(mapped.rates, plain.rates.expand_as(mapped.rates))


def test_what_lies_beyond_a_count_is_not_looked_at(prefix):
    counts = torch.randint(0, 9, (2, 1, 3, 4, 5))
    beyond = torch.arange(8)[:, None, None, None] >= counts
    one, other = prefix(LATENT, counts), prefix(torch.where(beyond, torch.nan, LATENT), counts)
    assert torch.equal(one.inputs, other.inputs)
    assert torch.equal(one.skip, other.skip)


def test_counts_beyond_the_given_channels_mean_all_of_them(prefix):
    assert torch.equal(
        prefix(LATENT[:, :3], torch.full((2, 1, 3, 4, 5), 7)).inputs,
        prefix(LATENT[:, :3], torch.full((2, 1, 3, 4, 5), 3)).inputs,
    )


def test_rates_weigh_the_two_knots_beside_each_share():
    counts = torch.tensor([0, 8, 6])[None, None, :, None, None].expand(1, 1, 3, 4, 5)
    rates = PrefixInput(8)(LATENT[:1], counts).rates
    shares = (rates * torch.tensor(RateGain.KNOTS)).sum(dim=-1)
    assert torch.allclose(shares, counts[:, 0] / 8)
    assert torch.allclose(rates.sum(dim=-1), torch.ones(1, 3, 4, 5))
