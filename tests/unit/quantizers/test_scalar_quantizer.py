import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tubelet.errors import LatentError, OptionError
from tubelet.quantizers.scalar import LARGEST_STEP, LARGEST_SYMBOL, STEP_UNIT, ScalarQuantizer

steps = st.tuples(*[st.integers(1 << 10, 1 << 24)] * 3)


def latent_of(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1, 1), value)


@given(steps, arrays(np.float32, (3, 2, 1, 2), elements=st.floats(-1000, 1000, width=32)))
def test_the_error_is_at_most_half_a_step(steps, values):
    quantizer = ScalarQuantizer(steps=steps)
    size = torch.tensor(steps).mul(STEP_UNIT)[:, None, None, None]
    latent = (torch.from_numpy(values) * size)[None]
    error = (quantizer.dequantize(quantizer.quantize(latent)) - latent).abs()
    assert (error <= 0.5001 * size).all()


@given(steps, arrays(np.int32, (3, 1, 1, 2), elements=st.integers(-(1 << 21), 1 << 21)))
def test_symbols_survive_the_way_to_a_latent_and_back(steps, symbols):
    quantizer = ScalarQuantizer(steps=steps)
    assert (quantizer.quantize(quantizer.dequantize(symbols)) == symbols).all()


@given(steps, st.integers(1, 3), arrays(np.int32, (3, 1, 1, 2), elements=st.integers(-99, 99)))
def test_a_prefix_of_symbols_is_a_prefix_of_the_latent(steps, kept, symbols):
    quantizer = ScalarQuantizer(steps=steps)
    assert torch.equal(quantizer.dequantize(symbols[:kept]), quantizer.dequantize(symbols)[:, :kept])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30, 2.0**23])
def test_what_no_symbol_stands_for_is_refused(value):
    with pytest.raises(LatentError, match=f"at most {LARGEST_SYMBOL} can be stored"):
        ScalarQuantizer(steps=(1 << 20,)).quantize(latent_of(value))


def test_one_nan_among_many_numbers_is_found():
    latent = torch.zeros(1, 1, 3, 9, 9)
    latent[0, 0, 1, 4, 4] = math.nan
    with pytest.raises(LatentError):
        ScalarQuantizer(steps=(1 << 20,)).quantize(latent)


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_symbol_can_be_stored(sign):
    symbols = ScalarQuantizer(steps=(1 << 20,)).quantize(latent_of(float(sign * LARGEST_SYMBOL)))
    assert symbols.item() == sign * LARGEST_SYMBOL


def test_no_steps_are_no_symbols():
    assert ScalarQuantizer(steps=(5, 5)).quantize(torch.zeros(1, 2, 0, 3, 4)).shape == (2, 0, 3, 4)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=4), st.floats(0.01, 100))
def test_a_scale_multiplies_every_step(base, scale):
    base = torch.tensor(base, dtype=torch.float64)
    made = torch.tensor(ScalarQuantizer.scaled(base, scale).steps).double() * STEP_UNIT
    assert (made - base * scale).abs().max() <= STEP_UNIT


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf, 1e308, 1e10, 1e-10, 5e-324])
def test_an_extreme_scale_is_refused(scale):
    with pytest.raises(OptionError, match=r"step is .*(1 is the usual one|nearer to 1)\."):
        ScalarQuantizer.scaled(torch.tensor([0.25, 4.0]), scale)


@pytest.mark.parametrize("base", [math.nan, math.inf, -1.0, 0.0])
def test_steps_that_damaged_weights_give_are_refused(base):
    with pytest.raises(OptionError, match=f"between 1 and {LARGEST_STEP}"):
        ScalarQuantizer.scaled(torch.tensor([1.0, base]), 1.0)
