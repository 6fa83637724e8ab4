"""Vectors that agree with those around them: what is cheapest beside its neighbours, each cell takes.

The *path* of a cell, that is its vectors in all later frames of a group, is exchanged as a whole. The path of
a neighbour costs a file next to nothing, and one of nearly constant velocity little (decision 0057).
"""

from math import prod
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tubelet.models.motion.matcher import HANDICAP, Found, Matcher, Paths

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


def agreed(matcher: Matcher, found: Found) -> Found:
    """The cheapest path of each cell beside those around it: its own, one of theirs, or standing still.

    Whose path a cell has is a number, so that paths are looked up where they are compared and nowhere else.
    """
    paths, left = found
    known = _Known.of(paths)
    own = torch.arange(len(paths), device=paths.device)
    here, around = _places(matcher)
    before: Int[Tensor, "5 m"] | None = None
    for _ in range(PASSES):
        whole = torch.full((prod(matcher.shape),), len(paths), device=own.device)
        whole[here] = own
        whose = torch.cat([own[None], whole.index_select(0, around.flatten()).reshape(around.shape)])
        # Among equals there is nothing to choose; and what chose once, chooses the same again.
        names = known.names[whose]
        chosen = (names[1:] != names[0]).any(dim=0)
        if before is not None:
            chosen &= (names != before).any(dim=0)
        (cells,) = chosen.nonzero(as_tuple=True)
        own, left, before = own.clone(), left.clone(), names
        for some in cells.split(_AT_ONCE):
            own[some], left[some] = _cheapest(matcher.some(some), known, whose[:, some], left[some])
    return Found(known.paths.index_select(0, own), left)


_AT_ONCE = 1 << 10
"""Cells to work on at a time: few enough for a core's cache."""

_MUCH = 1 << 18
"""More than any cell of a frame can leave."""

_BITS = 9
"""Binary digits that hold a number of a path."""

_AT_MOST = 1 << (_BITS - 1)

_NAMED = 3
"""Vectors whose numbers fit a name."""


class _Known(NamedTuple):
    """The paths that cells may have: what each cell came with, and last standing still.

    Attributes:
        paths: of each cell, and one that stands still.
        names: equal paths have equal ones.
        numbers: of the paths, along the first axis.
        unsteady: what each costs that is not of constant velocity.
        handicap: by which what is left counts, in each frame.
    """

    paths: Paths
    names: Int[Tensor, " m"]
    numbers: Float[Tensor, "kk m"]
    unsteady: Int[Tensor, " m"]
    handicap: Int[Tensor, "m k"]

    @classmethod
    def of(cls, paths: Paths) -> "_Known":
        every = torch.cat([paths, paths.new_zeros(1, *paths.shape[1:])])
        handicap = torch.where(every.any(dim=-1), HANDICAP[0], HANDICAP[1])
        numbers = every.flatten(1).T.float().contiguous()
        return cls(every, _names(every), numbers, STEADY * unsteady(every.float()), handicap)


def _names(paths: Paths) -> Int[Tensor, " m"]:
    """A number for each path; those of equal paths are equal."""
    name = paths.new_zeros(len(paths))
    for frame, vectors in enumerate(paths.unbind(dim=1)):
        if frame >= _NAMED:
            name = name.unique(return_inverse=True)[1]
        for number in vectors.unbind(dim=1):
            name = (name << _BITS) + number + _AT_MOST
    return name


def _places(matcher: Matcher) -> tuple[Int[Tensor, " m"], Int[Tensor, "4 m"]]:
    """Where the cells and the four around each are among all cells; a cell's own place beyond the border."""
    n, i, j = matcher.places.T
    _, height, width = matcher.shape
    around = [
        (n * height + (i + y).clamp(0, height - 1)) * width + (j + x).clamp(0, width - 1) for y, x in CROSS
    ]
    return (n * height + i) * width + j, torch.stack(around)


def _cheapest(
    matcher: Matcher, known: _Known, whose: Int[Tensor, "5 m"], own_left: Int[Tensor, "m k"]
) -> tuple[Int[Tensor, " m"], Int[Tensor, "m k"]]:
    """Whose path is the cheapest for each of some cells, and what it leaves.

    Args:
        matcher: of the cells.
        known: all paths.
        whose: the cells' own paths, and the four around.
        own_left: what their own leave.
    """
    every = torch.cat([whose, torch.full_like(whose[:1], len(known.paths) - 1)])
    left = own_left.repeat(len(every), 1, 1)
    left[-1] = matcher.still
    # What stands before a path already, its own or another's, is compared once: of equals the first is taken.
    names = known.names[whose]
    again = torch.stack([(names[:one] == names[one]).any(dim=0) for one in range(1, 5)])
    left[1:-1][again] = _MUCH
    which, cell = again.logical_not().nonzero(as_tuple=True)
    left[which + 1, cell] = matcher.some(cell).left(known.paths.index_select(0, every[which + 1, cell]))
    costs = (left * known.handicap[every]).sum(dim=-1) + known.unsteady[every].mul_(PRICE)
    numbers = known.numbers[:, every]
    for near in range(1, len(whose)):
        costs += PRICE * digits(numbers - numbers[:, near : near + 1])
    # The place stands in the cost, so that of equals every machine takes the same.
    places = torch.arange(len(every), device=every.device)[:, None]
    best = (costs * len(every) + places).amin(dim=0).remainder(len(every))
    cells = torch.arange(len(own_left), device=best.device)
    return every[best, cells], left[best, cells]


def unsteady(paths: Float[Tensor, "*c m k two"]) -> Int[Tensor, "*c m"]:
    """Binary digits of what paths differ by from constant velocity."""
    last, before = paths[..., -1, :], torch.zeros_like(paths[..., 0, :])
    total = torch.zeros_like(before[..., 0], dtype=torch.int32)
    for frame in range(paths.shape[-2] - 1):
        steps = paths.shape[-2] - frame
        between = before + ((last - before) / steps + 0.5).floor()
        before = paths[..., frame, :]
        total = total + digits((before - between).movedim(-1, 0))
    return total


def digits(differences: Float[Tensor, "n ..."]) -> Int[Tensor, "..."]:
    """Binary digits of whole numbers and of their signs, of all along the first axis."""
    # How many a number has is the exponent of its float32.
    exponents = (2 * differences).abs_().view(torch.int32) >> _EXPONENT
    return exponents.sub_(_OF_A_HALF).clamp_(min=0).sum(dim=0)


_EXPONENT, _OF_A_HALF = 23, 126
"""Where the exponent of a float32 stands, and what is there in numbers from a half to one."""
