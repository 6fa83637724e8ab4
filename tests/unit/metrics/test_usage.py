import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from einops import rearrange
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from tubelet.errors import OptionError, ShapeError, TokenError
from tubelet.metrics.usage import DigitUsage, TokenUsage

tokens = st.lists(st.integers(0, 9), min_size=1, max_size=40)
BASES = ((3, 2), (5,))


def usage(*runs: torch.Tensor, size: int = 10):
    metric = TokenUsage(size)
    for run in runs:
        metric.update(run)
    return metric.compute()


def digit_figures(*runs: torch.Tensor, bases=BASES):
    metric = DigitUsage(bases)
    for run in runs:
        metric.update(run)
    return metric.compute()


def draw_digits(bases, *, positions: int = 60, seed: int = 0) -> torch.Tensor:
    random = np.random.default_rng(seed)
    rows = [random.integers(0, base, positions) for token in bases for base in token]
    return rearrange(torch.tensor(np.array(rows)), "d (t h w) -> 1 d t h w", h=2, w=3)


@given(tokens)
def test_it_counts_what_a_dictionary_counts(values):
    counts = Counter(values)
    found = usage(torch.tensor(values))
    assert found.count == len(values)
    assert found.used == len(counts)
    assert found.share == len(counts) / 10


@given(tokens)
def test_the_entropy_is_that_of_scipy_and_the_perplexity_its_power(values):
    counts = list(Counter(values).values())
    found = usage(torch.tensor(values))
    assert found.entropy == pytest.approx(entropy(counts, base=2), abs=1e-12)
    assert found.perplexity == pytest.approx(math.exp(entropy(counts)), rel=1e-12)


@given(tokens, st.sets(st.integers(0, 40)))
def test_order_cut_shape_and_type_of_updates_change_nothing_at_all(values, cuts):
    whole = torch.tensor(values)
    edges = [0, *sorted(cut for cut in cuts if cut <= len(values)), len(values)]
    runs = [whole[i:j].reshape(1, -1, 1).to(torch.uint8) for i, j in pairwise(edges)]
    assert usage(*runs[::-1]) == usage(whole)


def test_an_even_codebook_has_the_perplexity_of_its_size():
    found = usage(torch.arange(10).repeat(7))
    assert found.share == 1
    assert found.perplexity == pytest.approx(10, rel=1e-12)


def test_a_collapsed_codebook_has_no_entropy():
    found = usage(torch.full((3, 4), 7))
    assert (found.used, found.entropy, found.perplexity) == (1, 0, 1)


def test_counts_beyond_single_precision_are_exact():
    metric = TokenUsage(2)
    block = torch.zeros(1 << 20, dtype=torch.uint8)
    block[0] = 1
    for _ in range(17):
        metric.update(block)
    assert metric.compute().count == 17 << 20
    share = 2.0**-20
    assert metric.compute().entropy == pytest.approx(
        -share * math.log2(share) - (1 - share) * math.log2(1 - share)
    )


def test_neighbours_in_the_largest_codebook_are_told_apart():
    found = usage(torch.tensor([(1 << 63) - 1, (1 << 63) - 2, 0]), size=1 << 63)
    assert (found.used, found.share) == (3, 3 / 2**63)


@pytest.mark.parametrize("size", [0, (1 << 63) + 1])
def test_a_codebook_that_cannot_be_numbered_is_refused(size):
    with pytest.raises(OptionError, match=f"has {size} values"):
        TokenUsage(size)


@pytest.mark.parametrize("token", [-1, 10])
def test_a_token_outside_the_codebook_is_refused(token):
    with pytest.raises(TokenError, match=f"a token is {token}"):
        usage(torch.tensor([3, token]))


def test_no_tokens_have_no_usage():
    for run in ([], [torch.zeros(0, dtype=torch.int64)]):
        with pytest.raises(ShapeError, match="no tokens were counted"):
            usage(*run)


def test_every_digit_is_counted_by_itself_and_all_of_them_together():
    digits = draw_digits(BASES)
    rows = rearrange(digits, "1 d t h w -> (t h w) d").tolist()
    found = digit_figures(digits)
    assert found.joint.size == 30
    assert found.joint.used == len(Counter(map(tuple, rows)))
    assert found.joint.entropy == pytest.approx(entropy(list(Counter(map(tuple, rows)).values()), base=2))
    for index, each in enumerate(found.digits):
        column = [row[index] for row in rows]
        assert each == usage(torch.tensor(column), size=(3, 2, 5)[index])


def test_the_total_correlation_is_the_divergence_from_independent_digits():
    digits = draw_digits(BASES)
    rows = rearrange(digits, "1 d t h w -> (t h w) d").numpy()
    table, _ = np.histogramdd(rows, bins=(3, 2, 5))
    together = table / table.sum()
    apart = np.einsum("i,j,k->ijk", *(together.sum(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))))
    divergence = entropy(together.ravel(), apart.ravel(), base=2)
    assert digit_figures(digits).total_correlation == pytest.approx(divergence, abs=1e-12)


def test_independent_digits_have_no_total_correlation_and_copies_one_entropy_of_it():
    every = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    independent = rearrange(every, "n d -> 1 d n 1 1")
    assert digit_figures(independent, bases=((4, 4),)).total_correlation == 0
    copied = torch.cat([independent[:, :1]] * 2, dim=1)
    assert digit_figures(copied, bases=((4, 4),)).total_correlation == pytest.approx(2)


def test_the_cut_of_updates_of_digits_changes_nothing_at_all():
    digits = draw_digits(BASES)
    assert digit_figures(digits[:, :, 4:], digits[:, :, :4]) == digit_figures(digits)


def test_positions_of_more_values_than_integers_number_are_told_apart():
    bases = ((1 << 16,) * 9,)
    digits = torch.zeros(1, 9, 5, 1, 1, dtype=torch.int32)
    digits[0, 0, 1] = digits[0, 3, 2] = digits[0, 8, 3] = (1 << 16) - 1
    found = digit_figures(digits, bases=bases)
    assert found.joint.used == 4
    assert found.joint.size == 1 << 144
    assert found.joint.entropy == pytest.approx(entropy([2, 1, 1, 1], base=2))


def test_digits_outside_their_bases_are_refused():
    with pytest.raises(TokenError, match="digit 1 is 2; its base is 2"):
        digit_figures(torch.tensor([0, 2, 0]).reshape(1, 3, 1, 1, 1))


@pytest.mark.parametrize("bases", [(), ((),), ((3, 0),)])
def test_bases_without_a_value_are_refused(bases):
    with pytest.raises(OptionError, match="it is a tuple for each token of a position"):
        DigitUsage(bases)


def test_no_positions_have_no_figures():
    with pytest.raises(ShapeError, match="no tokens were counted"):
        DigitUsage(BASES).compute()
