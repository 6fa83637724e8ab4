from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from tubelet.nn.blocks import BLOCK_RADIUS, MEMORY, Block, CausalMix, PointMap, PositionNorm, ResidualStack

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
    mix, x = awake(CausalMix(5, 4)), random(2, 5, 6, 3, 2)
    kernel = torch.stack(mix.map.weight[..., 0, 0].split(5, dim=1), dim=-1)
    padded = torch.cat([x[:, :, :1], x[:, :, :1], x], dim=2)
    slow = F.conv3d(padded, kernel[..., None, None], mix.map.bias)
    assert torch.allclose(mix(x, None)[0], slow, rtol=0, atol=1e-12)


def test_position_norm_sees_one_position_at_a_time():
    norm, x = awake(PositionNorm(5)), random(2, 5, 3, 2, 2)
    slow = torch.zeros_like(x)
    for n in range(2):
        for t in range(3):
            for h in range(2):
                for w in range(2):
                    vector = x[n, :, t, h, w]
                    slow[n, :, t, h, w] = norm.gain * vector / (vector.square().mean() + 1e-6).sqrt()
    assert torch.allclose(norm(x), slow, rtol=0, atol=1e-12)


def test_point_map_is_a_matrix_at_every_position():
    point, x = awake(PointMap(5, 4)), random(2, 5, 3, 2, 2)
    slow = torch.einsum("oi,bithw->bothw", point.conv.weight[..., 0, 0], x)
    assert torch.allclose(point(x), slow + point.conv.bias[:, None, None, None], rtol=0, atol=1e-12)


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
    assert [tuple(each.shape) for each in past] == [(1, 6, MEMORY, 3, 4)] * 2


def test_a_new_block_changes_nothing():
    x = random(1, 6, 3, 4, 4)
    block = Block(6).double()
    assert torch.equal(block(x, None)[0], x)


def test_a_new_stack_corrects_nothing():
    correction = ResidualStack(5, 3, width=6, blocks=2).double()(random(1, 5, 3, 4, 4), None)[0]
    assert torch.equal(correction, torch.zeros_like(correction))
