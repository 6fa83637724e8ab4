"""Scenes whose motion is known: a textured square on a textured ground, drawn at any place between pixels."""

import numpy as np
from jaxtyping import UInt8

SIDE = 56
"""Rows and columns of pixels of the square."""

Places = list[tuple[float, float]]
"""Row and column of the square's corner in each frame."""


def render(places: Places, *, size: tuple[int, int] = (96, 128)) -> UInt8[np.ndarray, "T H W 3"]:
    """Frames with the square at these places, its edge as wide as a pixel."""
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    ground = _texture(y, x, seed=1)
    frames = []
    for top, left in places:
        inside = _ramp(y - top) * _ramp(x - left)
        square = _texture(y - top, x - left, seed=2)
        frames.append(ground + inside[..., None] * (square - ground))
    return np.stack(frames).round().astype(np.uint8)


def along(velocity: tuple[float, float], *, frames: int = 4, start: tuple[float, float] = (18, 30)) -> Places:
    """Places at constant velocity, in rows and columns of pixels a frame."""
    return [(start[0] + t * velocity[0], start[1] + t * velocity[1]) for t in range(frames)]


def _ramp(distance: np.ndarray) -> np.ndarray:
    """One inside of the square along an axis, zero outside."""
    return np.clip(distance + 0.5, 0, 1) * np.clip(SIDE - 0.5 - distance, 0, 1)


def _texture(y: np.ndarray, x: np.ndarray, *, seed: int) -> np.ndarray:
    """Waves of 6 to 25 pixels in all directions, in each colour."""
    generator = np.random.default_rng(seed)
    total = np.zeros((*y.shape, 3))
    for _ in range(12):
        angle, period = generator.uniform(0, 2 * np.pi), generator.uniform(6, 25)
        phases = generator.uniform(0, 2 * np.pi, 3)
        along = (np.cos(angle) * y + np.sin(angle) * x) * (2 * np.pi / period)
        total += np.sin(along[..., None] + phases)
    return 127.5 + 25 * total.clip(-5, 5)
