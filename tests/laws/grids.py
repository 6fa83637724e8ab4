"""Grids of tokens for the tests of everything that stores or orders them, drawn by hypothesis."""

from fractions import Fraction
from itertools import chain
from typing import Any

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tubelet.codec.tokens.clip import ClipFacts
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

FACTS = ClipFacts(
    source="a clip.mp4",
    source_sha256="0" * 64,
    tokenizer="tubelet-fsq",
    tokenizer_sha256="f" * 64,
    fps=Fraction(30000, 1001),
    caption="a cat, seen from above",
)
BARE = ClipFacts(source="", tokenizer="t", tokenizer_sha256="1" * 64)
"""What files say of a clip: all that can be said, and as little as can."""

in_a_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
origins = st.fixed_dictionaries(
    {
        "source": texts,
        "caption": st.none() | texts,
        "tokenizer": texts,
        "tokenizer_sha256": st.just("a" * 64),
        "source_sha256": st.none() | st.just("b" * 64),
        "fps": st.none() | st.fractions(Fraction(1, 1000), 10**6, max_denominator=10**6),
    }
)

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
