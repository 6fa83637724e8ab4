"""A stack that goes through a frame in strips gives what it gives on the whole frame."""

import pytest
import torch

from tubelet.nn.blocks import RateGain, ResidualStack
from tubelet.nn.stepping import RunningPast, cut, step

ROUNDING = {torch.float64: 1e-12, torch.float32: 2e-5}


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def awake(*, memory: int = 2, rated: bool = False, dtype: torch.dtype = torch.float64) -> ResidualStack:
    """A stack that changes everything."""
    stack = ResidualStack(5, 3, width=6, blocks=3, memory=memory, rated=rated).to(dtype)
    for number, weights in enumerate(stack.parameters()):
        weights.data = random(*weights.shape, seed=number, dtype=dtype) / max(1, weights[0].numel()) ** 0.5
    return stack.requires_grad_(requires_grad=False)


def stepwise(
    stack: ResidualStack, x: torch.Tensor, cells: int, rates=None
) -> tuple[torch.Tensor, RunningPast]:
    past, results = RunningPast(), []
    for t in range(x.shape[2]):
        hidden = stack.project_in(x[:, :, t : t + 1])
        part = rates if rates is None or rates.shape[1] == 1 else rates[:, t : t + 1]
        step(stack, hidden, past, part, cut(*x.shape[3:], cells))
        results.append(stack.project_out(hidden))
    return torch.cat(results, dim=2), past


@pytest.mark.parametrize("cells", [1, 14, 21, 1000])
@pytest.mark.parametrize("memory", [0, 1, 2, 3])
def test_steps_in_strips_are_the_whole_clip(cells, memory):
    stack, x = awake(memory=memory), random(2, 5, 6, 8, 7)
    expected, past = stack(x, None)
    found, running = stepwise(stack, x, cells)
    torch.testing.assert_close(found, expected, rtol=0, atol=ROUNDING[torch.float64])
    kept = running.copied()
    if memory == 0:
        assert kept is None
        return
    for ours, theirs in zip(kept, past, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=ROUNDING[torch.float64])


def test_rates_of_their_own_reach_their_positions():
    stack, x = awake(rated=True), random(1, 5, 3, 8, 7)
    rates = RateGain.weigh(torch.rand(1, 3, 8, 7, 1, generator=torch.Generator().manual_seed(1)).double())
    expected, _ = stack(x, None, rates)
    torch.testing.assert_close(stepwise(stack, x, 14, rates)[0], expected, rtol=0, atol=1e-12)


def test_a_past_that_was_stored_goes_on_and_is_not_changed():
    stack, x = awake(), random(1, 5, 5, 6, 7)
    expected, _ = stack(x, None)
    _, past = stack(x[:, :, :3], None)
    before = [each.clone() for each in past]
    running, hidden = RunningPast(past), stack.project_in(x[:, :, 3:4])
    step(stack, hidden, running, None, cut(6, 7, 14))
    torch.testing.assert_close(stack.project_out(hidden), expected[:, :, 3:4], rtol=0, atol=1e-12)
    assert all(torch.equal(one, other) for one, other in zip(past, before, strict=True))


def test_strips_cover_every_row_once():
    assert cut(7, 5, 10) == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 7)]
    assert cut(3, 5, 1) == [slice(0, 1), slice(1, 2), slice(2, 3)]
