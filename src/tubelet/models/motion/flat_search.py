"""`find_field` of one group, of every cell at once, on four axes: for `tubelet.interop`.

The search of the model looks only at cells that do not stand still, and compares again only what changed:
how much it computes depends on the video. Here every cell is searched, and what must not move is left out at
the end, so a runtime needs no control flow. Numbers are whole ones in float32, which holds them exactly, so
both find the same.
"""

from math import ceil
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.models.motion import agree, coarse
from tubelet.models.motion.agree import PASSES, STEADY
from tubelet.models.motion.coarse import COARSE, RANGE
from tubelet.models.motion.flat_matcher import Compared, FlatMatcher, Levels, Paths, Sums
from tubelet.models.motion.flat_warp import FlatVectors
from tubelet.models.motion.matcher import HANDICAP, KEPT, LEAST_LEFT, MOST_SAVED, STILL
from tubelet.models.motion.search import DRIFT, RINGS
from tubelet.models.motion.warp import FINENESS
from tubelet.nn.flat import FlatFrames


class FlatField(NamedTuple):
    """What the search found.

    Attributes:
        vectors: of every cell.
        plain: 1 where a cell cannot be followed through all frames, and 0 elsewhere.
    """

    vectors: FlatVectors
    plain: Float[Tensor, "1 1 h w"]


class FlatSearch(nn.Module):
    """The motion of one group.

    Args:
        frames: of a group.
        side: rows and columns of pixels of a cell.
    """

    def __init__(self, frames: int, side: int) -> None:
        super().__init__()
        self.frames, self.side = frames, side
        self.matcher = FlatMatcher(side)
        self.later = nn.ModuleList(
            _Coarse(ceil(RANGE * step / (COARSE * (frames - 1))), side // COARSE) for step in range(1, frames)
        )

    def forward(self, frames: FlatFrames) -> FlatField:
        """Search.

        Args:
            frames: of a group.
        """
        levels = self._luma(frames)
        matcher = self.matcher(levels)
        still = matcher.still
        moving = still.amax(dim=1, keepdim=True) > STILL * self.side**2
        start = torch.where(moving, FINENESS * self._coarse(levels), 0.0)
        paths = torch.where(moving, _refined(matcher, start), 0.0)
        paths, left = _agreed(matcher, paths, moving)
        return self._field(matcher, paths, left, moving)

    def _luma(self, frames: FlatFrames) -> Levels:
        x = frames.reshape(self.frames, 3, frames.shape[2], frames.shape[3])
        total = 77 * x[:, :1] + 150 * x[:, 1:2] + 29 * x[:, 2:]
        return torch.floor((total * (127.5 / 256) + 128).clamp(0, 255))

    def _coarse(self, levels: Levels) -> FlatVectors:
        """`search_coarsely`."""
        small = torch.floor(F.avg_pool2d(levels, COARSE))
        first, *later = small.split(1)
        return COARSE * torch.cat([best(first, one) for best, one in zip(self.later, later, strict=True)])

    def _field(self, matcher: Compared, paths: FlatVectors, left: Sums, moving: Tensor) -> FlatField:
        """`Matcher.field`."""
        still, number = matcher.still, (self.frames - 1) * self.side**2
        all_left, all_still = left.sum(dim=1, keepdim=True), still.sum(dim=1, keepdim=True)
        plain = moving & (all_left > LEAST_LEFT * number) & (MOST_SAVED * all_left > all_still)
        useless = _each_frame(plain & (KEPT * left >= still))
        return FlatField(torch.where(useless, 0.0, paths), plain.to(left.dtype))


class _Coarse(nn.Module):
    """The best vectors of one later frame, in steps of the coarse search.

    Args:
        most: steps that they reach to each side.
        inner: rows and columns of a cell in such steps.
    """

    def __init__(self, most: int, inner: int) -> None:
        super().__init__()
        self.most, self.inner, self.count = most, inner, (2 * most + 1) ** 2
        side = 2 * most + 1
        steps = range(-most, most + 1)
        digits = [(2 * COARSE * abs(step)).bit_length() for step in steps]
        price = [float(coarse.PRICE * (down + right)) for down in digits for right in digits]
        vectors = [(float(down), float(right)) for down in steps for right in steps]
        # Each output channel is the image moved by another vector: one and zeros, so nothing is rounded.
        self.register_buffer("moves", torch.eye(self.count).reshape(self.count, 1, side, side))
        self.register_buffer("of_cell", torch.ones(self.count, 1, inner, inner))
        self.register_buffer("around", torch.ones(self.count, 1, 3, 3))
        self.register_buffer("price", torch.tensor(price).reshape(1, -1, 1, 1))
        self.register_buffer("vectors", torch.tensor(vectors).reshape(-1, 2, 1, 1))
        self.moves: Tensor
        self.of_cell: Tensor
        self.around: Tensor
        self.price: Tensor
        self.vectors: Tensor

    def forward(self, first: Levels, later: Levels) -> Float[Tensor, "1 2 h w"]:
        moved = F.conv2d(F.pad(first, (self.most,) * 4, mode="replicate"), self.moves)
        left = (moved - later).abs()
        sums = F.conv2d(left, self.of_cell, stride=self.inner, groups=self.count)
        costs = F.conv2d(sums, self.around, padding=1, groups=self.count) + self.price
        which = _first_least(costs.transpose(0, 1))
        return (which * self.vectors).sum(dim=0, keepdim=True)


def _first_least(costs: Float[Tensor, "n r h w"]) -> Float[Tensor, "n r h w"]:
    """1 where costs are the first of the least along the first axis, and 0 elsewhere."""
    places = torch.arange(costs.shape[0], dtype=costs.dtype).reshape(-1, 1, 1, 1)
    least = costs == costs.amin(dim=0, keepdim=True)
    which = torch.where(least, places, float(costs.shape[0])).amin(dim=0, keepdim=True)
    return (places == which).to(costs.dtype)


def _refined(matcher: Compared, start: FlatVectors) -> FlatVectors:
    """`refined`: vectors made better in ever smaller steps, and zero where that is as good."""
    ring = torch.tensor([(y, x) for y in (-1.0, 0.0, 1.0) for x in (-1.0, 0.0, 1.0) if y or x])
    around = ring.repeat_interleave(start.shape[0], dim=0)[:, :, None, None]
    vectors, least, before, later = start, matcher.still, 0, start.shape[0]
    for size, apart in RINGS:
        if apart != before:
            least, before = matcher.left(vectors, apart) + _drift(vectors, start, apart, later), apart
        moved = torch.cat([vectors] * len(ring)) + size * around
        costs = matcher.left(moved, apart) + _drift(moved, torch.cat([start] * len(ring)), apart, later)
        cost, which = costs.amin(dim=0, keepdim=True), _first_least(costs)
        better = cost < least
        least = torch.where(better, cost, least)
        step = size * F.conv2d(which.transpose(0, 1), ring.T[:, :, None, None])
        vectors = torch.where(_each_frame(better), vectors + step, vectors)
    moves = HANDICAP[0] * least < HANDICAP[1] * matcher.still
    return torch.where(_each_frame(moves), vectors, 0.0)


def _each_frame(x: Shaped[Tensor, "1 k h w"]) -> Shaped[Tensor, "k 1 h w"]:
    """What is said of each later frame, as vectors lie."""
    return x.transpose(0, 1)


def _drift(vectors: Paths, start: Paths, apart: int, later: int) -> Float[Tensor, "_ _ h w"]:
    far = torch.floor(DRIFT * (vectors - start).abs().sum(dim=1) / apart)
    return far.unflatten(0, (-1, later))


def _agreed(matcher: Compared, paths: FlatVectors, moving: Tensor) -> tuple[FlatVectors, Sums]:
    """`agreed`: the cheapest path of each cell beside those around it, and what it leaves."""
    left, later = matcher.left(paths), paths.shape[0]
    for _ in range(PASSES):
        near = _near(paths)
        others = torch.cat(near)
        # Among equals there is nothing to choose.
        differs = (others != torch.cat([paths] * len(near))).to(paths.dtype)
        chosen = moving & (differs.amax(dim=(0, 1), keepdim=True) > 0)
        every = [paths, *near, torch.zeros_like(paths)]
        lefts = torch.cat([left, matcher.left(others), matcher.still])
        whole = torch.cat(every)
        moved = (whole.abs().amax(dim=1) > 0).unflatten(0, (-1, later))
        weighed = lefts * torch.where(moved, float(HANDICAP[0]), float(HANDICAP[1]))
        costs = weighed.sum(dim=1, keepdim=True) + agree.PRICE * _digits_beside(every, near)
        which = _first_least(costs)
        found = (which * whole.flatten(0, 1).unflatten(0, (-1, 2 * later))).sum(dim=0)
        paths = torch.where(chosen, found.unflatten(0, (later, 2)), paths)
        left = torch.where(chosen, (which * lefts).sum(dim=0, keepdim=True), left)
    return paths, left


def _near(paths: FlatVectors) -> list[Tensor]:
    """The paths of the cells around each cell; its own beyond the border."""
    wide, (height, width) = F.pad(paths, (1, 1, 1, 1), mode="replicate"), paths.shape[2:]
    return [
        wide[:, :, row : row + height, column : column + width]
        for row, column in ((0, 1), (1, 0), (1, 2), (2, 1))
    ]


def _digits_beside(every: list[Tensor], near: list[Tensor]) -> Float[Tensor, "c 1 h w"]:
    """Binary digits of what paths differ by from those near, and from constant velocity."""
    later, others = every[0].shape[0], torch.cat(near)
    differences = torch.cat([torch.cat([path] * len(near)) - others for path in every])
    total = _digits(differences).flatten(0, 1).unflatten(0, (len(every), -1)).sum(dim=1, keepdim=True)
    steps = [torch.cat([path[frame : frame + 1] for path in every]) for frame in range(later)]
    last, before = steps[-1], torch.zeros_like(steps[0])
    for frame, step in enumerate(steps):
        between = before + torch.floor((last - before) / (later - frame) + 0.5)
        before = step
        total = total + STEADY * _digits(step - between)
    return total


def _digits(differences: Float[Tensor, "n 2 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Binary digits of whole numbers and of their signs, of both directions."""
    eighths = 2 * differences.abs()
    # Of a number n from 2^(d - 1) to 2^d - 1 they are d; n + 0.7 is far enough from both powers of two.
    return (torch.floor(torch.log2(eighths + 0.7)) + 1).sum(dim=1, keepdim=True)
