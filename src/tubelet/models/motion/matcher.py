"""Cells of a group's later frames beside displaced blocks of its first one, in whole numbers.

Brightness has 8 bits, and sums of differences are integers that float32 holds exactly, so that every machine,
tile and cut finds the same.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from tubelet.models.motion.coarse import Luma
from tubelet.models.motion.warp import FINENESS, REACH, TAPS, Cells, Vectors

STILL = 1.25
"""Levels of brightness a pixel that standing still leaves, on average, in all frames of cells for which no
vectors are looked for."""

AT_ONCE = 768
"""Cells to work on at a time: few enough for a core's cache."""

HANDICAP = (5, 4)
"""What is left over by a vector counts by so much more than what standing still leaves: an error of the first
frame is carried along a vector into pixels that do not expect it."""

LEAST_LEFT = 8
"""Levels of brightness a pixel that must be left, on average, for a cell to be plain."""

MOST_SAVED = 5
"""Nor is it, where vectors leave less than one in so many of what standing still leaves."""

KEPT = 4
"""Vectors of a plain cell are kept in frames of which they leave less than one in so many of what standing
still leaves."""

Places = Int[Tensor, "m 3"]
"""Cells: group, row and column."""

Paths = Int[Tensor, "m k 2"]
"""The vectors of all later frames of each of some cells."""


class Field(NamedTuple):
    """What the search found.

    Attributes:
        vectors: of every cell.
        plain: cells that cannot be followed through all frames; vectors that they are given move nothing.
    """

    vectors: Vectors
    plain: Bool[Tensor, "n h w"]


class Found(NamedTuple):
    """The paths of some cells, and how well they fit.

    Attributes:
        paths: of each.
        left: the sum of absolute differences that they leave.
    """

    paths: Paths
    left: Int[Tensor, "m k"]


class Matcher(NamedTuple):
    """Compares cells with displaced blocks of first frames.

    Attributes:
        stack: first frames at all places between pixels, continued beyond their borders.
        places: the cells that do not stand still.
        wanted: their pixels.
        corners: where they begin in the stack, at no displacement.
        still: the sum of absolute differences that standing still leaves in them.
        cell: pixels of a cell.
        shape: groups, rows and columns of cells.
    """

    stack: UInt8[Tensor, "n f P Q"]
    places: Places
    wanted: UInt8[Tensor, "m k p"]
    corners: Int[Tensor, " m"]
    still: Int[Tensor, "m k"]
    cell: Cells
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, levels: Luma, cell: Cells) -> "Matcher":
        """Make one for groups of frames."""
        first, later = levels[:, :1], levels[:, 1:]
        differences = torch.maximum(first, later) - torch.minimum(first, later)
        rows = rearrange(differences, "n k (h p) (w q) -> n h w k p q", p=cell.h, q=cell.w)
        still = _summed(rows.float().sum(dim=4))
        places = (still > STILL * cell.h * cell.w).any(dim=3).nonzero()
        cells = rearrange(later, "n k (h p) (w q) -> n h w k p q", p=cell.h, q=cell.w)
        n, i, j = places.T
        stack = _displaced(first[:, 0])
        margin = REACH + TAPS
        corners = (n * stack.shape[1] * stack.shape[2] + i * cell.h + margin) * stack.shape[3]
        wanted = cells[n, i, j].flatten(2)
        shape = (len(levels), still.shape[1], still.shape[2])
        return cls(stack, places, wanted, corners + j * cell.w + margin, still[n, i, j].int(), cell, shape)

    def taken(self, vectors: Vectors) -> Paths:
        """The vectors of the cells."""
        n, i, j = self.places.T
        return rearrange(vectors, "n k two h w -> n h w k two")[n, i, j]

    def placed(self, paths: Paths) -> Vectors:
        """Vectors of all cells; those that are not among the cells stand still."""
        n, i, j = self.places.T
        whole = paths.new_zeros(*self.shape, *paths.shape[1:])
        whole[n, i, j] = paths
        return rearrange(whole, "n h w k two -> n k two h w")

    def parts(self) -> Iterator[tuple[slice, "Matcher"]]:
        """Some of the cells at a time."""
        for first in range(0, len(self.places), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            yield some, self.some(some)

    def some(self, which: slice | Int[Tensor, " l"]) -> "Matcher":
        """Of some of the cells."""
        return self._replace(
            places=_of(self.places, which),
            wanted=_of(self.wanted, which),
            corners=_of(self.corners, which),
            still=_of(self.still, which),
        )

    def left(self, paths: Int[Tensor, "*c m k 2"], apart: int = 1) -> Int[Tensor, "*c m k"]:
        """The sum of absolute differences that vectors leave in the cells; of one in `apart` rows."""
        return self._left(self._starts(paths), apart)

    def left_around(self, paths: Paths, size: int, apart: int) -> Int[Tensor, "8 m k"]:
        """What is left by vectors that go so far to each side, row by row; that in the middle is left out."""
        steps = torch.arange(-size, size + 1, size, device=paths.device)[:, None, None]
        down, right = (steps + numbers for numbers in paths.unbind(dim=-1))
        starts = (self._starts_down(down)[:, None] + self._starts_right(right)).flatten(0, 1)
        return self._left(torch.cat([starts[:4], starts[5:]]), apart)

    def blocks(self, paths: Int[Tensor, "*c m k 2"], apart: int = 1) -> UInt8[Tensor, "*c m k p"]:
        """The pixels that vectors point to; of one in `apart` rows."""
        return self._blocks(self._starts(paths), apart)

    def _starts(self, paths: Int[Tensor, "*c m k 2"]) -> Int[Tensor, "*c m k"]:
        """Where the blocks that vectors point to begin in the stack."""
        down, right = paths.unbind(dim=-1)
        return self._starts_down(down) + self._starts_right(right)

    def _starts_down(self, down: Int[Tensor, "*c m k"]) -> Int[Tensor, "*c m k"]:
        height, width = self.stack.shape[2:]
        rows = ((down & (FINENESS - 1)) << _BITS) * height + (down >> _BITS)
        return rows * width + self.corners[:, None]

    def _starts_right(self, right: Int[Tensor, "*c m k"]) -> Int[Tensor, "*c m k"]:
        height, width = self.stack.shape[2:]
        return (right & (FINENESS - 1)) * (height * width) + (right >> _BITS)

    def _left(self, starts: Int[Tensor, "*c m k"], apart: int) -> Int[Tensor, "*c m k"]:
        found, wanted, frames = self._blocks(starts, apart), self.wanted, self.wanted.shape[1]
        if apart > 1:
            rows = wanted.reshape(-1, frames, self.cell.h // apart, apart * self.cell.w)
            wanted = rows[..., : self.cell.w].flatten(2)
        return _summed(torch.maximum(found, wanted).sub_(torch.minimum(found, wanted)).float()).int()

    def _blocks(self, starts: Int[Tensor, "*c m k"], apart: int) -> UInt8[Tensor, "*c m k p"]:
        width, pixels = self.stack.shape[3], self.wanted.shape[2]
        lines = starts[..., None] + torch.arange(0, self.cell.h, apart, device=starts.device) * width
        # Every run of pixels of a row as a row of its own: selecting rows copies runs, not single numbers.
        runs = self.stack.as_strided((self.stack.numel() - self.cell.w + 1, self.cell.w), (1, 1))
        return runs.index_select(0, lines.flatten()).reshape(*starts.shape, pixels // apart)

    def compared(self, paths: Paths) -> Found:
        """Compare paths of all cells."""
        left = [self.still[:0], *(part.left(paths[some]) for some, part in self.parts())]
        return Found(paths, torch.cat(left))

    def field(self, found: Found) -> Field:
        """Say in which cells' frames too much is left by their vectors, and not much less than by none.

        There, vectors move nothing; they are kept in frames of which they leave nearly nothing.
        """
        paths, left = found
        all_left, all_still = left.sum(dim=1), self.still.sum(dim=1)
        least = LEAST_LEFT * self.wanted.shape[1] * self.wanted.shape[2]
        plain = (all_left > least) & (MOST_SAVED * all_left > all_still)
        n, i, j = self.places.T
        flags = plain.new_zeros(self.shape)
        flags[n, i, j] = plain
        useless = plain[:, None] & (KEPT * left >= self.still)
        return Field(self.placed(torch.where(useless[..., None], 0, paths)), flags)


_BITS = FINENESS.bit_length() - 1


def _of(rows: Tensor, which: slice | Int[Tensor, " l"]) -> Tensor:
    """Some of the rows; as rows, which is faster than number by number."""
    return rows[which] if isinstance(which, slice) else rows.index_select(0, which)


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
