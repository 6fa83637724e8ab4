"""Vectors that agree with those around them: what is cheapest beside its neighbours, each cell takes.

The *path* of a cell, that is its vectors in all later frames of a group, is exchanged as a whole. The path of
a neighbour costs a file next to nothing, and one of nearly constant velocity little (decision 0057).
"""

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from tubelet.models.motion.matcher import HANDICAP, Matcher, Paths

PASSES = 3
"""How often paths are compared with those around them."""

NEIGHBOURS = 1 + PASSES
"""Cells around a cell, beside the reach of its vectors, that its vectors depend on."""

PRICE = 40
"""A quarter of the sum of absolute differences that a binary digit must take away: of what a path differs by
from one that is near it."""

STEADY = 8
"""A digit by which vectors differ from constant velocity counts for so many of these."""

CROSS = ((-1, 0), (0, -1), (0, 1), (1, 0))
"""Where the four cells around a cell are, in rows and columns from it."""


def agreed(matcher: Matcher, paths: Paths) -> Paths:
    """The cheapest path of each cell beside those around it: its own, one of theirs, or standing still."""
    left = torch.cat([part.left(paths[some]) for some, part in matcher.parts()])
    before: Int[Tensor, "5 m k two"] | None = None
    for _ in range(PASSES):
        known = torch.stack([paths, *_near(matcher, paths)])
        # Among equals there is nothing to choose; and what chose once, chooses the same again.
        chosen = (known[1:] != known[0]).flatten(2).any(dim=2).any(dim=0)
        if before is not None:
            chosen &= (known != before).flatten(2).any(dim=2).any(dim=0)
        (cells,) = chosen.nonzero(as_tuple=True)
        paths, left, before = paths.clone(), left.clone(), known
        for some in cells.split(_AT_ONCE):
            paths[some], left[some] = _cheapest(matcher.some(some), known[:, some], left[some])
    return paths


_AT_ONCE = 1 << 10
"""Cells to work on at a time: few enough for a core's cache."""

_MUCH = 1 << 18
"""More than any cell of a frame can leave."""


def _near(matcher: Matcher, paths: Paths) -> list[Paths]:
    """The paths of the cells around the cells; a cell's own beyond the border."""
    whole = rearrange(matcher.placed(paths), "n k two h w -> n h w k two")
    n, i, j = matcher.places.T
    bottom, end = whole.shape[1] - 1, whole.shape[2] - 1
    return [whole[n, (i + y).clamp(0, bottom), (j + x).clamp(0, end)] for y, x in CROSS]


def _cheapest(
    matcher: Matcher, known: Int[Tensor, "5 m k two"], own_left: Int[Tensor, "m k"]
) -> tuple[Paths, Int[Tensor, "m k"]]:
    """The cheapest path of each of some cells, and what it leaves.

    Args:
        matcher: of the cells.
        known: their own paths, and the four around.
        own_left: what their own leave.
    """
    own = known[0]
    every = torch.cat([known, torch.zeros_like(known[:1])])
    left = own_left.repeat(len(every), 1, 1)
    left[-1] = matcher.still
    # What stands before a path already, its own or another's, is compared once: of equals the first is taken.
    again = torch.stack([(known[:one] == known[one]).flatten(2).all(dim=2).any(dim=0) for one in range(1, 5)])
    left[1:-1][again] = _MUCH
    which, cell = again.logical_not().nonzero(as_tuple=True)
    left[which + 1, cell] = matcher.some(cell).left(known[which + 1, cell])
    handicap = torch.where(every.any(dim=-1), HANDICAP[0], HANDICAP[1])
    costs = (left * handicap).sum(dim=-1) + PRICE * _digits_beside(every.float(), known[1:].float())
    # The place stands in the cost, so that of equals every machine takes the same.
    places = torch.arange(len(every), device=own.device)[:, None]
    best = (costs * len(every) + places).amin(dim=0).remainder(len(every))
    cells = torch.arange(len(own), device=own.device)
    return every[best, cells], left[best, cells]


def _digits_beside(every: Float[Tensor, "c m k two"], near: Float[Tensor, "4 m k two"]) -> Int[Tensor, "c m"]:
    """Binary digits of what paths differ by from those near, and from constant velocity."""
    return torch.stack([digits(every - one) for one in near]).sum(dim=0) + STEADY * unsteady(every)


def unsteady(paths: Float[Tensor, "*c m k two"]) -> Int[Tensor, "*c m"]:
    """Binary digits of what paths differ by from constant velocity."""
    last, before = paths[..., -1, :], torch.zeros_like(paths[..., 0, :])
    total = torch.zeros_like(before[..., 0], dtype=torch.int32)
    for frame in range(paths.shape[-2] - 1):
        steps = paths.shape[-2] - frame
        between = before + ((last - before) / steps + 0.5).floor()
        before = paths[..., frame, :]
        total = total + digits((before - between)[..., None, :])
    return total


def digits(differences: Float[Tensor, "*c m k two"]) -> Int[Tensor, "*c m"]:
    """Binary digits of whole numbers and of their signs, of all in a path."""
    return torch.frexp(2 * differences.abs()).exponent.flatten(-2).sum(dim=-1)
