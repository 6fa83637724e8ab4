from itertools import pairwise

import pytest
import torch
from einops import rearrange
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from tubelet.nn.blocks import (
    BLOCK_RADIUS,
    MEMORY,
    Block,
    CausalMix,
    PositionNorm,
    RateGain,
    ResidualStack,
    SpatialConv,
)

DOUBLE = torch.float64


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def awake(module: torch.nn.Module) -> torch.nn.Module:
    """Give every weight a random value, so that no branch is zero."""
    module.double().requires_grad_(requires_grad=False)
    for seed, weights in enumerate(module.parameters()):
        weights.copy_(random(*weights.shape, seed=seed) / max(1, weights[0].numel()) ** 0.5)
    return module


def stack(blocks: int = 2) -> ResidualStack:
    return awake(ResidualStack(5, 3, width=6, blocks=blocks))


def changed(stack: ResidualStack, x: torch.Tensor, t: int, h: int, w: int) -> torch.Tensor:
    """Where the output differs once one input position differs: ``t h w``."""
    other = x.clone()
    other[:, :, t, h, w] += 3
    return (stack(x, None)[0] != stack(other, None)[0]).any(dim=1)[0]


def test_causal_mix_is_a_convolution_over_time_of_a_clip_that_stood_still_before():
    mix, x = awake(CausalMix(5, 4)), random(2, 6, 3, 2, 5)
    kernel = torch.stack(mix.map.weight.split(5, dim=1), dim=-1)
    padded = rearrange(torch.cat([x[:, :1], x[:, :1], x], dim=1), "b t h w c -> b c t h w")
    slow = F.conv3d(padded, kernel[..., None, None], mix.map.bias)
    assert torch.allclose(mix(x, None)[0], rearrange(slow, "b c t h w -> b t h w c"), rtol=0, atol=1e-12)


def test_causal_mix_without_memory_sees_one_position_at_a_time():
    mix, x = awake(CausalMix(5, 4, memory=0)), random(2, 6, 3, 2, 5)
    mixed, past = mix(x, None)
    slow = torch.einsum("oi,bthwi->bthwo", mix.map.weight, x) + mix.map.bias
    assert torch.allclose(mixed, slow, rtol=0, atol=1e-12)
    assert past.shape == (2, 0, 3, 2, 5)


def test_spatial_conv_is_a_convolution_of_every_step_by_itself():
    conv, x = awake(SpatialConv(5, 4)), random(2, 3, 4, 6, 5)
    padded = F.pad(x, (0, 0, 1, 1, 1, 1))
    kernel = rearrange(conv.map.weight, "d (kh kw c) -> kh kw c d", kh=3, kw=3)
    slow = sum(
        padded[:, :, row : row + 4, column : column + 6] @ kernel[row, column]
        for row in range(3)
        for column in range(3)
    )
    assert torch.allclose(conv(x), slow + conv.map.bias, rtol=0, atol=1e-12)


def test_position_norm_sees_one_position_at_a_time():
    norm, x = awake(PositionNorm(5)), random(2, 3, 2, 2, 5)
    slow = torch.zeros_like(x)
    for n in range(2):
        for t in range(3):
            for h in range(2):
                for w in range(2):
                    vector = x[n, t, h, w]
                    slow[n, t, h, w] = norm.gain * vector / (vector.square().mean() + 1).sqrt()
    assert torch.allclose(norm(x), slow, rtol=0, atol=1e-12)


@pytest.mark.parametrize("knot", range(len(RateGain.KNOTS)))
def test_a_knot_has_a_gain_of_its_own(knot):
    gain = awake(RateGain(6))
    rate = torch.full((1, 1, 1, 1, 1), RateGain.KNOTS[knot], dtype=DOUBLE)
    assert torch.allclose(gain(RateGain.weigh(rate))[0, 0, 0, 0], 1 + gain.table[knot], rtol=0, atol=1e-12)


@given(rate=st.floats(0, 1))
def test_between_knots_a_gain_lies_on_the_line_between_theirs(rate):
    gain = awake(RateGain(3))
    knots = torch.tensor(RateGain.KNOTS, dtype=DOUBLE)
    right = int((knots < rate).sum().clamp(1, len(knots) - 1))
    share = (rate - knots[right - 1]) / (knots[right] - knots[right - 1])
    slow = 1 + torch.lerp(gain.table[right - 1], gain.table[right], share)
    fast = gain(RateGain.weigh(torch.full((1, 1, 1, 1, 1), rate, dtype=DOUBLE)))[0, 0, 0, 0]
    assert torch.allclose(fast, slow, rtol=0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(steps=st.integers(1, 7), data=st.data())
def test_any_cut_in_time_gives_what_one_go_gives(steps, data):
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, steps - 1)), max_size=3)))
    edges = [0, *(cut for cut in cuts if cut < steps), steps]
    model, x = stack(), random(1, 5, steps, 3, 4)
    past, parts = None, []
    for begin, end in pairwise(edges):
        part, past = model(x[:, :, begin:end], past)
        parts.append(part)
    assert torch.allclose(torch.cat(parts, dim=2), model(x, None)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("blocks", [1, 2])
def test_radius_is_as_far_as_an_output_sees_and_no_further(blocks):
    model, side = stack(blocks), 4 * BLOCK_RADIUS + 3
    middle = side // 2
    hit = changed(model, random(1, 5, 1, side, side), 0, middle, middle)[0]
    rows = hit.any(dim=1).nonzero().flatten()
    columns = hit.any(dim=0).nonzero().flatten()
    reach = [middle - model.radius, middle + model.radius]
    assert [rows.min(), rows.max()] == [columns.min(), columns.max()] == reach


@pytest.mark.parametrize("blocks", [1, 2])
def test_memory_is_as_far_back_as_an_output_sees_and_no_further(blocks):
    model = stack(blocks)
    hit = changed(model, random(1, 5, 9, 1, 1), 2, 0, 0).flatten().nonzero().flatten()
    assert hit.tolist() == list(range(2, 2 + model.memory + 1))


def test_the_past_is_two_steps_per_block_however_long_the_clip():
    past = stack(2)(random(1, 5, 9, 3, 4), None)[1]
    assert [tuple(each.shape) for each in past] == [(1, MEMORY, 3, 4, 6)] * 2
    # And it keeps no other steps alive.
    assert all(each.untyped_storage().nbytes() == each.nbytes for each in past)


def test_a_new_block_changes_nothing():
    x = random(1, 3, 4, 4, 6)
    rates = RateGain.weigh(torch.rand(1, 3, 4, 4, 1, dtype=DOUBLE))
    for block in (Block(6).double(), Block(6, memory=0).double()):
        assert torch.equal(block(x, None)[0], x)
    assert torch.equal(Block(6, rated=True).double()(x, None, rates)[0], x)


def test_a_new_stack_corrects_nothing():
    correction = ResidualStack(5, 3, width=6, blocks=2).double()(random(1, 5, 3, 4, 4), None)[0]
    assert torch.equal(correction, torch.zeros_like(correction))
