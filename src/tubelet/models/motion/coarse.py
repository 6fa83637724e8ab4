"""The first search for motion: all vectors of a few pixels' fineness, on brightness summed over squares."""

import torch
from einops import rearrange, reduce
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from tubelet.models.motion.warp import Cells, Vectors
from tubelet.types import Video

COARSE = 4
"""Rows and columns of pixels that are averaged for the first search."""

RANGE = 24
"""Pixels to each side of the first search."""

PRICE = 5
"""Levels of averaged brightness that a binary digit of a vector must take away."""

Luma = UInt8[Tensor, "n t H W"]
"""Brightness of groups of frames, in 256 levels."""


def luma(groups: Video, frames: int) -> Luma:
    """Brightness of groups of so many frames."""
    red, green, blue = groups.detach().float().unbind(dim=1)
    # One product and one sum at a time: rounded alike on every machine.
    total = (77 * red).add_(150 * green).add_(29 * blue).mul_(127.5 / 256).add_(128)
    return rearrange(total.clamp_(0, 255).to(torch.uint8), "b (g t) H W -> (b g) t H W", t=frames)


def search_coarsely(frames: Luma, cell: Cells) -> Vectors:
    """Try all vectors in steps of `COARSE` pixels: the best, in pixels, of each cell with those around it."""
    most = RANGE // COARSE
    inner = Cells(cell.h // COARSE, cell.w // COARSE)
    # Sums over nine cells of the usual size fit 16 bits.
    kind = torch.int16 if 9 * 256 * inner.h * inner.w < 1 << 15 else torch.int32
    small = reduce(frames.float(), "n t (H p) (W q) -> n t H W", "mean", p=COARSE, q=COARSE).to(kind)
    # A plane for each place within a cell, so that cells are compared as whole rows of numbers.
    later = rearrange(small[:, 1:], "n k (h p) (w q) -> p q n k 1 h w", p=inner.h, q=inner.w).contiguous()
    first = F.pad(small[:, :1].float(), [most] * 4, mode="replicate")[:, 0].to(kind)
    side = torch.arange(-most, most + 1, device=small.device)
    best = None
    for down in range(-most, most + 1):
        price = PRICE * (_digits(side) + _digits(side.new_tensor(down)))
        sums = _with_those_around(_row(first, later, down, most, inner))
        costs = (sums + rearrange(price.to(kind), "x -> x 1 1")).int()
        # The place stands in the cost, so that of equals every machine takes the same.
        places = rearrange(side + most + (down + most) * len(side), "x -> x 1 1").int()
        found = (costs * _PLACES + places).amin(dim=2)
        best = found if best is None else torch.minimum(best, found)
    assert best is not None
    return _vectors(best, most)


_PLACES = 1 << 12
"""More than there are vectors; costs times this fit 32 bits."""


def _row(
    first: Int[Tensor, "n P Q"], later: Int[Tensor, "p q n k 1 h w"], down: int, most: int, inner: Cells
) -> Int[Tensor, "n k x h w"]:
    """What the vectors of a row leave, all that go so far down."""
    height, width = later.shape[5] * inner.h, later.shape[6] * inner.w
    windows = first[:, most + down :][:, :height].unfold(2, width, 1)
    shifted = rearrange(windows, "n (h p) x (w q) -> p q n 1 x h w", p=inner.h, q=inner.w)
    total = None
    for i in range(inner.h):
        for j in range(inner.w):
            left = (shifted[i, j] - later[i, j]).abs_()
            total = left if total is None else total.add_(left)
    assert total is not None
    return total


def _with_those_around(sums: Int[Tensor, "n k x h w"]) -> Int[Tensor, "n k x h w"]:
    """The sum over a cell and the eight around it."""
    rows = sums.clone()
    rows[..., 1:, :] += sums[..., :-1, :]
    rows[..., :-1, :] += sums[..., 1:, :]
    total = rows.clone()
    total[..., 1:] += rows[..., :-1]
    total[..., :-1] += rows[..., 1:]
    return total


def _digits(numbers: Tensor) -> Tensor:
    """Binary digits of whole numbers, and of their signs."""
    return torch.frexp(2 * (COARSE * numbers).abs().float()).exponent


def _vectors(best: Tensor, most: int) -> Vectors:
    place, count = best.remainder(_PLACES).long(), 2 * most + 1
    vectors = torch.stack([place.div(count, rounding_mode="floor"), place.remainder(count)], dim=2)
    return (vectors - most) * COARSE
