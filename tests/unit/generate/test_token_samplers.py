"""Tokens from a prompt: the same for the same seed, alone or among others, and as the network says."""

import math

import pytest
import torch

from tubelet.errors import OptionError
from tubelet.generate.autoregressive.sampler import AutoregressiveSampling
from tubelet.generate.dit.sampler import FlowSampling
from tubelet.generate.kinds import KINDS, sample, sampling_for, samplings_for
from tubelet.generate.masked.sampler import MaskedSampling
from tubelet.generate.text import no_prompt
from tubelet.generate.tokens.sampling import uniform
from tubelet.generate.windows import Clip, make_steps

WORDS = torch.tensor([[2, 3, 0, 0], [4, 5, 3, 0], [5, 3, 0, 0]])
SHAPE = (3, 4, 6)


def made(network, words=WORDS, seeds=(5, 6, 7), **further):
    return sample(network, words, seeds=list(seeds), shape=SHAPE, **further)


def usual(network, **numbers):
    numbers = numbers | ({"steps": 5} if network.kind == "masked" else {})
    return KINDS[network.kind].sampling(**numbers)


def random_steps(count, *, clips=3):
    generator = torch.Generator().manual_seed(3)
    return torch.stack([torch.randint(base, (clips, count, 4, 6), generator=generator) for base in (6, 4)], 1)


def test_a_seed_gives_the_same_digits_twice_and_another_seed_others(token_network):
    found = made(token_network)
    assert torch.equal(found, made(token_network))
    assert found.shape == (3, 2, *SHAPE)
    assert int(found.min()) >= 0
    assert (int(found[:, 0].max()), int(found[:, 1].max())) == (5, 3)
    assert not torch.equal(made(token_network, WORDS[:1], [5]), made(token_network, WORDS[:1], [6]))


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_a_batch_of_prompts_equals_one_by_one(token_network, guidance):
    sampling = usual(token_network, guidance=guidance)
    together = made(token_network, sampling=sampling)
    for index, seed in enumerate((5, 6, 7)):
        alone = made(token_network, WORDS[index : index + 1], [seed], sampling=sampling)
        assert torch.equal(alone, together[index : index + 1])


def test_guidance_of_zero_forgets_the_prompt(token_network):
    found = made(token_network, sampling=usual(token_network, guidance=0.0))
    free = made(token_network, no_prompt(4).expand(3, -1), sampling=usual(token_network, guidance=1.0))
    assert torch.equal(found, free)


def test_known_steps_come_back_unchanged_and_decide_the_others(token_network):
    known = random_steps(1)
    found = made(token_network, known=known)
    assert torch.equal(found[:, :, :1], known)
    assert not torch.equal(found[:, :, 1:], made(token_network, known=(known + 1) % 4)[:, :, 1:])


def test_greedy_digits_are_the_likeliest_of_an_uncached_network(ar_network):
    """Temperature 0 and guidance 1: digit by digit as in a book, the whole window computed anew for each."""
    found = made(ar_network, WORDS[:1], [5], sampling=AutoregressiveSampling(guidance=1.0, temperature=0.0))
    logits = ar_network(found, WORDS[:1], lead=True)
    assert torch.equal(logits.argmax(dim=-1), found)


def test_guided_digits_are_the_likeliest_of_the_guided_model(ar_network):
    found = made(ar_network, WORDS[:1], [5], sampling=AutoregressiveSampling(guidance=2.5, temperature=0.0))
    prompted = ar_network(found, WORDS[:1], lead=True)
    free = ar_network(found, no_prompt(4)[None], lead=True)
    assert torch.equal((free + 2.5 * (prompted - free)).argmax(dim=-1), found)


def test_drawn_digits_pass_the_noise_of_their_place(ar_network):
    found = made(ar_network, WORDS[:1], [5], sampling=AutoregressiveSampling(guidance=1.0, temperature=0.7))
    chances = (ar_network(found, WORDS[:1], lead=True) / 0.7).softmax(dim=-1)
    noise = uniform([5], range(3), (2, 4, 6), stream=0).transpose(1, 2)
    until = torch.take_along_dim(chances.cumsum(dim=-1), found[..., None], dim=-1)[..., 0]
    own = torch.take_along_dim(chances, found[..., None], dim=-1)[..., 0]
    assert bool((until >= noise - 1e-9).all())
    assert bool((until - own <= noise + 1e-9).all())


def test_one_round_takes_the_likeliest_values_of_the_masked_model(masked_network):
    hidden = torch.tensor([6, 4]).reshape(1, 2, 1, 1, 1).expand(1, 2, *SHAPE)
    expected = masked_network(hidden, WORDS[:1], lead=True).argmax(dim=-1)
    sampling = MaskedSampling(steps=1, guidance=1.0, temperature=0.0)
    assert torch.equal(made(masked_network, WORDS[:1], [5], sampling=sampling), expected)


def test_rounds_keep_digits_along_a_cosine_and_never_change_one(masked_network, monkeypatch):
    seen = []
    forward = type(masked_network).forward

    def watched(self, digits, words, *, lead):
        seen.append(digits.clone())
        return forward(self, digits, words, lead=lead)

    monkeypatch.setattr(type(masked_network), "forward", watched)
    final = made(masked_network, WORDS[:1], [5], sampling=MaskedSampling(steps=6, guidance=1.0))
    bases = torch.tensor([6, 4]).reshape(1, 2, 1, 1, 1)
    for number, digits in enumerate(seen):
        hidden = digits == bases
        assert int(hidden.sum()) == math.floor(144 * math.cos(math.pi / 2 * number / 6))
        assert torch.equal(torch.where(hidden, final, digits), final)


def test_without_chance_the_surest_are_kept_first(masked_network, monkeypatch):
    seen = []
    forward = type(masked_network).forward

    def watched(self, digits, words, *, lead):
        seen.append(digits.clone())
        return forward(self, digits, words, lead=lead)

    monkeypatch.setattr(type(masked_network), "forward", watched)
    sampling = MaskedSampling(steps=2, guidance=1.0, temperature=0.0, shuffle=0.0)
    made(masked_network, WORDS[:1], [5], sampling=sampling)
    best = forward(masked_network, seen[0], WORDS[:1], lead=True).log_softmax(dim=-1).amax(dim=-1)
    hidden = seen[1] == torch.tensor([6, 4]).reshape(1, 2, 1, 1, 1)
    assert float(best[hidden].max()) <= float(best[~hidden].min())


def test_noise_is_of_its_seed_and_step():
    whole = uniform([3, 4], range(5), (2, 3), stream=0)
    assert torch.equal(whole[1:, 2:4], uniform([4], range(2, 4), (2, 3), stream=0))
    assert not torch.equal(whole[:, 0], whole[:, 1])
    assert not torch.equal(whole, uniform([3, 4], range(5), (2, 3), stream=1))


@pytest.mark.parametrize("steps", [1, 3, 4, 7])
def test_a_shorter_clip_is_the_beginning_of_a_longer_one(token_network, steps):
    def clip(length):
        wanted = Clip(words=WORDS[:1], seed=4, steps=length, cells=(3, 5))
        return torch.cat(list(make_steps(token_network, wanted, usual(token_network))), dim=2)

    whole = clip(8)
    assert whole.shape == (1, 2, 8, 3, 5)
    assert torch.equal(clip(steps), whole[:, :, :steps])


def test_a_first_step_is_gone_on_from(token_network):
    first = random_steps(1, clips=1)[:, :, :, :3, :5]
    wanted = Clip(words=WORDS[:1], seed=4, steps=5, cells=(3, 5), first=first)
    found = torch.cat(list(make_steps(token_network, wanted, usual(token_network))), dim=2)
    assert torch.equal(found[:, :, :1], first)


@pytest.mark.parametrize(
    ("sampling", "wrong"),
    [
        (MaskedSampling, {"steps": 0}),
        (MaskedSampling, {"guidance": -1.0}),
        (MaskedSampling, {"temperature": float("nan")}),
        (MaskedSampling, {"shuffle": -1.0}),
        (AutoregressiveSampling, {"guidance": 1e6}),
        (AutoregressiveSampling, {"temperature": -0.1}),
    ],
)
def test_numbers_without_meaning_are_refused(sampling, wrong):
    (name,) = wrong
    with pytest.raises(OptionError, match=f"{name}.* lies? between"):
        sampling(**wrong)


def test_what_a_kind_does_not_have_is_refused(ar_network, masked_network):
    with pytest.raises(OptionError, match=r"steps is 9, and mine \(kind: autoregressive"):
        sampling_for(ar_network, "mine", steps=9, guidance=None)
    with pytest.raises(OptionError, match="has no method; it has steps, guidance"):
        sampling_for(masked_network, "mine", method="heun")
    assert sampling_for(masked_network, "mine", steps=3, method=None) == MaskedSampling(steps=3)


def test_of_several_generators_a_wish_is_for_those_that_have_such_a_field(masked_network, ar_network):
    both = [(masked_network, "one"), (ar_network, "two")]
    found = samplings_for(both, steps=3, temperature=0.5, method=None)
    assert found == [MaskedSampling(steps=3, temperature=0.5), AutoregressiveSampling(temperature=0.5)]
    with pytest.raises(OptionError, match="method is heun, and one"):
        samplings_for(both, steps=3, method="heun")
    with pytest.raises(OptionError, match="the sampling is a FlowSampling"):
        made(ar_network, sampling=FlowSampling())
