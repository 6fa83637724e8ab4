"""Clips stored as NumPy arrays: `.npy`, uint8, axes T H W 3 (or H W 3: one frame), 24 frames per second."""

import io
from fractions import Fraction
from pathlib import Path

import numpy as np

from tubelet.errors import VideoError
from tubelet.spelling import cure_of_levels
from tubelet.video.info import Colour, VideoInfo
from tubelet.video.opening import check_file

ARRAY_TIME_BASE = Fraction(1, 24)
"""Seconds per frame of an array, which has no clock of its own."""

_MARKS = (b"\x93NUM", b"PK\x03\x04")
"""How an array begins, and an archive of arrays."""


def open_array(path: Path) -> np.ndarray:
    """Map an array file as uint8 T H W 3; nothing is loaded yet.

    Raises:
        VideoError: the file is not an array, or not one of RGB frames.
    """
    check_file(path)
    with path.open("rb") as file:
        mark = file.read(4)
    if mark not in _MARKS:
        raise VideoError(
            f"{path} is not an array that can be read: it does not begin as a .npy file. Give it its "
            "own suffix."
        )
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise VideoError(
            f"{path} is not an array that can be read: {str(error).rstrip('.')}. Save it again with NumPy."
        ) from error
    if not isinstance(array, np.ndarray):
        raise VideoError(f"{path} is an archive of arrays; give one .npy with axes T H W 3.")
    if array.dtype != np.uint8:
        cure = cure_of_levels(array.dtype.kind, array.dtype.itemsize)
        raise VideoError(f"{path} holds {array.dtype}; frames are uint8, 0 to 255. {cure}")
    if array.ndim not in (3, 4) or array.shape[-1] != 3 or 0 in array.shape:
        raise VideoError(
            f"{path} has the shape {array.shape}; frames have the axes T H W 3, none of them empty."
            f"{_axes_cure(array.shape)}"
        )
    return array[None] if array.ndim == 3 else array


def _axes_cure(shape: tuple[int, ...]) -> str:
    """How other axes that are usual become those of frames; nothing for others."""
    rank, channels = len(shape), shape[-1:]
    cures = (
        (0 in shape, ""),
        (rank == 5 and shape[0] == 1, " Of one clip of a batch make a[0]."),
        (rank == 4 and channels == (4,), " Of RGBA make a[..., :3]."),
        (rank in (3, 4) and 3 in shape[:-2], " With channels first make np.moveaxis(a, {}, -1)."),
        (rank == 4 and channels == (1,), " Of grey frames make np.repeat(a, 3, axis=-1)."),
        (rank == 3, " Of grey frames T H W make np.stack([a] * 3, axis=-1)."),
    )
    cure = next((text for holds, text in cures if holds), "")
    return cure.format(shape.index(3)) if 3 in shape else cure


def describe_array(path: Path, array: np.ndarray) -> VideoInfo:
    """Describe an array file that `open_array` opened."""
    count, height, width, _ = array.shape
    return VideoInfo(
        path=path,
        format="npy",
        codec="raw",
        width=width,
        height=height,
        coded_width=width,
        coded_height=height,
        frames=count,
        duration_seconds=float(count * ARRAY_TIME_BASE),
        time_base=ARRAY_TIME_BASE,
        average_rate=1 / ARRAY_TIME_BASE,
        pixel_format="rgb24",
        bits=8,
        colour=Colour(matrix="rgb", range="full", primaries=1, transfer=13, tagged=True),
        interlaced=False,
    )


class ArrayFile:
    """Writes frames to a `.npy` file one by one; the count goes into the header at the end."""

    def __init__(self, path: Path, *, width: int, height: int) -> None:
        self._file = path.open("wb")
        self._size = (height, width, 3)
        self._count = 0
        self._file.write(self._header())

    def _header(self) -> bytes:
        # NumPy pads the header so that the first axis may grow to any length without moving the data.
        header = io.BytesIO()
        description = {"descr": "|u1", "fortran_order": False, "shape": (self._count, *self._size)}
        np.lib.format.write_array_header_1_0(header, description)
        return header.getvalue()

    def write(self, pixels: np.ndarray, tick: int, duration: int) -> None:
        """Append one picture (uint8 H W 3); an array stores no time."""
        del tick, duration
        self._file.write(np.ascontiguousarray(pixels).data)
        self._count += 1

    def abandon(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def close(self) -> None:
        """Write the count and close the file, also where there is no room for that."""
        if not self._file.closed:
            with self._file:
                self._file.seek(0)
                self._file.write(self._header())
