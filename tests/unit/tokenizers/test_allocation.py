"""Channels are spent where they take most error away, and never more than the budget."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tubelet
from tubelet.errors import OptionError
from tubelet.tokenizers.allocation import CLASSES, allocate, counts_within


def energies(seed: int, *, channels: int = 64, cells=(2, 3, 4), clips: int = 2) -> torch.Tensor:
    """Falling with the channel, of very different size from place to place."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.randn(clips, 1, *cells, generator=generator).mul(2).exp()
    falling = torch.linspace(0, -6, channels).exp().reshape(1, -1, 1, 1, 1)
    noise = torch.rand(clips, channels, *cells, generator=generator)
    return (size * falling * noise).double()


def left_out(energy: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    there = torch.arange(energy.shape[1]).reshape(1, -1, 1, 1, 1) < counts
    return torch.where(there, 0, energy).sum(dim=(1, 2, 3, 4))


@given(st.integers(0, 10**6), st.floats(0.01, 64))
def test_no_budget_is_exceeded(seed, budget):
    counts = allocate(energies(seed), torch.tensor([budget, budget / 2], dtype=torch.float64))
    means = counts.double().mean(dim=(1, 2, 3, 4))
    assert means[0] <= budget
    assert means[1] <= budget / 2
    assert set(counts.unique().tolist()) <= set(CLASSES)


@given(st.integers(0, 10**6), st.floats(0.1, 32), st.floats(1, 3))
def test_more_budget_never_leaves_more_out(seed, budget, more):
    energy = energies(seed)
    small, large = (allocate(energy, torch.full((2,), each)) for each in (budget, budget * more))
    assert (left_out(energy, large) <= left_out(energy, small) + 1e-12).all()


@pytest.mark.parametrize("seed", range(5))
def test_no_other_choice_that_spends_as_much_leaves_less_out(seed):
    energy = energies(seed, channels=8, cells=(1, 1, 4), clips=1)
    counts = allocate(energy, torch.tensor([3.0]))
    best = left_out(energy, counts)
    for other in product((0, 1, 2, 4, 8), repeat=4):
        if sum(other) <= int(counts.sum()):
            tried = torch.tensor(other).reshape(1, 1, 1, 1, 4)
            assert left_out(energy, tried) >= best - 1e-12


def test_a_clip_of_nothing_costs_nothing():
    assert not allocate(torch.zeros(1, 64, 2, 2, 2), torch.tensor([16.0])).any()


def test_enough_budget_keeps_everything():
    energy = energies(0) + 1e-9
    assert (allocate(energy, torch.tensor([64.0, 100.0])) == 64).all()


def test_a_latent_of_other_channels_has_all_of_them_as_its_largest_class():
    energy = energies(0, channels=12) + 1e-9
    assert (allocate(energy, torch.full((2,), 12.0)) == 12).all()


@pytest.fixture(scope="module")
def linear():
    return tubelet.load("klt-4x8x8")


@pytest.fixture(scope="module")
def half_still():
    """Grey on the left, and something in it on the right."""
    video = torch.zeros(1, 3, 9, 32, 48)
    video[..., 24:] = torch.rand(1, 3, 9, 32, 24, generator=torch.Generator().manual_seed(0)) - 0.5
    return video


@pytest.mark.parametrize("budget", [0.5, 4, 8.5])
def test_counts_of_a_latent_keep_a_budget_and_show_more_than_as_many_everywhere(linear, half_still, budget):
    latent = linear.encode(half_still)
    counts = counts_within(linear, latent, budget)
    assert counts.double().mean() <= budget
    assert counts.shape == (1, 1, *latent.shape[2:])

    def error(counts):
        size = {"frames": 9, "height": 32, "width": 48}
        return (linear.decode(latent, counts=counts, **size) - half_still).square().mean()

    assert error(counts) < error(torch.full_like(counts, int(budget)))


def test_counts_of_leading_channels_stay_among_them(linear, half_still):
    assert counts_within(linear, linear.encode(half_still, channels=6), 4).max() <= 6


@pytest.mark.parametrize("budget", [0, -1, 65, float("nan"), float("inf")])
def test_a_budget_that_is_none_or_more_than_all_is_refused(linear, half_still, budget):
    with pytest.raises(OptionError, match="channels per position in the mean"):
        counts_within(linear, linear.encode(half_still), budget)


def test_a_latent_of_several_parts_is_refused():
    motion = tubelet.load("klt-4x8x8-motion")
    with pytest.raises(OptionError, match="latent of one part"):
        counts_within(motion, torch.zeros(1, 64, 1, 2, 2), 8)
