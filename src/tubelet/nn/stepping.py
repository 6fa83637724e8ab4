"""One latent step of a stream through a `ResidualStack`, some rows at a time: its numbers in little memory.

Run on a whole frame, a stack makes a dozen copies of it, of which all but one are needed only around the
rows that are worked on. Here a block goes through the frame strip by strip, its second convolution one strip
behind the first, which must still see the residual stream as it was. So nothing is computed twice, and beside
what the blocks remember only the residual stream is as large as the frame.
"""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tubelet.nn.blocks import Block, Features, Past, Rates, ResidualStack

SomeRows = Float[Tensor, "b t _ w _"]
"""Features of some rows of a frame."""

STRIP_CELLS = 1 << 11
"""Positions of a strip on a CPU: enough to keep cores busy, few enough for their cache."""

STRIP_CELLS_OF_A_GPU = 1 << 16
"""Positions of a strip on a GPU, which starts its work too slowly for short ones."""


class RunningPast:
    """What a stack remembers between the steps of a stream; `step` changes it in place.

    Attributes:
        blocks: for each block, its last inputs of one step each, oldest first; nothing before the first step.
            What `beside` gave comes after them.
    """

    def __init__(self, past: Iterable[Past] = ()) -> None:
        self.blocks: list[list[Features]] = [[step.clone() for step in each.split(1, dim=1)] for each in past]

    def beside(self, blocks: int) -> list[Features]:
        """What a model keeps beside so many blocks, ``b 1 h w c`` each; its own to change, empty at first."""
        if len(self.blocks) == blocks:
            self.blocks.append([])
        return self.blocks[blocks]

    def copied(self) -> tuple[Past, ...] | None:
        """A copy, as `ResidualStack` takes it; none if nothing is remembered."""
        if not any(self.blocks):
            return None
        return tuple(torch.cat(steps, dim=1) for steps in self.blocks)


@torch.no_grad()
def enter(
    stack: ResidualStack,
    inputs_of: Callable[[slice], Float[Tensor, "b c 1 _ w"]],
    strips: list[slice],
    *,
    cells: tuple[int, int],
) -> Features:
    """The residual stream of one step, whose inputs are made some rows at a time.

    Args:
        stack: whose residual stream.
        inputs_of: gives what the stack takes of some rows.
        strips: these rows, one run after the other, as `cut` gives them.
        cells: rows and columns of the step.
    """
    hidden: Features | None = None
    for rows in strips:
        part = stack.project_in(inputs_of(rows))
        if hidden is None:
            hidden = part.new_empty((len(part), 1, *cells, stack.width))
        hidden[:, :, rows] = part
        del part
    assert hidden is not None, "a step has a row"
    return hidden


@torch.no_grad()
def step(
    stack: ResidualStack, hidden: Features, past: RunningPast, rates: Rates | None, strips: list[slice]
) -> None:
    """Let all blocks refine the residual stream of one step in place, and remember it.

    Args:
        stack: whose blocks.
        hidden: what `ResidualStack.project_in` gave, ``b 1 h w c``; it is changed.
        past: what was remembered of the steps before; it is changed.
        rates: weights of `RateGain.weigh`; none in a network that knows no rates.
        strips: the rows to work on at a time, as `cut` gives them.
    """
    blocks = [block for block in stack.blocks if isinstance(block, Block)]
    if not past.blocks:
        past.blocks = [[] for _ in blocks]
    for index, block in enumerate(blocks):
        steps = past.blocks[index]
        known = bool(steps)
        if not known:
            steps = [torch.empty_like(hidden, dtype=stack.dtype) for _ in range(block.mix.memory)]
        _refine(block, hidden, steps, known=known, rates=rates, strips=strips)
        # What was oldest is overwritten by what is newest.
        past.blocks[index] = [*steps[1:], *steps[:1]]


def cut(rows: int, columns: int, cells: int) -> list[slice]:
    """Cut a frame of so many positions into strips: whole rows of at most `cells` positions, or one row."""
    height = max(1, cells // columns)
    return [slice(start, min(start + height, rows)) for start in range(0, rows, height)]


def _refine(
    block: Block,
    hidden: Features,
    steps: list[Features],
    *,
    known: bool,
    rates: Rates | None,
    strips: list[slice],
) -> None:
    """Let one block refine the residual stream and put what it will remember in place of the oldest step."""
    above = _border(hidden, block.mix.map.weight.dtype)
    waiting: SomeRows | None = None
    for number, rows in enumerate(strips):
        mixed = _mixed(block, hidden, steps, known=known, rates=rates, rows=rows)
        if waiting is not None:
            _change(block, hidden, (above, waiting, mixed[:, :, :1]), rates, strips[number - 1])
            above = waiting[:, :, -1:]
        waiting = mixed
    assert waiting is not None, "a frame has a row"
    _change(block, hidden, (above, waiting, _border(hidden, waiting.dtype)), rates, strips[-1])


def _mixed(
    block: Block, hidden: Features, steps: list[Features], *, known: bool, rates: Rates | None, rows: slice
) -> SomeRows:
    """Some rows of what comes out of the causal convolution; what goes in is remembered."""
    height = hidden.shape[2]
    region = slice(max(rows.start - 1, 0), min(rows.stop + 1, height))
    part = block.scaled_in(hidden[:, :, region], _of_rows(rates, region))
    part = F.silu(
        block.look.inner_rows(F.pad(part, (0, 0, 0, 0, int(rows.start == 0), int(rows.stop == height))))
    )
    # A clip stands still before it begins: its first step is also what was before it.
    before = [each[:, :, rows] if known else part for each in steps]
    mixed = F.silu(block.mix.map(torch.cat([*before, part], dim=-1)))
    # No other row looks at the oldest step here, so its place is free; of a first step all places are.
    for each in steps[:1] if known else steps:
        each[:, :, rows] = part
    return mixed


def _change(
    block: Block,
    hidden: Features,
    mixed: tuple[SomeRows, SomeRows, SomeRows],
    rates: Rates | None,
    rows: slice,
) -> None:
    """Add the block's change of some rows, whose neighbours above and below stand around them in `mixed`."""
    change = block.draw.inner_rows(torch.cat(mixed, dim=2))
    hidden[:, :, rows] += block.scaled_out(change, _of_rows(rates, rows), hidden.dtype)


def _border(hidden: Features, dtype: torch.dtype) -> SomeRows:
    """The row of zeros beyond the frame."""
    return torch.zeros_like(hidden[:, :, :1], dtype=dtype)


def _of_rows(rates: Rates | None, rows: slice) -> Rates | None:
    """The rates of some rows; those that stand for all positions stay."""
    return rates if rates is None or rates.shape[2] == 1 else rates[:, :, rows]
