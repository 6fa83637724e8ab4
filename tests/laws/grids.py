"""Grids of tokens for the tests of everything that stores or orders them, drawn by hypothesis."""

from itertools import chain
from typing import Any

import torch
from hypothesis import strategies as st

from tubelet.quantizers.digits import Bases, digits_kind
from tubelet.tokenizers.grouping import Grouping
from tubelet.tokenizers.token_grid import TokenGrid
from tubelet.types import Stride

BASES: tuple[Bases, ...] = (
    ((8, 8, 8, 5, 5, 5),),
    ((3,), (5, 2), (300,)),
    ((4, 4), (4, 4)),
    ((2,) * 18,),
    ((1 << 16, 1 << 16),),
)
"""One token of a position and several, of one size and of several, of bytes and of more."""

USUAL = Stride(4, 8, 8)

one_clip = st.just(1)
any_bases = st.sampled_from(BASES)
strides = st.builds(Stride, st.integers(1, 5), st.integers(1, 9), st.integers(1, 9))


def make_grid(
    *,
    clips: int = 1,
    bases: Bases = BASES[0],
    stride: Stride = USUAL,
    lead_frame: bool = True,
    size: tuple[int, int, int] = (5, 16, 24),
    seed: int = 0,
) -> TokenGrid:
    """Random digits of clips of `size`: frames, rows and columns of pixels."""
    generator = torch.Generator().manual_seed(seed)
    frames, height, width = size
    cells = Grouping(stride=stride, lead_frame=lead_frame).grid(frames, height, width)
    digits = [torch.randint(base, (clips, *cells), generator=generator) for base in chain(*bases)]
    return TokenGrid(
        digits=torch.stack(digits, dim=1).to(digits_kind(bases)),
        bases=bases,
        stride=stride,
        lead_frame=lead_frame,
        frames=frames,
        height=height,
        width=width,
    )


def sizes(
    *, clips: st.SearchStrategy[int] = one_clip, bases: st.SearchStrategy[Bases] = any_bases
) -> st.SearchStrategy[dict[str, Any]]:
    """What `make_grid` takes, for clips of 1 to 20 frames and 1 to 40 pixels a side, at any stride.

    The test makes the grid: the checks of types draw from Python's `random`, which no strategy may.
    """
    sides = st.integers(1, 40)
    return st.fixed_dictionaries(
        {
            "clips": clips,
            "bases": bases,
            "stride": strides,
            "lead_frame": st.booleans(),
            "size": st.tuples(st.integers(1, 20), sides, sides),
            "seed": st.integers(0, 1 << 31),
        }
    )


def same(grid: TokenGrid, other: TokenGrid) -> bool:
    """Whether two grids hold the same digits, in the same type, of the same clips."""
    return (
        torch.equal(grid.digits, other.digits)
        and grid.digits.dtype == other.digits.dtype
        and (grid.bases, grid.stride, grid.lead_frame) == (other.bases, other.stride, other.lead_frame)
        and (grid.frames, grid.height, grid.width) == (other.frames, other.height, other.width)
    )
