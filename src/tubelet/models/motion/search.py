"""Where the cells of a group's later frames come from in its first one: block matching in whole numbers.

Every number is an integer that float32 holds exactly, so that every machine, tile and cut finds the same
vectors.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from tubelet.models.motion.warp import FINENESS, REACH, TAPS, Cells, Phases, Vectors, phases, read_blocks
from tubelet.types import Video

COARSE = 4
"""Rows and columns of pixels that are summed up for the first search."""

RANGE = 24
"""Pixels to each side of the first search; the later ones go less than `REACH` - `RANGE` further."""

PASSES = 2
"""How often vectors are compared with those around them."""

NEIGHBOURS = 2 + PASSES
"""Cells around a cell, beside the reach of its vectors, that its vectors depend on."""

PRICE = 40
"""Sum of absolute differences that a bit of a vector must take away."""

HANDICAP = (5, 4)
"""What is left over by a vector counts by so much more than what standing still leaves: an error of the first
frame is carried along a vector into pixels that do not expect it."""

Places = Int[Tensor, "m 4"]
"""Cells: group, step, row and column."""

Offsets = Int[Tensor, "m 2"]
"""A vector for each of some cells."""


def find_vectors(groups: Video, frames: int, cell: Cells) -> Vectors:
    """The vectors of every group of so many frames.

    Args:
        groups: whole groups of whole cells; cells are multiples of `COARSE`.
        frames: of a group.
        cell: pixels of a cell.
    """
    luma = rearrange(_luma(groups), "b (g t) H W -> (b g) t H W", t=frames)
    matcher = _Matcher.of(luma, cell)
    vectors = torch.zeros((*matcher.shape[:2], 2, *matcher.shape[2:]), dtype=torch.long, device=groups.device)
    if not len(matcher.places):
        return vectors
    n, k, i, j = matcher.places.T
    vectors[n, k, :, i, j] = matcher.refined(_candidates(luma, cell, matcher.places))
    for _ in range(PASSES):
        vectors[n, k, :, i, j] = _agreed(matcher, vectors)
    return vectors


class _Matcher(NamedTuple):
    """Compares cells with displaced blocks of first frames.

    Attributes:
        stack: first frames at all phases, with a margin.
        places: the cells that do not stand still.
        wanted: their pixels.
        corners: where they lie in the stack.
        cell: pixels of a cell.
        shape: groups, steps, rows and columns.
        still: what standing still leaves of each.
    """

    stack: Phases
    places: Places
    wanted: Float[Tensor, "m p"]
    corners: tuple[Int[Tensor, " m"], Int[Tensor, " m"]]
    cell: Cells
    shape: tuple[int, ...]

    @classmethod
    def of(cls, luma: Float[Tensor, "n t H W"], cell: Cells) -> "_Matcher":
        """Make one for groups of frames."""
        margin = REACH + TAPS
        cells = rearrange(luma, "n t (h ph) (w pw) -> n t h w (ph pw)", ph=cell.h, pw=cell.w)
        places = (cells[:, 1:] != cells[:, :1]).any(dim=-1).nonzero()
        corners = places[:, 2] * cell.h + margin, places[:, 3] * cell.w + margin
        wanted = cells[:, 1:][tuple(places.T)]
        # Rounded, so that sums stay exact.
        stack = (phases(luma[:, 0, :, :, None], margin) + 0.5).floor_()
        steps, rows, columns = cells.shape[1] - 1, *cells.shape[2:4]
        return cls(stack, places, wanted, corners, cell, (len(luma), steps, rows, columns))

    def cost(self, vectors: Offsets) -> Float[Tensor, " m"]:
        """The sum of absolute differences that a vector leaves, four times."""
        blocks = read_blocks(self.stack, self.places[:, 0], self.corners, vectors, self.cell).flatten(1)
        left = blocks.sub_(self.wanted).abs_() @ self.wanted.new_ones(self.wanted.shape[1])
        return left * torch.where(vectors.any(dim=1), HANDICAP[0], HANDICAP[1])

    def refined(self, candidates: Iterator[Offsets]) -> Offsets:
        """The best candidate of each cell, made better in ever smaller steps."""
        vectors = torch.zeros_like(self.places[:, :2])
        least = self.cost(vectors)

        def priced(each: Offsets) -> Float[Tensor, " m"]:
            return self.cost(each) + HANDICAP[1] * PRICE * bits(each)

        for each in candidates:
            vectors, least = _better(vectors, least, each, priced(each))
        for size in (2 * FINENESS, FINENESS, *(FINENESS >> n for n in range(1, FINENESS.bit_length()))):
            centre = vectors
            for down, right in _RING:
                moved = centre + torch.tensor([down * size, right * size], device=centre.device)
                vectors, least = _better(vectors, least, moved, priced(moved))
        return vectors


_RING = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x]
_CROSS = ((-1, 0), (0, -1), (0, 1), (1, 0))


def _better(
    vectors: Offsets, least: Float[Tensor, " m"], others: Offsets, costs: Float[Tensor, " m"]
) -> tuple[Offsets, Float[Tensor, " m"]]:
    better = costs < least
    return torch.where(better[:, None], others, vectors), torch.where(better, costs, least)


def bits(vectors: Int[Tensor, "*any 2"]) -> Float[Tensor, "*any"]:
    """About as many bits as the two numbers of a vector take."""
    # The exponent of a whole number is how many binary digits it has.
    return torch.frexp(2 * vectors.abs().float()).exponent.sum(dim=-1).float()


def _candidates(luma: Float[Tensor, "n t H W"], cell: Cells, places: Places) -> Iterator[Offsets]:
    """What the first search and its results around a cell propose, in quarters of a pixel."""
    small = reduce(luma, "n t (H p) (W q) -> n t H W", "sum", p=COARSE, q=COARSE)
    alone, around = _coarse(small[:, :1], small[:, 1:], Cells(cell.h // COARSE, cell.w // COARSE))
    n, k, i, j = places.T
    yield alone[n, k, :, i, j] * FINENESS
    yield around[n, k, :, i, j] * FINENESS
    for near in _near(around, places):
        yield near * FINENESS
    yield from _other_steps(around * FINENESS, places)


def _near(vectors: Vectors, places: Places) -> list[Offsets]:
    """The vectors of the cells around some cells; a cell's own beyond the border."""
    n, k, i, j = places.T
    bottom, end = vectors.shape[3] - 1, vectors.shape[4] - 1
    return [vectors[n, k, :, (i + y).clamp(0, bottom), (j + x).clamp(0, end)] for y, x in _CROSS]


def _other_steps(vectors: Vectors, places: Places) -> Iterator[Offsets]:
    """What the vectors of other frames of a group would be in these frames, at constant speed."""
    n, k, i, j = places.T
    most = RANGE * FINENESS
    for other in range(1, vectors.shape[1]):
        from_step = (k + other) % vectors.shape[1]
        scaled = 2 * vectors[n, from_step, :, i, j] * (k + 1)[:, None] + (from_step + 1)[:, None]
        yield scaled.div(2 * (from_step + 1)[:, None], rounding_mode="floor").clamp(-most, most)


def _agreed(matcher: _Matcher, vectors: Vectors) -> Offsets:
    """For each cell the vector, of its own, those around it and zero, that is cheapest beside them."""
    n, k, i, j = matcher.places.T
    near = _near(vectors, matcher.places)
    others = list(_other_steps(vectors, matcher.places))
    best = vectors[n, k, :, i, j]

    def priced(each: Offsets) -> Float[Tensor, " m"]:
        around = torch.stack([bits(each - one) for one in near]).sum(dim=0) / 2
        over_time = torch.stack([bits(each - one) for one in others]).mean(dim=0) if others else around
        return matcher.cost(each) + PRICE * (around + 2 * over_time)

    least = priced(best)
    for each in (torch.zeros_like(best), *near, *others):
        best, least = _better(best, least, each, priced(each))
    return best


def _luma(video: Video) -> Float[Tensor, "b T H W"]:
    """Brightness in 256 levels."""
    red, green, blue = ((video + 1) * 127.5).clamp(0, 255).round().float().unbind(dim=1)
    return ((77 * red + 150 * green + 29 * blue + 128) / 256).floor()


def _coarse(
    first: Float[Tensor, "n 1 H W"], later: Float[Tensor, "n k H W"], cell: Cells
) -> tuple[Vectors, Vectors]:
    """The best of all vectors in steps of `COARSE` pixels: for each cell, and for it with those around it."""
    most = RANGE // COARSE
    (n, k, height, width), count = later.shape, 2 * most + 1
    wide = F.pad(first, (most, most, most, most), mode="replicate")
    shape = (n, k, height // cell.h, width // cell.w)
    best = [torch.full(shape, torch.inf, dtype=torch.float64, device=first.device) for _ in range(2)]
    found = [torch.zeros((*shape, 2), dtype=torch.long, device=first.device) for _ in range(2)]
    sides = torch.arange(-most, most + 1, device=first.device)
    for down in range(-most, most + 1):
        shifted = wide[:, 0, most + down :][:, :height].unfold(2, width, 1)
        differences = rearrange(shifted, "n H x W -> n 1 x H W") - rearrange(later, "n k H W -> n k 1 H W")
        alone = F.avg_pool2d(differences.abs_().flatten(0, 2)[:, None], tuple(cell), divisor_override=1)
        around = F.avg_pool2d(alone, 3, stride=1, padding=1, divisor_override=1)
        vectors = torch.stack([torch.full_like(sides, down), sides], dim=1) * COARSE
        prices = rearrange(PRICE * COARSE**2 // 4 * bits(vectors * FINENESS), "x -> x 1 1")
        for which, sums in enumerate((alone, around)):
            costs = rearrange(sums, "(n k x) 1 h w -> n k x h w", n=n, k=k) + prices
            # The place in the row stands in the cost, so that of equals every machine takes the same.
            least = (costs.double() * count + rearrange(sides + most, "x -> x 1 1")).amin(dim=2)
            better = least < best[which]
            best[which] = torch.where(better, least, best[which])
            found[which][better] = vectors[least[better].remainder(count).long()]
    alone, around = (rearrange(each, "n k h w two -> n k two h w") for each in found)
    return alone, around
