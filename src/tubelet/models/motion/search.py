"""Where the cells of a group's later frames come from in its first one: block matching in whole numbers.

Brightness has 8 bits, and sums of differences are integers that float32 holds exactly, so that every machine,
tile and cut finds the same vectors.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from tubelet.models.motion.coarse import Luma, luma, search_coarsely
from tubelet.models.motion.warp import FINENESS, REACH, TAPS, Cells, Vectors
from tubelet.types import Video

PASSES = 1
"""How often vectors are compared with those around them."""

NEIGHBOURS = 1 + PASSES
"""Cells around a cell, beside the reach of its vectors, that its vectors depend on."""

STILL = 1.25
"""Levels of brightness a pixel that standing still leaves, on average, in cells for which no vector is looked
for."""

DRIFT = 2
"""Sum of absolute differences that a vector must take away for each quarter that it goes from where the first
search was."""

PRICE = 20
"""A quarter of the sum of absolute differences that a binary digit must take away: of what a vector differs
by from one that is near it."""

AT_ONCE = 1 << 10
"""Cells to work on at a time: few enough for a core's cache."""

HANDICAP = (5, 4)
"""What is left over by a vector counts by so much more than what standing still leaves: an error of the first
frame is carried along a vector into pixels that do not expect it."""

LEAST_LEFT = 8
"""Levels of brightness a pixel that must be left, on average, for a cell to be plain."""

MOST_SAVED = 5
"""Nor is it, where vectors leave less than one in so many of what standing still leaves."""

Places = Int[Tensor, "m 4"]
"""Cells: group, step, row and column."""

Offsets = Int[Tensor, "m 2"]
"""A vector for each of some cells."""


class Field(NamedTuple):
    """What the search found.

    Attributes:
        vectors: of every cell.
        plain: cells that cannot be followed through all frames; their vectors move nothing.
    """

    vectors: Vectors
    plain: Bool[Tensor, "n h w"]


def find_field(groups: Video, frames: int, cell: Cells) -> Field:
    """The vectors of every group of so many frames, and where there are none worth having.

    Args:
        groups: whole groups of whole cells; cells are multiples of `COARSE`.
        frames: of a group.
        cell: pixels of a cell.
    """
    levels = luma(groups, frames)
    matcher = Matcher.of(levels, cell)
    vectors = matcher.zeros()
    if len(matcher.places):
        n, k, i, j = matcher.places.T
        start = FINENESS * search_coarsely(levels, cell)[n, k, :, i, j]
        found = [refined(part, start[some]) for some, part in matcher.parts()]
        vectors[n, k, :, i, j] = torch.cat(found)
        for _ in range(PASSES):
            vectors[n, k, :, i, j] = torch.cat([agreed(part, vectors) for _, part in matcher.parts()])
    return matcher.field(vectors)


def plain_cells(groups: Video, vectors: Vectors, cell: Cells) -> Bool[Tensor, "n h w"]:
    """Which cells cannot be followed by given vectors; groups have one frame more than each has vectors."""
    return Matcher.of(luma(groups, vectors.shape[1] + 1), cell).field(vectors).plain


class Matcher(NamedTuple):
    """Compares cells with displaced blocks of first frames.

    Attributes:
        stack: first frames at all places between pixels, continued beyond their borders.
        places: the cells that do not stand still.
        wanted: their pixels.
        corners: where they begin in the stack, at no displacement.
        still: the sum of absolute differences that standing still leaves in them.
        cell: pixels of a cell.
        shape: groups, steps, rows and columns.
    """

    stack: UInt8[Tensor, "n f P Q"]
    places: Places
    wanted: UInt8[Tensor, "m p"]
    corners: Int[Tensor, " m"]
    still: Int[Tensor, " m"]
    cell: Cells
    shape: tuple[int, ...]

    @classmethod
    def of(cls, levels: Luma, cell: Cells) -> "Matcher":
        """Make one for groups of frames."""
        first, later = levels[:, :1], levels[:, 1:]
        differences = torch.maximum(first, later) - torch.minimum(first, later)
        rows = rearrange(differences, "n k (h p) (w q) -> n k h p w q", p=cell.h, q=cell.w)
        still = _summed(rows.float().sum(dim=3))
        places = (still > STILL * cell.h * cell.w).nonzero()
        cells = rearrange(later, "n k (h p) (w q) -> n k h w p q", p=cell.h, q=cell.w)
        n, k, i, j = places.T
        stack = _displaced(first[:, 0])
        margin = REACH + TAPS
        corners = (n * stack.shape[1] * stack.shape[2] + i * cell.h + margin) * stack.shape[3]
        shape = (len(levels), later.shape[1], *cells.shape[2:4])
        wanted = cells[n, k, i, j].flatten(1)
        return cls(stack, places, wanted, corners + j * cell.w + margin, still[n, k, i, j].int(), cell, shape)

    def zeros(self) -> Vectors:
        """Vectors that stand still."""
        n, k, h, w = self.shape
        return torch.zeros((n, k, 2, h, w), dtype=torch.long, device=self.wanted.device)

    def parts(self) -> Iterator[tuple[slice, "Matcher"]]:
        """Some of the cells at a time."""
        for first in range(0, len(self.places), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            yield (
                some,
                self._replace(
                    places=self.places[some],
                    wanted=self.wanted[some],
                    corners=self.corners[some],
                    still=self.still[some],
                ),
            )

    def left(self, vectors: Int[Tensor, "*c m 2"]) -> Int[Tensor, "*c m"]:
        """The sum of absolute differences that vectors leave in the cells."""
        return self._left(self.corners + self._offsets(vectors), self.wanted)

    def left_of(self, vectors: Offsets, cells: Int[Tensor, " l"]) -> Int[Tensor, " l"]:
        """The same in some of the cells, in any order."""
        return self._left(self.corners[cells] + self._offsets(vectors), self.wanted[cells])

    def _offsets(self, vectors: Int[Tensor, "*c 2"]) -> Int[Tensor, "*c"]:
        """How much further in the stack displaced blocks begin."""
        height, width = self.stack.shape[2:]
        down, right = vectors.unbind(dim=-1)
        phase = ((down & (FINENESS - 1)) << _BITS) + (right & (FINENESS - 1))
        return (phase * height + (down >> _BITS)) * width + (right >> _BITS)

    def _left(self, starts: Int[Tensor, "*c m"], wanted: UInt8[Tensor, "m p"]) -> Int[Tensor, "*c m"]:
        lines = starts[..., None] + torch.arange(self.cell.h, device=starts.device) * self.stack.shape[3]
        # Every run of pixels of a row as a row of its own: selecting rows copies runs, not single numbers.
        runs = self.stack.as_strided((self.stack.numel() - self.cell.w + 1, self.cell.w), (1, 1))
        found = runs.index_select(0, lines.flatten()).reshape(*starts.shape, wanted.shape[-1])
        return _summed((torch.maximum(found, wanted) - torch.minimum(found, wanted)).float()).int()

    def field(self, vectors: Vectors) -> Field:
        """Say in which cells' frames too much is left by their vectors, and not much less than by none.

        There, vectors are kept in frames of which they leave less than half of what standing still leaves.
        """
        n, k, i, j = self.places.T
        left, still = totals = self.still.new_zeros(2, *self.shape)
        left[n, k, i, j] = self.left(vectors[n, k, :, i, j])
        still[n, k, i, j] = self.still
        all_left, all_still = totals.sum(dim=2)
        pixels = self.shape[1] * self.cell.h * self.cell.w
        plain = (all_left > LEAST_LEFT * pixels) & (MOST_SAVED * all_left > all_still)
        useless = plain[:, None] & (2 * left >= still)
        return Field(torch.where(useless[:, :, None], 0, vectors), plain)


def refined(matcher: Matcher, start: Offsets) -> Offsets:
    """Vectors made better in ever smaller steps, and zero where that is as good."""
    vectors, least = start, matcher.left(start)
    ring = start.new_tensor([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x])
    places = torch.arange(len(ring), device=start.device, dtype=torch.int32)[:, None]
    for size in (2 * FINENESS >> n for n in range(FINENESS.bit_length() + 1)):
        moved = vectors + size * ring[:, None]
        costs = matcher.left(moved) + DRIFT * (moved - start).abs().sum(dim=-1, dtype=torch.int32)
        # The place stands in the cost, so that of equals every machine takes the same.
        best = (costs * len(ring) + places).amin(dim=0)
        cost, which = best.div(len(ring), rounding_mode="floor"), best.remainder(len(ring)).long()
        better = cost < least
        vectors = torch.where(better[:, None], vectors + size * ring[which], vectors)
        least = torch.where(better, cost, least)
    moves = HANDICAP[0] * least < HANDICAP[1] * matcher.still
    return torch.where(moves[:, None], vectors, 0)


def agreed(matcher: Matcher, vectors: Vectors) -> Offsets:
    """For each cell the vector, of its own, those around it and zero, that is cheapest beside them."""
    n, k, i, j = matcher.places.T
    own = vectors[n, k, :, i, j]
    beside = torch.stack([*_near(vectors, matcher.places), *_other_steps(vectors, matcher.places)])
    # Among equals there is nothing to choose.
    (cells,) = (beside != own).any(dim=-1).any(dim=0).nonzero(as_tuple=True)
    result, own, beside = own.clone(), own[cells], beside[:, cells]
    every = torch.stack([own, torch.zeros_like(own), *beside])
    far = torch.stack([bits(every - one) for one in beside])
    over_time = 4 * far[4:].sum(dim=0, dtype=torch.int32).div(max(1, len(far) - 4), rounding_mode="floor")
    rate = PRICE * (far[:4].sum(dim=0, dtype=torch.int32) + over_time)
    left = matcher.left_of(own, cells).expand(len(every), -1).clone()
    left[1] = matcher.still[cells]
    which, cell = (every[2:] != own).any(dim=-1).nonzero(as_tuple=True)
    left[which + 2, cell] = matcher.left_of(every[which + 2, cell], cells[cell])
    costs = left * torch.where(every.any(dim=-1), HANDICAP[0], HANDICAP[1]) + rate
    places = torch.arange(len(every), device=own.device, dtype=costs.dtype)[:, None]
    best = (costs * len(every) + places).amin(dim=0).remainder(len(every)).long()
    result[cells] = every[best, torch.arange(len(own), device=own.device)]
    return result


def _near(vectors: Vectors, places: Places) -> list[Offsets]:
    """The vectors of the cells around some cells; a cell's own beyond the border."""
    n, k, i, j = places.T
    bottom, end = vectors.shape[3] - 1, vectors.shape[4] - 1
    cross = ((-1, 0), (0, -1), (0, 1), (1, 0))
    return [vectors[n, k, :, (i + y).clamp(0, bottom), (j + x).clamp(0, end)] for y, x in cross]


def _other_steps(vectors: Vectors, places: Places) -> list[Offsets]:
    """What the vectors of other frames of a group would be in these frames, at constant speed."""
    n, k, i, j = places.T
    found = []
    for other in range(1, vectors.shape[1]):
        step = (k + other) % vectors.shape[1]
        scaled = 2 * vectors[n, step, :, i, j] * (k + 1)[:, None] + (step + 1)[:, None]
        quotient = scaled.div(2 * (step + 1)[:, None], rounding_mode="floor")
        found.append(quotient.clamp(-REACH * FINENESS, REACH * FINENESS))
    return found


def bits(vectors: Int[Tensor, "*any 2"]) -> Int[Tensor, "*any"]:
    """About as many bits as the two numbers of a vector take."""
    return _DIGITS[vectors + _FAR].sum(dim=-1, dtype=torch.int32)


_BITS = FINENESS.bit_length() - 1

_FAR = 2 * REACH * FINENESS
"""Quarters that two vectors can differ by."""

_DIGITS = torch.tensor(
    [(2 * abs(number)).bit_length() for number in range(-_FAR, _FAR + 1)], dtype=torch.int32
)


def _summed(numbers: Float[Tensor, "*any q"]) -> Float[Tensor, "*any"]:
    """The sum over the last axis, of whole numbers: as a product, which is fast."""
    return numbers @ numbers.new_ones(numbers.shape[-1])


def _displaced(images: UInt8[Tensor, "n H W"]) -> UInt8[Tensor, "n f P Q"]:
    """Images at 0 to 3 quarters of a pixel down and to the right, between four pixels, rounded to levels."""
    margin = REACH + TAPS
    wide = F.pad(images[:, None].float(), [margin, margin + 1] * 2, mode="replicate")[:, 0].to(torch.int16)
    (n, height, width), phases = wide.shape, FINENESS**2
    stack = images.new_empty(n, phases, height - 1, width - 1)
    for right in range(FINENESS):
        between = _between(wide, right, dim=2)
        for down in range(FINENESS):
            stack[:, down * FINENESS + right] = _between(between, down, dim=1)
    return stack


def _between(x: Tensor, quarters: int, *, dim: int) -> Tensor:
    """Numbers between neighbours along an axis."""
    before, after = (x.narrow(dim, first, x.shape[dim] - 1) for first in (0, 1))
    if not quarters:
        return before
    return (before * (FINENESS - quarters)).add_(after * quarters).add_(FINENESS // 2) >> _BITS
