"""Matrices of eight bits a number: near, exact once rounded, and what bfloat16 holds too."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tubelet.eight_bits import BLOCK, Packed, exponents_shape, pack, round_to_eight_bits, unpack


def matrix(rows, columns, *, seed, spread=5.0):
    generator = torch.Generator().manual_seed(seed)
    scales = torch.exp(spread * torch.randn(rows, 1, generator=generator))
    return scales * torch.randn(rows, columns, generator=generator)


@given(st.integers(1, 9), st.integers(1, 3 * BLOCK + 1), st.integers(0, 2**32))
def test_every_number_is_near_that_of_the_matrix(rows, columns, seed):
    given_matrix = matrix(rows, columns, seed=seed)
    rounded = round_to_eight_bits(given_matrix)
    for start in range(0, columns, BLOCK):
        block = given_matrix[:, start : start + BLOCK]
        most = block.abs().amax(dim=1, keepdim=True) / 127
        assert ((rounded[:, start : start + BLOCK] - block).abs() <= most * (1 + 1e-6)).all()


@given(st.integers(1, 9), st.integers(1, 3 * BLOCK + 1), st.integers(0, 2**32))
def test_what_is_rounded_is_packed_without_loss(rows, columns, seed):
    rounded = round_to_eight_bits(matrix(rows, columns, seed=seed))
    packed = pack(rounded)
    assert packed.integers.shape == (rows, columns)
    assert packed.exponents.shape == exponents_shape(rows, columns)
    assert torch.equal(unpack(packed), rounded)
    assert torch.equal(round_to_eight_bits(rounded), rounded)
    assert torch.equal(rounded.to(torch.bfloat16).to(torch.float32), rounded)


def test_what_would_lose_is_not_packed():
    assert pack(matrix(4, 70, seed=0)) is None


@pytest.mark.parametrize("scale", [0.0, 2.0**-140, 2.0**-126, 2.0**120])
def test_no_number_is_too_small_or_too_large(scale):
    given_matrix = scale * torch.linspace(-1, 1, 64).repeat(3, 1)
    rounded = round_to_eight_bits(given_matrix)
    assert rounded.isfinite().all()
    assert pack(rounded) is not None
    assert ((rounded - given_matrix).abs() <= max(scale / 127, 2.0**-126)).all()


def test_the_largest_number_of_a_block_keeps_seven_bits():
    numbers = torch.zeros(1, 2 * BLOCK)
    numbers[0, :BLOCK], numbers[0, BLOCK:] = 127.0, 128.0
    packed = pack(numbers)
    assert packed.integers.unique().tolist() == [64, 127]
    assert packed.exponents.tolist() == [[0, 1]]


def test_exponents_that_contradict_the_integers_give_no_finite_number():
    packed = Packed(torch.full((1, 2), 127, dtype=torch.int8), torch.full((1, 1), 127, dtype=torch.int8))
    assert unpack(packed).isinf().all()
