"""The clip that is measured: a texture that moves, so that a codec has something to predict."""

import numpy as np
from jaxtyping import Float

from tubelet.types import Frames

_ROWS, _COLUMNS = 1, 2
"""By how much it moves from frame to frame."""


class Picture:
    """A texture of soft clouds and fine grain in muted colours that pans; the same size is the same clip.

    Its amplitude falls with frequency to the power of 1.5, a little faster than that of photographs. It
    repeats itself beyond its border, so it can move on for ever.

    Args:
        height: rows of a frame.
        width: columns of a frame.
    """

    def __init__(self, *, height: int, width: int) -> None:
        random = np.random.default_rng(0)
        grey = _clouds(random, height, width)
        self._frame = np.empty((height, width, 3), np.uint8)
        for colour in range(3):
            levels = 128 + 45 * grey + 15 * _clouds(random, height, width)
            self._frame[..., colour] = np.clip(levels, 0, 255)

    def frames(self, start: int, stop: int) -> Frames:
        """The frames from `start` up to `stop`."""
        result = np.empty((stop - start, *self._frame.shape), np.uint8)
        for index, t in enumerate(range(start, stop)):
            result[index] = np.roll(self._frame, (-_ROWS * t, -_COLUMNS * t), axis=(0, 1))
        return result


def _clouds(random: np.random.Generator, height: int, width: int) -> Float[np.ndarray, "H W"]:
    """Noise of zero mean and unit deviation."""
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(height, width))
    spectrum = np.fft.rfft2(random.standard_normal((height, width))) / frequency**1.5
    noise = np.fft.irfft2(spectrum, (height, width))
    return (noise - noise.mean()) / max(float(noise.std()), 1e-9)
