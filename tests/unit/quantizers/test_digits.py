from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tubelet.errors import ShapeError, TokenError
from tubelet.quantizers.digits import (
    check_digits,
    check_tokens,
    codebook_sizes,
    digits_kind,
    digits_to_tokens,
    smallest_kind,
    tokens_to_digits,
)

MOST = 1 << 63


@st.composite
def any_bases(draw) -> tuple[tuple[int, ...], ...]:
    """One to three tokens of one to 21 digits, of at most 2^63 values each, often of exactly so many."""
    tokens = []
    for _ in range(draw(st.integers(1, 3))):
        bases = [draw(st.sampled_from([2, 3, 5, 8, 255, 256, 257, 1 << 16, 1 << 31]))]
        while len(bases) < 21:
            base = draw(st.sampled_from([2, 5, 8, 8, 8, 1000]))
            if prod(bases) * base > MOST:
                break
            bases.append(base)
        tokens.append(tuple(bases))
    return tuple(tokens)


@st.composite
def numbers(draw):
    """Bases, and tokens of six positions as Python's integers, the smallest and the largest among them."""
    bases = draw(any_bases())
    rows = [
        [0, size - 1, *draw(st.lists(st.integers(0, size - 1), min_size=4, max_size=4))]
        for size in map(prod, bases)
    ]
    return bases, rows


def obvious_digits(rows: list[list[int]], bases) -> list[list[int]]:
    """Divide, one number at a time; the first digit counts least."""
    digits = []
    for row, token in zip(rows, bases, strict=True):
        rest = row
        for base in token:
            digits.append([value % base for value in rest])
            rest = [value // base for value in rest]
    return digits


def as_grid(rows: list[list[int]], kind=torch.int64) -> torch.Tensor:
    """Rows of six numbers as ``1 d 1 2 3``."""
    return torch.from_numpy(np.array(rows, dtype=np.int64)).reshape(1, len(rows), 1, 2, 3).to(kind)


@given(numbers())
def test_tokens_become_the_digits_that_division_gives(drawn):
    bases, rows = drawn
    digits = tokens_to_digits(as_grid(rows), bases)
    assert digits.flatten(2)[0].tolist() == obvious_digits(rows, bases)
    assert digits.dtype == digits_kind(bases)


@given(numbers())
def test_digits_become_the_tokens_that_they_were_of_to_the_last_unit(drawn):
    bases, rows = drawn
    digits = as_grid(obvious_digits(rows, bases), digits_kind(bases))
    tokens = digits_to_tokens(digits, bases)
    assert tokens.flatten(2)[0].tolist() == rows
    assert torch.equal(tokens_to_digits(tokens, bases), digits)


def test_the_largest_of_2_to_the_63_values_is_exact():
    for bases in (((2,) * 63,), ((8,) * 21,), ((1 << 31, 1 << 32),)):
        largest = as_grid([[base - 1] * 6 for base in bases[0]], digits_kind(bases))
        assert digits_to_tokens(largest, bases).unique().tolist() == [MOST - 1]


@pytest.mark.parametrize("bases", [((2,) * 64,), ((8,) * 21 + (2,),), ((3,), (1 << 31, 1 << 32, 2))])
def test_more_values_than_64_bits_number_are_refused_and_their_digits_are_not(bases):
    digits = as_grid([[0] * 6 for token in bases for _ in token])
    check_digits(digits, bases)
    with pytest.raises(TokenError, match=r"a token has \d+ values.*2\^63.*Use the digits"):
        digits_to_tokens(digits, bases)


def test_float32_would_be_wrong_where_integers_are_right():
    """Why digits are kept: the published way, a dot product in floating point, at 8^9 values."""
    bases = ((8,) * 9,)
    digits = as_grid([[7 - index % 3] * 6 for index in range(9)], torch.uint8)
    weights = torch.tensor([8.0**index for index in range(9)])
    wrong = (digits.flatten(2)[0].float() * weights[:, None]).sum(0).long()
    exact = digits_to_tokens(digits, bases).flatten()
    assert exact[0] == sum((7 - index % 3) * 8**index for index in range(9))
    assert (wrong != exact).all()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (2, torch.uint8),
        (256, torch.uint8),
        (257, torch.int16),
        (1 << 15, torch.int16),
        ((1 << 15) + 1, torch.int32),
        (1 << 31, torch.int32),
        ((1 << 31) + 1, torch.int64),
        (MOST, torch.int64),
    ],
)
def test_the_smallest_type_holds_the_largest_value_and_no_smaller_one_does(values, kind):
    assert smallest_kind(values) == kind
    assert torch.tensor(values - 1, dtype=kind).item() == values - 1


def test_digits_of_all_tokens_share_the_type_that_the_largest_base_needs():
    assert digits_kind(((2, 3), (256,))) == torch.uint8
    assert digits_kind(((2, 3), (257,))) == torch.int16


def test_codebook_sizes_are_products():
    assert codebook_sizes(((8, 8, 8, 5, 5, 5), (7,))) == (64_000, 7)


@pytest.mark.parametrize("wrong", [-1, 5])
def test_a_digit_outside_its_base_is_named(wrong):
    digits = as_grid([[0] * 6, [4] * 6])
    digits[0, 1, 0, 1, 1] = wrong
    with pytest.raises(TokenError, match=f"digit 1 is {wrong}; its base is 5, counted from 0"):
        digits_to_tokens(digits, ((5, 5),))


@pytest.mark.parametrize("wrong", [-3, 25])
def test_a_token_outside_its_codebook_is_named(wrong):
    tokens = as_grid([[0] * 6])
    tokens[0, 0, 0, 1, 1] = wrong
    with pytest.raises(TokenError, match=f"a token is {wrong}; the codebook has 25 values"):
        tokens_to_digits(tokens, ((5, 5),))
    with pytest.raises(TokenError, match=f"a token is {wrong}"):
        check_tokens(tokens, 25)


def test_another_number_of_digits_or_tokens_is_refused():
    with pytest.raises(ShapeError, match=r"must be b d t h w with d = 3"):
        check_digits(as_grid([[0] * 6]), ((5, 5), (2,)))
    with pytest.raises(ShapeError, match=r"must be b k t h w with k = 2"):
        tokens_to_digits(as_grid([[0] * 6]), ((5, 5), (2,)))


def test_no_positions_are_no_tokens():
    bases = ((5, 5), (2,))
    digits = torch.zeros(1, 3, 0, 4, 4, dtype=torch.uint8)
    tokens = digits_to_tokens(digits, bases)
    assert tokens.shape == (1, 2, 0, 4, 4)
    assert torch.equal(tokens_to_digits(tokens, bases), digits)
    check_tokens(tokens, 2)


def test_a_codebook_of_one_digit_is_exact_at_any_size():
    for size in (1 << 14, 1 << 40, 1 << 62, MOST - 1, MOST):
        bases = ((size,),)
        tokens = as_grid([[0, 1, size // 2, size - 2, size - 1, 7]])
        assert torch.equal(digits_to_tokens(tokens_to_digits(tokens, bases), bases), tokens)
