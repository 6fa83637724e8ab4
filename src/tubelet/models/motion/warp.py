"""What the vectors of a group's later frames add to them: displaced blocks of its first frame."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

FINENESS = 4
"""Vectors are whole numbers of one in so many pixels."""

REACH = 30
"""Pixels that a vector may point to each side; longer ones end there."""

TAPS = 2
"""Pixels to each side of a point between pixels that its value depends on."""

WEIGHTS = ((0, 128, 0, 0), (-9, 111, 29, -3), (-8, 72, 72, -8), (-3, 29, 111, -9))
"""Weights, times 128, of the four pixels around a point at 0, 1, 2 and 3 quarters between the middle two:
cubic convolution (Keys 1981, a = -1/2)."""

_AT_ONCE = 1 << 9
"""Blocks to work on at a time: few enough for a core's cache."""

Vectors = Int[Tensor, "n k 2 h w"]
"""Where the cells of frames 2 to k + 1 of groups come from in the first: down and to the right, in quarters
of a pixel."""

Patches = Float[Tensor, "n h w f d"]
"""Groups cell by cell: each frame's pixels of a cell in the order rows, columns, colours."""


class Cells(NamedTuple):
    """Rows and columns of pixels of a cell."""

    h: int
    w: int


class Displacements(NamedTuple):
    """By how much displaced blocks of first frames differ from these frames in their places.

    Attributes:
        rows: which frame of a cell each is of: its row of `Patches`, flattened.
        differences: pixels of a cell.
    """

    rows: Int[Tensor, " m"]
    differences: Float[Tensor, "m d"]


def quarters(pixels: Float[Tensor, "*any"]) -> Int[Tensor, "*any"]:
    """Vectors in pixels as whole numbers of quarters, within reach."""
    return (pixels.clamp(-REACH, REACH) * FINENESS).round().long()


def displacements(patches: Patches, vectors: Vectors, cell: Cells) -> Iterator[Displacements]:
    """The displacements of all cells whose vectors are not zero.

    Args:
        patches: of groups; first frames alone are read.
        vectors: of the frames after them.
        cell: pixels of a cell.
    """
    moved = rearrange(vectors, "n k two h w -> n h w k two")
    places = moved.any(dim=-1).nonzero()
    if not len(places):
        return
    (_, rows, columns, length, numbers), colours = patches.shape, patches.shape[4] // (cell.h * cell.w)
    wide = _continued(rearrange(patches[..., 0, :], "n h w (H W c) -> n h H w W c", H=cell.h, W=cell.w))
    own = moved[tuple(places.T)]
    phase = (own.remainder(FINENESS) * own.new_tensor([FINENESS, 1])).sum(dim=1)
    order = phase.argsort(stable=True)
    places, own = places[order], own[order]
    n, i, j, k = places.T
    # Of the row and the column before a block's first, in images that are continued.
    whole = own.div(FINENESS, rounding_mode="floor") + REACH
    down, right = i * cell.h + whole[:, 0], j * cell.w + whole[:, 1]
    start = ((n * wide.shape[1] + down) * wide.shape[2] + right) * colours
    target = ((n * rows + i) * columns + j) * length
    flat = patches.reshape(-1, numbers)
    first = 0
    for which, count in enumerate(phase.bincount(minlength=FINENESS**2).tolist()):
        for begin in range(first, first + count, _AT_ONCE):
            some = slice(begin, min(begin + _AT_ONCE, first + count))
            blocks = _Blocks.apply(wide, start[some], cell, divmod(which, FINENESS))
            here = flat[target[some]]
            differences = rearrange(blocks, "m H W -> m (H W)") - here
            yield Displacements(target[some] + k[some] + 1, differences)
        first += count


def _continued(cells: Float[Tensor, "n h H w W c"]) -> Float[Tensor, "n P Q c"]:
    """Images, of their cells, whose border is repeated as far as blocks reach."""
    n, rows, height, columns, width, colours = cells.shape
    before, after = REACH + 1, REACH + TAPS
    top, left, bottom, right = before, before, before + rows * height, before + columns * width
    wide = cells.new_empty(n, bottom + after, right + after, colours)
    inside = wide[:, top:bottom, left:right].unflatten(2, (columns, width)).unflatten(1, (rows, height))
    inside.copy_(cells)
    wide[:, :top, left:right] = wide[:, top : top + 1, left:right]
    wide[:, bottom:, left:right] = wide[:, bottom - 1 : bottom, left:right]
    wide[:, :, :left] = wide[:, :, left : left + 1]
    wide[:, :, right:] = wide[:, :, right - 1 : right]
    return wide


class _Blocks(torch.autograd.Function):
    """`_blocks`, and how their gradients come back to the images.

    What PyTorch would derive takes a tensor of every run of numbers in an image, which is 30 times the image.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  of PyTorch
        images: Float[Tensor, "n P Q c"],
        start: Int[Tensor, " m"],
        cell: Cells,
        phase: tuple[int, int],
    ) -> Float[Tensor, "m H W"]:
        ctx.save_for_backward(start)
        ctx.shape, ctx.cell, ctx.phase = images.shape, cell, phase
        return _blocks(images, start, cell, phase)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:  # noqa: ANN401  of PyTorch
        (start,), (gradient,) = ctx.saved_tensors, gradients
        colours, line = ctx.shape[3], ctx.shape[2] * ctx.shape[3]
        rows = _spread(gradient, ctx.phase[0], apart=1, dim=1)
        windows = _spread(rows, ctx.phase[1], apart=colours, dim=2)
        places = start[:, None] + torch.arange(windows.shape[1], device=start.device) * line
        places = places[..., None] + torch.arange(windows.shape[2], device=start.device)
        total = gradient.new_zeros(ctx.shape.numel())
        total.index_add_(0, places.flatten(), windows.flatten())
        return total.reshape(ctx.shape), None, None, None


def _spread(
    gradient: Float[Tensor, "m H W"], quarter: int, *, apart: int, dim: int
) -> Float[Tensor, "m P Q"]:
    """Undo `_between` for gradients: each number goes to the four that it came from, by their weights."""
    shape = list(gradient.shape)
    shape[dim] += 3 * apart
    total = gradient.new_zeros(shape)
    for tap, weight in enumerate(WEIGHTS[quarter]):
        if weight:
            total.narrow(dim, tap * apart, gradient.shape[dim]).add_(gradient, alpha=weight / 128)
    return total


def _blocks(
    images: Float[Tensor, "n P Q c"], start: Int[Tensor, " m"], cell: Cells, phase: tuple[int, int]
) -> Float[Tensor, "m H W"]:
    """Blocks of images at one place between pixels; colours are interleaved with columns.

    Args:
        images: contiguous.
        start: of each block, the number one row and one column before its first.
        cell: rows and columns of a block.
        phase: quarters of a pixel down and to the right.
    """
    colours, line = images.shape[3], images.shape[2] * images.shape[3]
    width, height = (cell.w + 3) * colours, cell.h + 3
    runs = images.as_strided((images.numel() - width + 1, width), (1, 1))
    lines = start[:, None] + torch.arange(height, device=start.device) * line
    # One long line of numbers, in which a column further is `colours` further and a row `width`.
    numbers = runs.index_select(0, lines.flatten()).flatten()
    between = _between(_between(numbers, phase[1], colours), phase[0], width)
    return between.as_strided((len(start), cell.h, cell.w * colours), (height * width, width, 1))


def _between(numbers: Float[Tensor, " m"], quarter: int, apart: int) -> Float[Tensor, " l"]:
    """A weighted sum of four numbers that lie so far apart, of which the second is at zero quarters."""
    length = len(numbers) - 3 * apart
    taps = [numbers[tap * apart :][:length] for tap in range(4)]
    if not quarter:
        return taps[1]
    weights = [weight / 128 for weight in WEIGHTS[quarter]]
    total = taps[0] * weights[0]
    for tap, weight in zip(taps[1:], weights[1:], strict=True):
        total.add_(tap, alpha=weight)
    return total
