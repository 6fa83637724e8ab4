"""Where the cells of a group's later frames come from in its first one.

First by brightness summed over squares, then in ever smaller steps for each frame by itself, then by what is
cheapest beside the cells around. What a cell's vectors depend on is bounded, and all numbers are whole ones.
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from tubelet.models.motion.agree import agreed
from tubelet.models.motion.coarse import Luma, luma, search_coarsely
from tubelet.models.motion.matcher import HANDICAP, Field, Found, Matcher, Paths
from tubelet.models.motion.warp import FINENESS, Cells, Vectors
from tubelet.models.motion.worth import Worth
from tubelet.types import Video

DRIFT = 2
"""Sum of absolute differences that a vector must take away for each quarter that it goes from where the first
search was."""

RINGS = ((8, 2), (4, 2), (2, 1), (1, 1))
"""Quarters of a pixel of each step of the search, and one in how many rows is compared there."""


def find_field(groups: Video, frames: int, cell: Cells, worth: Worth | None = None) -> Field:
    """The vectors of every group of so many frames, and where there are none worth having.

    Args:
        groups: whole groups of whole cells; cells are multiples of `COARSE`.
        frames: of a group.
        cell: pixels of a cell.
        worth: drops vectors that are not worth their bits; none for all that fit.
    """
    levels = luma(groups, frames)
    matcher = Matcher.of(levels, cell)
    found = Found(matcher.still.new_zeros((*matcher.still.shape, 2), dtype=torch.long), matcher.still)
    if len(matcher.places):
        start = FINENESS * matcher.taken(_coarse(levels, matcher, cell))
        parts = [refined(part, start[some]) for some, part in matcher.parts()]
        found = agreed(matcher, Found(*map(torch.cat, zip(*parts, strict=True))))
    field = matcher.field(found)
    return field if worth is None else worth.kept(matcher, field)


def _coarse(levels: Luma, matcher: Matcher, cell: Cells) -> Vectors:
    """The first search; groups in which every cell stands still, such as single frames, are left out."""
    moving = matcher.places[:, 0].unique()
    n, h, w = matcher.shape
    found = moving.new_zeros(n, levels.shape[1] - 1, 2, h, w)
    found[moving] = search_coarsely(levels[moving], cell)
    return found


def plain_cells(groups: Video, vectors: Vectors, cell: Cells) -> Bool[Tensor, "n h w"]:
    """Which cells cannot be followed by given vectors; groups have one frame more than each has vectors."""
    matcher = Matcher.of(luma(groups, vectors.shape[1] + 1), cell)
    return matcher.field(matcher.compared(matcher.taken(vectors))).plain


def refined(matcher: Matcher, start: Paths) -> Found:
    """Vectors made better in ever smaller steps, and zero where that is as good."""
    ring = start.new_tensor([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x])
    vectors = start
    least, before = matcher.still, 0
    for size, apart in RINGS:
        if apart != before:
            least, before = matcher.left(vectors, apart) + _drift(vectors - start, apart), apart
        costs = matcher.left_around(vectors, size, apart) + _drift_around(vectors - start, size, apart)
        # Of equals every machine takes the same: the place stands in the cost.
        places = torch.arange(_AROUND, device=costs.device, dtype=costs.dtype)
        best = (costs << _BITS).add_(places[:, None, None]).amin(dim=0)
        cost, which = best >> _BITS, best & (_AROUND - 1)
        better = cost < least
        moved = vectors + size * ring.index_select(0, which.flatten()).reshape(vectors.shape)
        vectors = torch.where(better[..., None], moved, vectors)
        least = torch.where(better, cost, least)
    left = least - _drift(vectors - start, before)
    moves = HANDICAP[0] * least < HANDICAP[1] * matcher.still
    return Found(torch.where(moves[..., None], vectors, 0), torch.where(moves, left, matcher.still))


_AROUND = 8
"""Vectors around one, a power of two."""

_BITS = _AROUND.bit_length() - 1


def _drift(gone: Int[Tensor, "m k 2"], apart: int) -> Int[Tensor, "m k"]:
    return (DRIFT * gone.abs().sum(dim=-1)).int() // apart


def _drift_around(gone: Int[Tensor, "m k 2"], size: int, apart: int) -> Int[Tensor, "8 m k"]:
    """The same of the vectors around, row by row."""
    steps = torch.arange(-size, size + 1, size, device=gone.device, dtype=torch.int32)[:, None, None]
    down, right = (DRIFT * (steps + numbers.int()).abs() for numbers in gone.unbind(dim=-1))
    every = (down[:, None] + right).flatten(0, 1) // apart
    return torch.cat([every[: _AROUND // 2], every[_AROUND // 2 + 1 :]])
