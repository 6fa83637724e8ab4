"""Symbols move towards zero only where that saves more than it errs; files say what symbols stand for."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tubelet.codec.rounding import nearer_to_zero
from tubelet.quantizers.scalar import STEP_UNIT, ScalarQuantizer


def laplace_bits(channels, middle, random):
    """Bits that grow with magnitude, unevenly."""
    sizes = np.abs(np.arange(-middle, middle + 1))
    return np.cumsum(random.exponential(2, (channels, middle + 1)), axis=1)[:, sizes]


@given(st.integers(0, 10**6), st.floats(0, 3))
def test_of_a_symbol_and_the_one_nearer_to_zero_the_better_is_taken(seed, worth):
    random = np.random.default_rng(seed)
    scaled = random.laplace(0, 1.5, (2, 3, 4)).astype(np.float32)
    symbols = np.round(scaled).astype(np.int32)
    bits, worths = laplace_bits(2, 5, random), np.array([worth, 2 * worth])
    weights = random.uniform(0.2, 5, (3, 4))
    found = nearer_to_zero(scaled, symbols, bits=bits, worth=worths, weights=weights)

    def cost(place, symbol):
        channel = place[0]
        return (
            weights[place[1:]] * (scaled[place] - symbol) ** 2 + worths[channel] * bits[channel, symbol + 5]
        )

    for place in product(range(2), range(3), range(4)):
        before, after = int(symbols[place]), int(found[place])
        if before == 0 or abs(before) > 5:
            assert after == before
            continue
        nearer = before - np.sign(before)
        assert after in (before, nearer)
        assert cost(place, after) <= min(cost(place, before), cost(place, nearer)) + 1e-5


def test_at_no_price_symbols_stay():
    random = np.random.default_rng(0)
    scaled = random.laplace(0, 2, (3, 8, 8)).astype(np.float32)
    symbols = np.round(scaled).astype(np.int32)
    bits, weights = laplace_bits(3, 9, random), np.ones((8, 8))
    found = nearer_to_zero(scaled, symbols, bits=bits, worth=np.zeros(3), weights=weights)
    np.testing.assert_array_equal(found, symbols)


@pytest.mark.parametrize("symbol", [-300, -2, -1, 0, 1, 2, 300])
def test_centroids_are_where_the_format_says(symbol):
    """SPEC.md, Values."""
    steps, centroids = (1 << 18, 3), ((40, 12), (127, 0))
    quantizer = ScalarQuantizer(steps=steps, centroids=centroids)
    symbols = np.full((2, 1, 1, 2), symbol, np.int32)
    found = quantizer.dequantize(symbols)
    for channel, (step, shifts) in enumerate(zip(steps, centroids, strict=True)):
        shift = 0 if symbol == 0 else shifts[0] if abs(symbol) == 1 else shifts[1]
        expected = np.sign(symbol) * (abs(symbol) - shift / 256) * step * STEP_UNIT
        torch.testing.assert_close(found[0, channel], torch.full((1, 1, 2), float(expected)))


def test_a_prefix_has_its_own_centroids():
    quantizer = ScalarQuantizer(steps=(1 << 20, 1 << 20), centroids=((64, 0), (127, 0)))
    symbols = np.ones((1, 1, 1, 1), np.int32)
    assert quantizer.dequantize(symbols).item() == 0.75
