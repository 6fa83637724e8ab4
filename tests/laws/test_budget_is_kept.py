"""Law 11: what is written never exceeds the budget, and more budget never makes a clip worse."""

from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tubelet
from tubelet.codec.allocate import Allocated, Allocator, ChunkRule
from tubelet.codec.budget import Allocators, Bitrate, BitsPerPixel, ClipFacts, MeanChannels, Quality
from tubelet.codec.fill import fill_from_past

ROWS, COLUMNS = 6, 8
FACTS = ClipFacts(height=8 * ROWS, width=8 * COLUMNS, rate=Fraction(24))
WORSE = 0.05
"""dB that a clip may lose by more budget."""

KINDS = ("noise", "still", "still with noise", "moving", "cuts")
kinds = st.sampled_from(KINDS)
seeds = st.integers(0, 2**31)
lengths = st.integers(1, 9)
LAW = settings(max_examples=8, deadline=None)


@cache
def linear():
    """A tokenizer whose pixels err as its latent does."""
    return tubelet.load("klt-4x8x8")


def allocators(**options) -> Allocators:
    return Allocators(linear(), FACTS, **options)


def make_latent(kind: str, seed: int, steps: int) -> torch.Tensor:
    """Steps of some content: sizes differ from place to place, as those of pictures do."""
    random = np.random.default_rng(seed)

    def picture():
        size = np.exp(1.5 * random.standard_normal((1, ROWS, COLUMNS)) - 1)
        return size * random.laplace(scale=0.7, size=(64, ROWS, COLUMNS))

    first = picture()
    if kind == "noise":
        made = [picture() for _ in range(steps)]
    elif kind == "still":
        made = [first] * steps
    elif kind == "still with noise":
        made = [first + 0.05 * random.standard_normal(first.shape) for _ in range(steps)]
    elif kind == "moving":
        made = [np.roll(first, index, axis=2) for index in range(steps)]
    else:
        scenes = [picture() for _ in range(1 + steps // 4)]
        made = [scenes[index // 4] for index in range(steps)]
    return torch.from_numpy(np.stack(made, axis=1))[None].float()


def one_pass(maker, budget, latent):
    return maker.one_pass(budget, latent)


def two_pass(maker, budget, latent):
    return maker.two_pass(budget, lambda: latent.split(2, dim=2))


def db(allocated: Allocated) -> float:
    return float(-10 * np.log10(max(allocated.errors.sum(), 1e-9)))


def pushed(allocator: Allocator, latent: torch.Tensor, cuts=()) -> Allocated:
    edges = [0, *sorted(cuts), latent.shape[2]]
    parts = [allocator.push(latent[:, :, start:stop]) for start, stop in pairwise(edges)]
    symbols = np.concatenate([part.symbols for part in parts], axis=1)
    rest = [np.concatenate(each) for each in zip(*(part[1:] for part in parts), strict=True)]
    return Allocated(symbols, *rest)


@LAW
@given(kind=kinds, seed=seeds, steps=lengths, budget=st.floats(0.01, 70))
def test_no_more_channels_are_stored_than_allowed_wherever_the_clip_ends(kind, seed, steps, budget):
    latent = make_latent(kind, seed, steps)
    done = allocators().one_pass(MeanChannels(channels=budget), latent).push(latent)
    means = done.counts.mean(axis=(1, 2)).cumsum() / np.arange(1, steps + 1)
    assert (means <= budget).all()
    known = allocators().two_pass(MeanChannels(channels=budget), lambda: [latent]).push(latent)
    assert known.counts.mean() <= budget


@LAW
@given(kind=kinds, seed=seeds, steps=lengths, bits=st.floats(0.02, 2))
def test_no_more_bits_are_estimated_than_allowed_wherever_the_clip_ends(kind, seed, steps, bits):
    latent = make_latent(kind, seed, steps)
    allowed = bits * FACTS.height * FACTS.width * np.array([1] + [4] * (steps - 1))
    done = allocators().one_pass(BitsPerPixel(bits=bits), latent[:, :, :4]).push(latent)
    assert (done.costs.cumsum() <= allowed.cumsum() + 1e-6).all()
    known = allocators().two_pass(BitsPerPixel(bits=bits), lambda: [latent]).push(latent)
    assert known.costs.sum() <= allowed.sum() + 1e-6


@LAW
@given(kind=kinds, seed=seeds, steps=st.integers(1, 30), kilobits=st.floats(20, 2000))
def test_a_bitrate_holds_over_any_two_seconds(kind, seed, steps, kilobits):
    latent = make_latent(kind, seed, steps)
    rate = 1000 * kilobits
    done = allocators().one_pass(Bitrate(bits_per_second=rate), latent[:, :, :2]).push(latent)
    for start in range(steps):
        assert done.costs[start : start + 12].sum() <= 2 * rate + 1e-6


@LAW
@given(kind=kinds, seed=seeds, steps=lengths, budget=st.floats(0.5, 32), more=st.floats(1, 4))
@pytest.mark.parametrize("door", [one_pass, two_pass])
def test_more_channels_never_make_a_clip_worse(kind, seed, steps, budget, more, door):
    latent = make_latent(kind, seed, steps)
    less, greater = (
        door(allocators(), MeanChannels(channels=each), latent).push(latent)
        for each in (budget, budget * more)
    )
    assert db(greater) >= db(less) - WORSE


@LAW
@given(kind=kinds, seed=seeds, steps=lengths, bits=st.floats(0.02, 1), more=st.floats(1, 4))
@pytest.mark.parametrize("door", [one_pass, two_pass])
def test_more_bits_never_make_a_clip_worse(kind, seed, steps, bits, more, door):
    latent = make_latent(kind, seed, steps)
    less, greater = (
        door(allocators(), BitsPerPixel(bits=each), latent).push(latent) for each in (bits, bits * more)
    )
    assert db(greater) >= db(less) - WORSE


@LAW
@given(kind=kinds, seed=seeds, steps=lengths, level=st.floats(1, 62), more=st.floats(0, 20))
def test_a_greater_quality_never_makes_a_clip_worse(kind, seed, steps, level, more):
    latent = make_latent(kind, seed, steps)
    less, greater = (
        allocators().at_quality(Quality(level=min(each, 63.0))).push(latent) for each in (level, level + more)
    )
    assert db(greater) >= db(less) - WORSE


@LAW
@given(kind=kinds, seed=seeds, cuts=st.lists(st.integers(0, 10), max_size=6), budget=st.floats(0.5, 40))
@pytest.mark.parametrize("counted", [True, False])
def test_a_budget_is_spent_the_same_wherever_the_stream_is_cut(kind, seed, cuts, budget, counted):
    latent = make_latent(kind, seed, 10)
    wanted = MeanChannels(channels=budget) if counted else Bitrate(bits_per_second=30_000 * budget)
    whole, pieces = (
        allocators(chunk=ChunkRule(steps=4)).one_pass(wanted, latent[:, :, :2]) for _ in range(2)
    )
    for found, expected in zip(pushed(pieces, latent, cuts), whole.push(latent), strict=True):
        np.testing.assert_array_equal(found, expected)


@LAW
@given(kind=kinds, seed=seeds, level=st.floats(10, 60))
def test_the_decoder_gets_what_the_allocator_holds(kind, seed, level):
    latent, quality = make_latent(kind, seed, 9), Quality(level=level)
    maker = allocators(chunk=ChunkRule(steps=4))
    done = maker.at_quality(quality).push(latent)
    assert done.begins.tolist() == [index % 4 == 0 for index in range(9)]
    values = maker.quantizer(quality.step).dequantize(done.symbols)[0].numpy()
    power = np.square(linear().model.pixel_units()["latent"].numpy())[:, None, None, None]
    for start in (0, 4, 8):
        steps = slice(start, start + 4)
        held = fill_from_past(values[:, steps], done.counts[steps], None)
        errors = (power * np.square(held.values - latent[0].numpy()[:, steps])).sum(axis=(0, 2, 3))
        np.testing.assert_allclose(errors, done.errors[steps], rtol=1e-4)


@pytest.mark.parametrize("level", [20.0, 36.0, 50.0])
def test_a_still_clip_costs_next_to_nothing_after_its_first_step(level):
    done = allocators().at_quality(Quality(level=level)).push(make_latent("still", 0, 12))
    assert done.counts[0].any()
    assert not done.counts[1:].any()
    assert done.costs[2:].max() < 0.02 * done.costs[0]
    assert done.costs[6:].max() < 0.001 * done.costs[0]


def test_what_a_still_clip_saves_is_spent_on_it_until_nothing_is_gained():
    latent = make_latent("still", 0, 30)
    done = allocators().one_pass(MeanChannels(channels=4.0), latent).push(latent)
    assert done.counts[1].any()
    assert not done.counts[20:].any()
    assert (np.diff(done.errors) <= 1e-9).all()
