"""Transformers of tokens: what each sees, and what it must not see."""

import itertools
import math

import pytest
import torch

from tubelet.errors import CheckpointError, OptionError, ShapeError
from tubelet.generate.autoregressive.likelihood import bits_of
from tubelet.generate.autoregressive.sampler import Window
from tubelet.generate.tokens.config import TokenConfig
from tubelet.generate.tokens.digits import to_patches
from tubelet.generate.tokens.trunk import Grid

WORDS = torch.tensor([[2, 3, 0, 0], [4, 5, 3, 0]])


def random_digits(bases=(6, 4), *, clips=2, shape=(3, 4, 6), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randint(base, (clips, *shape), generator=generator) for base in bases], dim=1)


def test_probabilities_of_a_digit_are_of_its_own_values_alone(token_network):
    chances = token_network(random_digits(), WORDS, lead=True).softmax(dim=-1)
    assert chances.shape == (2, 2, 3, 4, 6, 6)
    assert torch.allclose(chances.sum(dim=-1), torch.ones((), dtype=torch.float64))
    assert not bool(chances[:, 1, ..., 4:].any())
    assert bool((chances[:, 0] > 0).all())


def test_words_and_the_beginning_of_a_clip_matter(token_network):
    found = token_network(random_digits(), WORDS, lead=True)
    assert not torch.allclose(found, token_network(random_digits(), WORDS.flip(0), lead=True), atol=1e-3)
    assert not torch.allclose(found, token_network(random_digits(), WORDS, lead=False), atol=1e-3)


def test_rows_that_are_no_whole_patches_are_refused(token_network):
    turns = token_network.trunk.turns
    with pytest.raises(ShapeError, match="has 3x6 positions; they go in 2x2"):
        turns(Grid(3, 3, 6), torch.device("cpu"))


def test_a_digit_depends_on_those_before_it_alone(ar_network):
    """Order: patches step by step and row by row; in a patch position by position, digit by digit."""
    digits = random_digits(clips=1)
    places = torch.arange(digits.numel()).reshape(1, -1, 8)  # patches of four positions of two digits
    order = torch.empty_like(digits)
    for step, row, column, digit in itertools.product(range(3), range(4), range(6), range(2)):
        patch = (step * 2 + row // 2) * 3 + column // 2
        order[0, digit, step, row, column] = patch * 8 + (row % 2 * 2 + column % 2) * 2 + digit
    assert torch.equal(to_patches(order, 2), places)
    before = ar_network(digits, WORDS[:1], lead=True)
    for changed in (0, 1, 7, 8, 50, 100, 143):
        other = torch.where(order == changed, (digits + 1) % 4, digits)
        after = ar_network(other, WORDS[:1], lead=True)
        moved = ((after - before).abs() > 1e-9).any(dim=-1)
        assert not bool(moved[order <= changed].any()), changed
        if changed < 143:
            assert bool(moved[order == changed + 1].all()), changed


@pytest.mark.parametrize("lead", [True, False])
def test_what_is_remembered_gives_what_is_computed_at_once(ar_network, lead):
    digits = random_digits()
    whole = to_patches_of_logits(ar_network(digits, WORDS, lead=lead))
    patches = to_patches(digits, 2)
    window = Window(ar_network, WORDS, Grid(3, 4, 6), lead=lead)
    for index in range(patches.shape[1]):
        features = window.next(patches[:, index - 1] if index else None)
        for digit in range(patches.shape[2]):
            found = ar_network.heads.one(features, patches[:, index, :digit])
            assert torch.allclose(found, whole[:, index, digit], atol=1e-6), (index, digit)


def to_patches_of_logits(logits):
    """``b d t h w v`` as ``b n k v``."""
    each = [to_patches(values, 2) for values in logits.unbind(dim=-1)]
    return torch.stack(each, dim=-1)


@pytest.mark.parametrize(("shape", "clips"), [((1, 1, 2), 36), ((2, 1, 1), 36), ((1, 1, 3), 216)])
def test_the_probabilities_of_all_clips_sum_to_one(tiny_ar, shape, clips):
    """Of every clip that there is: tokens of six values, two digits of three and two."""
    positions = math.prod(shape)
    every = torch.tensor(list(itertools.product(*(range(base) for _ in range(positions) for base in (3, 2)))))
    digits = every.reshape(clips, *shape, 2).permute(0, 4, 1, 2, 3).contiguous()
    bits = bits_of(tiny_ar, digits, WORDS[:1].expand(clips, -1))
    assert len(bits) == clips
    assert float((-bits * math.log(2)).exp().sum()) == pytest.approx(1, abs=1e-9)
    assert float(bits.max() - bits.min()) > 1


def test_untrained_networks_find_all_values_equally_likely(token_network):
    fresh = type(token_network)(token_network.config)
    chances = fresh(random_digits(), WORDS, lead=True).softmax(dim=-1)
    assert torch.allclose(chances[:, 0], torch.full((), 1 / 6))
    assert torch.allclose(chances[:, 1, ..., :4], torch.full((), 1 / 4))


def test_a_masked_network_sees_what_is_shown_wherever_it_is(masked_network):
    hidden = random_digits(clips=1)
    hidden[:, 0], hidden[:, 1] = 6, 4
    before = masked_network(hidden, WORDS[:1], lead=True)
    for place in ((0, 0, 0, 0), (1, 2, 3, 5)):
        shown = hidden.clone()
        shown[(0, *place)] = 1
        after = masked_network(shown, WORDS[:1], lead=True)
        assert bool(((after - before).abs() > 1e-9).any(dim=-1).all())


def test_numbers_that_contradict_are_refused():
    shape = {"steps": 5, "rows": 4, "columns": 4, "fps": 24.0, "words": ("a", "b"), "bases": (5, 5)}
    known = {"name": "x", "tokenizer": "y", "tokenizer_sha256": "z"} | shape
    for wrong in ({"width": 30}, {"width": 36, "heads": 3}, {"words": ("a", "a")}, {"fps": 0.0}):
        with pytest.raises((OptionError, CheckpointError)):
            TokenConfig(**known | wrong)
