"""Which vectors are worth their bits in a file: cell by cell, in whole numbers.

What a cell takes is estimated for its vectors as they were found, and for standing still in either basis:
squared error in units of the price of a bit, plus bits. Content is what the KLT makes of the cell's
brightness, quantised as the file does it; vectors and flags cost what they differ by from those around. What
a cell becomes depends on a few cells around it, so tiles, cuts and machines agree (decision 0069).
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tubelet.models.motion.agree import CROSS, digits, unsteady
from tubelet.models.motion.matcher import Field, Matcher, Paths
from tubelet.models.motion.transform import TwoBases
from tubelet.models.protocol import BitPrice
from tubelet.nn.klt import KLT

ROUNDS = 3
"""How often cells are compared with those around them."""

WINDOW = 2
"""Cells to each side over which it is summed, before that, whether vectors pay at all."""

FURTHER = WINDOW + ROUNDS
"""Cells around a cell, beside those that its vectors depend on, that decide whether it keeps them."""

UNIT = 16
"""Costs are whole numbers of one in so many bits."""

DIGIT = 10
"""A binary digit of what a path differs by from one of those beside it; each pair of cells shares two."""

VELOCITY = 8
"""A binary digit of what vectors differ by from constant velocity."""

FLAG = 32
"""A cell beside one that is plain where it is not itself, or the other way round."""

NEW_FLAG = 160
"""A cell that becomes plain: it cannot repeat what stood there before."""

COUNT = 16
"""A position that stores any channel: its entry in the map of counts."""

COUNTS = (1, 2, 4, 8, 16, 32, 64)
"""Channels that a position may store, where there are so many."""

_FINE, _SIZES = 16, 1024
"""Magnitudes of coefficients are told apart by their square roots, in sixteenths of that of a step."""

_MOST = 1 << 17
"""Of a coefficient at most, so that sums over all are exact in float32."""

_RAREST = 1e-6
"""A symbol is at least so likely."""

_LEVELS = 127.5
"""Levels of brightness in one."""

_EXACT = 1 << 24
"""Whole numbers below this are exact in float32."""

_AS_FOUND, _PLAIN = 0, 2
"""Of what a cell may become: as it was found; standing still, along motion; standing still, plain."""


class _Basis(NamedTuple):
    """A KLT of brightness, in whole numbers.

    Attributes:
        mean: levels.
        rows: transposed.
        scale: what an orthonormal basis is multiplied by, a power of two.
    """

    mean: Float[Tensor, " p"]
    rows: Float[Tensor, "p k"]
    scale: int

    @classmethod
    def of(cls, klt: KLT, channels: int) -> "_Basis":
        basis, mean = (each.detach().double() for each in (klt.basis[:channels], klt.mean))
        brightness = mean.unflatten(0, (-1, 3)) @ mean.new_tensor([77, 150, 29]) / 256
        # A sum of products is no larger than differences of 510 levels times this, whatever its order.
        largest = math.sqrt(mean.numel()) * 2 * 255 * 1.01
        scale = 1 << int(math.log2(_EXACT / largest))
        rows = (basis.unflatten(1, (-1, 3)).sum(dim=2) * scale).round()
        return cls(((brightness + 1) * _LEVELS).round().float(), rows.T.contiguous().float(), scale)


class _Part(NamedTuple):
    """The cells whose vectors may be dropped.

    Attributes:
        paths: of each, and one that stands still.
        plain: likewise.
        near: which of these are beside each; the last one where there is none.
        inside: whether there is one.
    """

    paths: Paths
    plain: Int[Tensor, " m"]
    near: Int[Tensor, "4 l"]
    inside: Bool[Tensor, "4 l"]

    @classmethod
    def of(cls, matcher: Matcher, paths: Paths, plain: Bool[Tensor, " l"]) -> "_Part":
        (_, height, width), (n, i, j) = matcher.shape, matcher.places.T
        numbers = n.new_full(matcher.shape, len(n))
        numbers[n, i, j] = torch.arange(len(n), device=n.device)
        near, inside = [], []
        for y, x in CROSS:
            row, column = i + y, j + x
            inside.append((row >= 0) & (row < height) & (column >= 0) & (column < width))
            near.append(numbers[n, row.clamp(0, height - 1), column.clamp(0, width - 1)])
        still, flags = paths.new_zeros(1, *paths.shape[1:]), plain.int()
        ended = torch.cat([flags, flags.new_zeros(1)])
        return cls(torch.cat([paths, still]), ended, torch.stack(near), torch.stack(inside))


class Worth:
    """Drops vectors and flags that take more than they save.

    Args:
        transform: the bases of the model.
        price: of a bit.
    """

    def __init__(self, transform: TwoBases, price: BitPrice) -> None:
        channels = min(price.channels, len(transform.deviation))
        self._bases = [_Basis.of(klt, channels) for klt in transform.klts]
        deviation = transform.deviation[:channels].detach().double().cpu().numpy()
        device = transform.deviation.device
        self._coded = torch.from_numpy(_tables(deviation, price)).to(device)
        self._first = torch.arange(channels, device=device) * _SIZES
        self._step = _LEVELS * price.step
        self._per_error = UNIT / price.error / _LEVELS**2
        ends = [count for count in COUNTS if count < channels] + [channels]
        channel = torch.arange(channels, device=device)
        starts = [0, *ends[:-1]]
        self._bands = torch.stack(
            [(channel >= a) & (channel < b) for a, b in zip(starts, ends, strict=True)], dim=1
        ).float()

    def kept(self, matcher: Matcher, field: Field) -> Field:
        """What of a field is worth its bits."""
        n, i, j = matcher.places.T
        paths, plain = matcher.taken(field.vectors), field.plain[n, i, j]
        (some,) = (paths.flatten(1).any(dim=1) | plain).nonzero(as_tuple=True)
        if not len(some):
            return field
        part, (n, i, j) = matcher.some(some), (axis[some] for axis in (n, i, j))
        content = torch.cat(
            [self._content(each, paths[some][which], plain[some][which]) for which, each in part.parts()]
        )
        which = _chosen(part, content, _Part.of(part, paths[some], plain[some]))
        flags = field.plain.clone()
        flags[n, i, j] = torch.where(which == _AS_FOUND, plain[some], which == _PLAIN)
        left = torch.where((which == _AS_FOUND)[:, None, None], paths[some], 0)
        return Field(part.placed(left), flags)

    def _content(self, matcher: Matcher, paths: Paths, plain: Bool[Tensor, " m"]) -> Int[Tensor, "m three"]:
        """What the content of cells takes: as found, standing still along motion, and plain."""
        first = matcher.blocks(torch.zeros_like(paths[:, :1])).float()
        later = matcher.wanted.float()
        straight = torch.where(plain[:, None, None], later, later - matcher.blocks(paths).float() + first)
        moved, still = (torch.cat([first, each], dim=1).flatten(1) for each in (straight, later))
        along, other = self._bases
        in_place, as_plain = self._costs(still, along), self._costs(still, other)
        found = torch.where(plain, as_plain, self._costs(moved, along))
        return torch.stack([found, in_place, as_plain], dim=1)

    def _costs(self, levels: Float[Tensor, "m p"], basis: _Basis) -> Int[Tensor, " m"]:
        """What cells take, in the numbers of channels that are cheapest for each."""
        centred = levels - basis.mean
        numbers = centred @ basis.rows
        # Brightness alone: as three equal colours. Sums of squares are exact in float64.
        energy = 3 * centred.double().square().sum(dim=1)
        beyond = energy - numbers.double().square().sum(dim=1) / basis.scale**2
        sizes = (numbers.abs() * (_FINE**2 / (basis.scale * self._step))).sqrt().clamp(max=_SIZES - 1)
        coded = self._coded.take(sizes.long() + self._first)
        left_out = (numbers.square() * (self._per_error / basis.scale**2)).floor().clamp(max=_MOST)
        saved = ((coded - left_out) @ self._bands).long().cumsum(dim=1).add_(COUNT)
        total = left_out @ self._bands.new_ones(len(self._bands))
        rest = (beyond.clamp(min=0) * self._per_error).long()
        return rest + total.long() + saved.amin(dim=1).clamp(max=0)


def _chosen(matcher: Matcher, content: Int[Tensor, "m three"], part: _Part) -> Int[Tensor, " m"]:
    """What each cell becomes."""
    found, flags = part.paths[:-1], part.plain[:-1]
    own = content.clone()
    own[:, _AS_FOUND] += VELOCITY * unsteady(found.float())
    own[:, _PLAIN] += NEW_FLAG
    which = torch.full_like(flags, _AS_FOUND, dtype=torch.long)
    beside = _beside(part, which)
    # Where all around gain less than their vectors take, together, none of them has any.
    gain = 2 * (own[:, 1] - own[:, _AS_FOUND]) - beside[:, _AS_FOUND]
    which = torch.where(_windowed(matcher, gain) < 0, 1, which)
    for _ in range(ROUNDS):
        which = (own + _beside(part, which)).argmin(dim=1)
    return which


def _beside(part: _Part, which: Int[Tensor, " m"]) -> Int[Tensor, "m three"]:
    """What each choice takes beside those around, as these are now."""
    flags, as_found = (
        part.plain[:-1],
        torch.cat([which == _AS_FOUND, part.plain.new_zeros(1, dtype=torch.bool)]),
    )
    every = part.paths.flatten(1).T.float().contiguous()
    found, paths = every[:, :-1], torch.where(as_found, every, 0)
    plain = torch.cat([torch.where(which == _AS_FOUND, flags, (which == _PLAIN).int()), part.plain[-1:]])
    total = torch.zeros(len(which), 3, dtype=torch.long, device=which.device)
    for near, inside in zip(part.near, part.inside, strict=True):
        other, flag = paths.index_select(1, near), plain[near]
        still = DIGIT * digits(other)
        costs = [
            DIGIT * digits(found - other) + FLAG * (flags - flag).abs(),
            still + FLAG * flag,
            still + FLAG * (1 - flag),
        ]
        total += torch.stack(costs, dim=1) * inside[:, None]
    return total


def _windowed(matcher: Matcher, numbers: Int[Tensor, " m"]) -> Int[Tensor, " m"]:
    """Sums over the cells around each."""
    n, i, j = matcher.places.T
    whole = numbers.new_zeros(matcher.shape)
    whole[n, i, j] = numbers
    for axis in (1, 2):
        length = whole.shape[axis]
        total = whole.clone()
        for apart in range(1, min(WINDOW, length - 1) + 1):
            total.narrow(axis, apart, length - apart).add_(whole.narrow(axis, 0, length - apart))
            total.narrow(axis, 0, length - apart).add_(whole.narrow(axis, apart, length - apart))
        whole = total
    return whole[n, i, j]


def _tables(deviation: np.ndarray, price: BitPrice) -> np.ndarray:
    """What a coefficient of each channel and magnitude takes where it is stored.

    Its symbol is rounded to the nearest or the one nearer to zero, as is cheaper; bits are those of a Laplace
    distribution.
    """
    sizes = ((np.arange(_SIZES) + 0.5) / _FINE) ** 2
    error = price.step**2 / price.error
    rows = []
    for each in deviation:
        width = math.sqrt(2) * price.step / float(each)
        zero = 1 - math.exp(-width / 2)
        nearest = np.round(sizes)
        best = np.full(_SIZES, np.inf)
        for symbol in (nearest, np.maximum(nearest - 1, 0)):
            tail = (1 - zero) / 2 * (1 - math.exp(-width)) * np.exp(-width * np.maximum(symbol - 1, 0))
            bits = -np.log2(np.where(symbol == 0, zero, tail) + _RAREST)
            best = np.minimum(best, bits + error * np.square(sizes - symbol))
        rows.append(best)
    return np.minimum(np.round(UNIT * np.stack(rows)), _MOST).astype(np.float32)
