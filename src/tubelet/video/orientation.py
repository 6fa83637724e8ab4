"""Turning and mirroring stored frames so that they are upright."""

import struct
from typing import NamedTuple

import numpy as np

from tubelet.video.crop import Crop

_SLANT = 0.01
"""Of the larger numbers of a display matrix, what the smaller may be by rounding: half a degree."""


class Orientation(NamedTuple):
    """One of the eight ways to lay a frame: transpose first, then flip rows, then flip columns."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @classmethod
    def from_matrix(cls, matrix: bytes) -> "Orientation":
        """Read FFmpeg's display matrix: nine little-endian 32-bit integers, ``a b u  c d v  x y w``.

        A stored point (x, y) is shown at (a x + c y, b x + d y). Angles between the right angles are rounded
        to one; a matrix that is all zeros, as broken muxers write it, leaves the frame as stored.
        """
        a, b, _, c, d, *_ = struct.unpack("<9i", matrix[:36])
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(transpose=True, flip_rows=b < 0, flip_columns=c < 0)
        return cls(transpose=False, flip_rows=d < 0, flip_columns=a < 0)

    @property
    def mirrored(self) -> bool:
        """Whether the stored frame is flipped left to right before it is turned."""
        return (self.transpose + self.flip_rows + self.flip_columns) % 2 == 1

    @property
    def rotation(self) -> int:
        """Degrees anticlockwise by which the frame, mirrored if `mirrored`, is turned: 0, 90, 180 or 270."""
        if self.transpose:
            return 90 if self.flip_rows != self.mirrored else 270
        return 180 if self.flip_rows else 0

    def apply(self, plane: np.ndarray) -> np.ndarray:
        """Return a view of an array of rows and columns (and more axes) as it is to be shown."""
        if self.transpose:
            plane = plane.swapaxes(0, 1)
        return plane[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]


def is_slanted(matrix: bytes) -> bool:
    """Whether a display matrix, as `Orientation.from_matrix` reads it, turns by what is no right angle."""
    a, b, _, c, d, *_ = map(abs, struct.unpack("<9i", matrix[:36]))
    return min(a + d, b + c) > _SLANT * max(a + d, b + c)


class Layout(NamedTuple):
    """What of a stored frame is shown, and how it is laid to be upright: cropped first, then turned."""

    crop: Crop = Crop()
    orientation: Orientation = Orientation()

    def apply(self, plane: np.ndarray) -> np.ndarray:
        """Return a view of an array of rows and columns (and more axes) as it is to be shown."""
        return self.orientation.apply(self.crop.apply(plane))
