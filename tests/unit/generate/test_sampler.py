"""From noise to a latent: the same for the same seed, alone or among others, with and without guidance."""

from copy import deepcopy

import pytest
import torch

from tubelet.errors import OptionError
from tubelet.generate.dit.sampler import FlowSampling, noise_of, sample_flow
from tubelet.generate.text import no_prompt

WORDS = torch.tensor([[2, 3, 0, 0], [4, 5, 3, 0], [5, 3, 0, 0]])
SHAPE = (3, 4, 6)


def made(network, words=WORDS, seeds=(5, 6, 7), **further):
    further.setdefault("sampling", FlowSampling(steps=4))
    return sample_flow(network, words, seeds=list(seeds), shape=SHAPE, **further)


def test_a_seed_gives_the_same_latent_twice_and_another_seed_another(network):
    assert torch.equal(made(network), made(network))
    assert not torch.allclose(made(network, WORDS[:1], [5]), made(network, WORDS[:1], [6]))


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_a_batch_of_prompts_equals_one_by_one(network, guidance):
    sampling = FlowSampling(steps=4, guidance=guidance)
    together = made(network, sampling=sampling)
    for index, seed in enumerate((5, 6, 7)):
        alone = made(network, WORDS[index : index + 1], [seed], sampling=sampling)
        assert torch.allclose(alone, together[index : index + 1], atol=1e-10)


def by_hand(network, words, seed, *, steps, heun):
    """Euler and Heun as in a book, without guidance."""
    latent = noise_of(seed, range(SHAPE[0]), (4, *SHAPE[1:]))[None].double()

    def at(latent, time):
        times = torch.tensor([time], dtype=torch.float64)
        return network(latent, times, words, torch.tensor([0]), lead=True)

    for index in range(steps):
        slope = at(latent, index / steps)
        if heun:
            slope = (slope + at(latent + slope / steps, (index + 1) / steps)) / 2
        latent = latent + slope / steps
    return network.restore(latent)


@pytest.mark.parametrize("method", ["euler", "heun"])
def test_guidance_of_one_is_the_model_as_it_is(network, method):
    found = made(network, WORDS[:1], [5], sampling=FlowSampling(steps=4, guidance=1.0, method=method))
    assert torch.allclose(found, by_hand(network, WORDS[:1], 5, steps=4, heun=method == "heun"), atol=1e-6)


def test_guidance_of_zero_forgets_the_prompt(network):
    found = made(network, WORDS[:1], [5], sampling=FlowSampling(steps=4, guidance=0.0))
    free = made(network, no_prompt(4)[None], [5], sampling=FlowSampling(steps=4, guidance=1.0))
    assert torch.allclose(found, free, atol=1e-6)


def test_heun_is_nearer_to_the_end_of_the_way_than_euler(network):
    smooth = deepcopy(network)
    smooth.time[0].weight[:, torch.arange(64) % 32 > 4] = 0  # the quick waves of a random network

    def end(method, steps):
        return made(smooth, sampling=FlowSampling(steps=steps, guidance=1.0, method=method))

    exact = end("heun", 100)
    errors = {method: float((end(method, 16) - exact).abs().max()) for method in ("euler", "heun")}
    assert errors["heun"] < 0.5 * errors["euler"]


def test_known_steps_come_back_unchanged_and_decide_the_others(network):
    known = torch.randn(3, 4, 1, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = made(network, known=known)
    assert torch.equal(found[:, :, :1], known)
    other = made(network, known=known + 1)
    assert not torch.allclose(found[:, :, 1:], other[:, :, 1:], atol=1e-3)


def test_noise_is_of_its_seed_and_step():
    whole = noise_of(3, range(5), (2, 3, 4))
    assert torch.equal(whole[:, 2:4], noise_of(3, range(2, 4), (2, 3, 4)))
    assert not torch.equal(whole[:, 0], whole[:, 1])
    assert not torch.equal(whole, noise_of(4, range(5), (2, 3, 4)))


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"steps": 0}, "steps are 0; they lie between 1 and 1000"),
        ({"steps": 1001}, "steps are 1001; they lie between 1 and 1000"),
        ({"guidance": -1.0}, "guidance is -1.0; it lies between 0 and 100"),
        ({"guidance": float("nan")}, "guidance is nan; it lies between 0 and 100"),
    ],
)
def test_numbers_without_meaning_are_refused(wrong, rule):
    with pytest.raises(OptionError, match=rule):
        FlowSampling(**wrong)
