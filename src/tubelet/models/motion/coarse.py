"""The first search for motion: all vectors of a few pixels' fineness, on brightness summed over squares."""

from itertools import product

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
    """Try all vectors in steps of `COARSE` pixels: the best, in pixels, of each cell with those around it.

    What reaches `RANGE` pixels in the last frame of a group, at constant speed, is looked for in each.
    """
    inner = Cells(cell.h // COARSE, cell.w // COARSE)
    # Sums over nine cells of the usual size fit 16 bits.
    kind = torch.int16 if 9 * 256 * inner.h * inner.w < 1 << 15 else torch.int32
    small = reduce(frames.float(), "n t (H p) (W q) -> n t H W", "mean", p=COARSE, q=COARSE).to(kind)
    later = rearrange(small[:, 1:], "n k (h p) (w q) -> k p q n h w", p=inner.h, q=inner.w)
    last = len(later)
    found = [
        _best(small[:, 0], planes, -(-RANGE * step // (COARSE * last)), inner)
        for step, planes in enumerate(later, start=1)
    ]
    return torch.stack(found, dim=1)


def _best(
    first: Int[Tensor, "n P Q"], later: Int[Tensor, "p q n h w"], most: int, inner: Cells
) -> Int[Tensor, "n two h w"]:
    """The best vectors of one frame of each group, of those that reach so far."""
    spare = [most, most + -2 * most % inner.w, most, most + -2 * most % inner.h]
    wide = F.pad(first[:, None].float(), spare, mode="replicate")[:, 0].to(first.dtype)
    # A plane for each place within a cell. Cells of the last frame are given columns beyond their border, so
    # that rows are as long in all planes and what a vector compares is one long row of numbers.
    planes = rearrange(wide, "n (h p) (w q) -> p q n h w", p=inner.h, q=inner.w)
    (height, width), beyond = later.shape[3:], planes.shape[4] - later.shape[4]
    planes = F.pad(planes, [0, 0, 0, 1]).flatten(3)
    later = F.pad(later, [0, beyond]).flatten(3)
    count, best = 2 * most + 1, None
    start, columns = _start_costs(most, first.device), width + beyond
    for down, right in product(range(min(inner.h, count)), range(min(inner.w, count))):
        # The vectors whose windows are whole rows of the same planes.
        some = start[down :: inner.h, right :: inner.w]
        at_once = max(1, _AT_ONCE // (some.shape[1] * later[0, 0].numel()))
        for number, rows in enumerate(some.split(at_once)):
            offset = down + number * at_once * inner.h, right
            left = _left(planes, later, offset, rows.shape, columns=columns).flatten(1, 2)
            left.unflatten(2, (height, -1))[..., width:] = 0
            costs = _with_those_around(left, columns).int().mul_(_PLACES)
            found = costs.add_(rearrange(rows, "y x -> (y x) 1")).amin(dim=1)
            best = found if best is None else torch.minimum(best, found)
    assert best is not None
    return _vectors(best.unflatten(1, (height, -1))[..., :width], most)


def _start_costs(most: int, device: torch.device) -> Int[Tensor, "y x"]:
    """What every vector costs before anything is compared, times `_PLACES`, and its place, row by row.

    The place stands in the cost, so that of equals every machine takes the same.
    """
    numbers = _digits(torch.arange(-most, most + 1, device=device))
    price = PRICE * (numbers[:, None] + numbers)
    return price * _PLACES + torch.arange(price.numel(), device=device, dtype=torch.int32).reshape(
        price.shape
    )


def _left(
    planes: Int[Tensor, "p q n P"],
    later: Int[Tensor, "p q n h"],
    offset: tuple[int, int],
    vectors: torch.Size,
    *,
    columns: int,
) -> Int[Tensor, "n y x h"]:
    """What vectors leave that go so far down and to the right, or whole cells further.

    Args:
        planes: of first frames.
        later: of the frames that are compared.
        offset: down and to the right, from the top left.
        vectors: how many, down and to the right.
        columns: of the planes.
    """
    (p, q), total = planes.shape[:2], None
    for i in range(p):
        for j in range(q):
            (down, row), (right, column) = divmod(i + offset[0], p), divmod(j + offset[1], q)
            plane = planes[row, column, :, down * columns + right :]
            size = len(plane), *vectors, later.shape[3]
            windows = plane.as_strided(size, (plane.stride(0), columns, 1, 1))
            left = (windows - later[i, j, :, None, None]).abs_()
            total = left if total is None else total.add_(left)
    assert total is not None
    return total


_AT_ONCE = 1 << 17
"""Numbers to work on at a time: few enough for a core's cache."""

_PLACES = 1 << 12
"""More than there are vectors; costs times this fit 32 bits."""


def _with_those_around(sums: Int[Tensor, "n x h"], columns: int) -> Int[Tensor, "n x h"]:
    """The sum over a cell and the eight around it, in rows of so many, of which the last is nothing."""
    rows = sums.clone()
    rows[..., columns:] += sums[..., :-columns]
    rows[..., :-columns] += sums[..., columns:]
    total = rows.clone()
    total[..., 1:] += rows[..., :-1]
    total[..., :-1] += rows[..., 1:]
    return total


def _digits(numbers: Tensor) -> Tensor:
    """Binary digits of whole numbers, and of their signs."""
    return torch.frexp(2 * (COARSE * numbers).abs().float()).exponent


def _vectors(best: Int[Tensor, "n h w"], most: int) -> Int[Tensor, "n two h w"]:
    place, count = best.remainder(_PLACES).long(), 2 * most + 1
    vectors = torch.stack([place.div(count, rounding_mode="floor"), place.remainder(count)], dim=1)
    return (vectors - most) * COARSE
