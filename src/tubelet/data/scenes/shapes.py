"""Shapes, letters and digits by their signed distance: negative inside, 0 at the edge, positive outside."""

from collections.abc import Callable, Sequence
from math import cos, pi, sin

import numpy as np

from tubelet.data.scenes.glyphs import HALF_STROKE, strokes_of

EXTENT = 1.2
"""No thing reaches farther from its middle than this, in its radii."""

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Of x and y, in radii, to the distance from the edge in radii; arrays of one shape."""

Points = Sequence[tuple[float, float]]


def distance_of(kind: str, name: str) -> Distance:
    """The signed distance of a thing with radius 1.

    Args:
        kind: of `DRAWN_KINDS`.
        name: of `SHAPES`, or a letter or digit.
    """
    if kind == "shape":
        return _SHAPES[name]
    lines = [stroke[at : at + 2] for stroke in strokes_of(name) for at in range(len(stroke) - 1)]
    return lambda x, y: np.sqrt(_nearest_squared(lines, x, y)) - HALF_STROKE


def _circle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.hypot(x, y) - 1


def _ring(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.abs(np.hypot(x, y) - 0.76) - 0.24


def _polygon(corners: Points) -> Distance:
    """The exact distance from the edges; inside is where a ray to the right crosses an odd number of them."""
    edges = [(corners[at - 1], corners[at]) for at in range(len(corners))]

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        inside = np.zeros(x.shape, dtype=bool)
        for (x0, y0), (x1, y1) in edges:
            if y0 != y1:
                between = (y0 > y) != (y1 > y)
                inside ^= between & (x < (y - y0) * ((x1 - x0) / (y1 - y0)) + x0)
        away = np.sqrt(_nearest_squared(edges, x, y))
        return np.where(inside, -away, away)

    return distance


def _nearest_squared(lines: Sequence[Points], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The square of the distance from the nearest of some straight lines with two ends."""
    nearest = np.full(x.shape, np.inf, x.dtype)
    for (x0, y0), (x1, y1) in lines:
        step_x, step_y = x1 - x0, y1 - y0
        from_x, from_y = x - x0, y - y0
        along = (from_x * step_x + from_y * step_y) / (step_x**2 + step_y**2)
        np.clip(along, 0, 1, out=along)
        from_x -= along * step_x
        from_y -= along * step_y
        np.minimum(nearest, from_x * from_x + from_y * from_y, out=nearest)
    return nearest


def _around(radii: Sequence[float]) -> Points:
    """Corners at even angles, the first at the top, each at its own distance from the middle."""
    angles = [2 * pi * at / len(radii) for at in range(len(radii))]
    return [(radius * sin(angle), -radius * cos(angle)) for radius, angle in zip(radii, angles, strict=True)]


def _turned_round(corners: Points) -> Points:
    """Some corners, and the same after each of three quarter turns."""
    quarters = [list(corners)]
    for _ in range(3):
        quarters.append([(-y, x) for x, y in quarters[-1]])
    return [corner for quarter in quarters for corner in quarter]


_BAR, _ARM = 0.32, 0.95

_QUARTER_OF_CROSS = [(_BAR, -_ARM), (_BAR, -_BAR), (_ARM, -_BAR)]

_SHAPES: dict[str, Distance] = {
    "circle": _circle,
    "square": _polygon([(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)]),
    "triangle": _polygon(_around([1.1] * 3)),
    "star": _polygon(_around([1.1, 0.48] * 5)),
    "cross": _polygon(_turned_round(_QUARTER_OF_CROSS)),
    "ring": _ring,
}
