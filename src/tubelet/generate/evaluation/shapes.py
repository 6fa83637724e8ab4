"""Which shape a region has: the one that covers it best, drawn at its place and of its area."""

from functools import cache

import numpy as np
from jaxtyping import Float

from tubelet.data.scenes.shapes import EXTENT, distance_of
from tubelet.generate.evaluation.regions import Region

_FINE = 96
"""Points along the side of a square in which a shape is measured."""

_MARGIN = 4
"""Pixels around a region into which a soft edge reaches."""

_SOFTER = (0, 1, 2, 3)
"""How often more each shape is softened before it is compared again."""


def shape_scores(region: Region, shapes: tuple[str, ...]) -> Float[np.ndarray, " s"]:
    """How well each shape covers a region: area of what both have over that of what either has, 0 to 1.

    Tokenizers and generators soften edges; so each shape is drawn with edges of several softnesses, and the
    one that fits best counts.
    """
    rows, columns = np.nonzero(region.cover)
    top, left = max(rows.min() - _MARGIN, 0), max(columns.min() - _MARGIN, 0)
    part = region.cover[top : rows.max() + 1 + _MARGIN, left : columns.max() + 1 + _MARGIN]
    middle = (region.x - left, region.y - top)
    drawn = np.stack([_drawn(name, middle, region.area, part.shape) for name in shapes])
    return _overlaps(drawn, part)


def _drawn(
    name: str, middle: tuple[float, float], region_area: float, size: tuple[int, ...]
) -> Float[np.ndarray, "H W"]:
    """A shape of a region's area, whose own middle lies where the region's is."""
    area, x, y = _measures(name)
    radius = float(np.sqrt(max(region_area, 1e-9) / area))
    return _cover(name, (middle[0] - x * radius, middle[1] - y * radius), radius, size)


def _overlaps(drawn: Float[np.ndarray, "s H W"], cover: Float[np.ndarray, "H W"]) -> Float[np.ndarray, " s"]:
    """The best overlap of each shape over all softnesses."""
    best = np.zeros(len(drawn))
    for times in _SOFTER:
        for _ in range(times):
            drawn = _softened(drawn)
        either = np.maximum(drawn, cover).sum(axis=(1, 2))
        both = np.minimum(drawn, cover).sum(axis=(1, 2))
        best = np.maximum(best, both / np.maximum(either, 1e-9))
    return best


def _softened(cover: Float[np.ndarray, "s H W"]) -> Float[np.ndarray, "s H W"]:
    """Covers whose pixels are mixed with their neighbours, which count half as much, along both axes."""
    for axis in (1, 2):
        cover = cover.swapaxes(0, axis)
        mixed = 2 * cover
        mixed[1:] += cover[:-1]
        mixed[0] += cover[-1]
        mixed[:-1] += cover[1:]
        mixed[-1] += cover[0]
        cover = mixed.swapaxes(0, axis) / 4
    return cover


def _cover(
    name: str, middle: tuple[float, float], radius: float, size: tuple[int, ...]
) -> Float[np.ndarray, "H W"]:
    """How much of each pixel of a frame a shape covers; its edge is a pixel wide."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]] + 0.5
    distance = distance_of("shape", name)((columns - middle[0]) / radius, (rows - middle[1]) / radius)
    return np.clip(0.5 - distance * radius, 0, 1)


@cache
def _measures(name: str) -> tuple[float, float, float]:
    """Area of a shape of radius 1, and where the middle of that area is."""
    side = np.linspace(-EXTENT, EXTENT, _FINE)
    x, y = np.meshgrid(side, side)
    inside = distance_of("shape", name)(x, y) < 0
    return float(inside.mean()) * (2 * EXTENT) ** 2, float(x[inside].mean()), float(y[inside].mean())
