"""What displaced blocks of a group's first frame add to the frames after it."""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

FINENESS = 4
"""Vectors are whole numbers of one in so many pixels."""

REACH = 30
"""Pixels that a vector may point to each side; longer ones end there."""

TAPS = 2
"""Pixels to each side of a point between pixels that its value depends on."""

_WEIGHTS = ((0, 128, 0, 0), (-9, 111, 29, -3), (-8, 72, 72, -8), (-3, 29, 111, -9))
"""Weights, times 128, of the four pixels around a point at 0, 1, 2 and 3 quarters between the middle two:
cubic convolution (Keys 1981, a = -1/2)."""

Vectors = Int[Tensor, "n k 2 h w"]
"""Where the cells of frames 2 to k + 1 of groups come from in the first: down and to the right, in quarters
of a pixel."""

Phases = Float[Tensor, "n f P Q c"]
"""Images displaced by 0 to 3 quarters of a pixel each way, with a margin around them."""


class Cells(NamedTuple):
    """Rows and columns of pixels of a cell."""

    h: int
    w: int


def quarters(pixels: Float[Tensor, "*any"]) -> Int[Tensor, "*any"]:
    """Vectors in pixels as whole numbers of quarters, within reach."""
    return (pixels.clamp(-REACH, REACH) * FINENESS).round().long()


def phases(images: Float[Tensor, "n H W c"], margin: int) -> Phases:
    """Images displaced by 0 to 3 quarters of a pixel each way, continued by `margin` beyond their borders.

    At phase ``4 i + j`` a pixel is that of the image ``i`` quarters below and ``j`` to the right of it.
    """
    around = margin + 1
    wide = F.pad(
        rearrange(images, "n H W c -> n c H W"), (around, around + 1, around, around + 1), mode="replicate"
    )
    wide = rearrange(wide, "n c H W -> n H W c").contiguous()
    height, width = images.shape[1] + 2 * margin, images.shape[2] + 2 * margin
    columns = [_between(wide, weights, dim=2, size=width) for weights in _WEIGHTS]
    both = [[_between(each, weights, dim=1, size=height) for each in columns] for weights in _WEIGHTS]
    return torch.stack([each for row in both for each in row], dim=1)


def _between(x: Tensor, weights: tuple[int, ...], *, dim: int, size: int) -> Tensor:
    """A weighted sum of four neighbours along an axis; the second of them alone is a copy of it."""
    middle = x.narrow(dim, 1, size)
    if weights[1] == sum(weights):
        return middle
    total = middle * (weights[1] / 128)
    for tap in (0, 2, 3):
        total = total.add_(x.narrow(dim, tap, size), alpha=weights[tap] / 128)
    return total


def read_blocks(
    stack: Phases,
    images: Int[Tensor, " m"],
    corners: tuple[Int[Tensor, " m"], Int[Tensor, " m"]],
    vectors: Int[Tensor, "m 2"],
    sides: Cells,
) -> Float[Tensor, "m p q c"]:
    """Blocks of displaced images.

    Args:
        stack: of all images; contiguous.
        images: of which image each block is.
        corners: its first row and column, margin included, before it is displaced.
        vectors: by how much it is displaced.
        sides: its rows and columns.
    """
    whole, part = vectors.div(FINENESS, rounding_mode="floor"), vectors.remainder(FINENESS)
    _, count, height, width, c = stack.shape
    run = sides.w * c
    phase = images * count + part[:, 0] * FINENESS + part[:, 1]
    start = ((phase * height + corners[0] + whole[:, 0]) * width + corners[1] + whole[:, 1]) * c
    rows = start[:, None] + torch.arange(sides.h, device=start.device) * (width * c)
    # Every run of pixels of a row as a row of its own: selecting rows copies runs, not single numbers.
    runs = stack.as_strided((stack.numel() - run + 1, run), (1, 1))
    return rearrange(runs.index_select(0, rows.flatten()), "(m P) (Q c) -> m P Q c", P=sides.h, c=c)


def displacements(
    first: Float[Tensor, "n c H W"], vectors: Vectors, cell: Cells
) -> Float[Tensor, "n k c H W"]:
    """By how much overlapped displaced blocks of first frames differ from these frames.

    A cell's block reaches to the middles of its neighbours, and its weight falls linearly to zero there, so
    the weights of the blocks over a pixel sum to one (overlapped block motion compensation, Orchard &
    Sullivan 1994).

    Args:
        first: first frames of groups, whole cells.
        vectors: of the frames after them.
        cell: pixels of a cell.
    """
    (n, c), (k, rows, columns) = first.shape[:2], (vectors.shape[1], *vectors.shape[3:])
    spread = F.pad(vectors.flatten(0, 1).to(first.dtype), (1, 1, 1, 1), mode="replicate").long()
    spread = rearrange(spread, "(n k) two h w -> n k h w two", n=n)
    moved = spread.any(dim=-1).nonzero()
    rows, columns = rows + 3, columns + 3
    total = first.new_zeros(n * k * rows * columns, cell.h, cell.w, c)
    if len(moved):
        blocks = _blocks(first, spread[tuple(moved.T)], moved, cell)
        group, step, row, column = moved.T
        corner = ((group * k + step) * rows + row) * columns + column
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
            quadrant = blocks[:, down * cell.h :, right * cell.w :][:, : cell.h, : cell.w]
            # Each place at most once, so that the order of the sum is always the same.
            total.index_add_(0, corner + down * columns + right, quadrant)
    whole = rearrange(total, "(n k h w) H W c -> n k c (h H) (w W)", n=n, k=k, h=rows)
    # The blocks of the cell that was put before the first begin half a cell further up.
    top, left = cell.h + cell.h // 2, cell.w + cell.w // 2
    return whole[..., top : top + first.shape[2], left : left + first.shape[3]]


def _blocks(
    first: Float[Tensor, "n c H W"], vectors: Int[Tensor, "m 2"], places: Int[Tensor, "m 4"], cell: Cells
) -> Float[Tensor, "m p q c"]:
    """By how much displaced blocks differ from those in their places, weighted.

    Cells are counted from one before the first.
    """
    margin = REACH + TAPS + 2 * max(cell)
    stack = phases(rearrange(first, "n c H W -> n H W c"), margin)
    top, left = (
        (place - 1) * side - side // 2 + margin for place, side in zip(places.T[2:], cell, strict=True)
    )
    sides = Cells(2 * cell.h, 2 * cell.w)
    there = read_blocks(stack, places[:, 0], (top, left), vectors, sides)
    here = read_blocks(stack, places[:, 0], (top, left), torch.zeros_like(vectors), sides)
    falls = [1 - (torch.arange(2 * side) + 0.5 - side).abs() / side for side in cell]
    window = rearrange(falls[0][:, None] * falls[1], "P Q -> P Q 1").to(first)
    return (there - here) * window
