"""Frames that wait on disk until they are looked at: clips are longer than memory is large."""

import mmap
import tempfile
import weakref

import numpy as np

from tubelet.errors import ShapeError
from tubelet.types import Frames


class FrameBuffer:
    """Takes frames run by run, and gives them all as one array over an unnamed file.

    The operating system keeps in memory what fits, so short clips never reach the disk.

    Args:
        height: rows of every frame.
        width: columns of every frame.
    """

    def __init__(self, *, height: int, width: int) -> None:
        self._size = (height, width, 3)
        self._file = tempfile.TemporaryFile(prefix="tubelet-")  # noqa: SIM115  closed with the buffer
        weakref.finalize(self, self._file.close)
        self.count = 0

    def add(self, frames: Frames) -> None:
        """Append frames.

        Raises:
            ShapeError: they are of another size.
        """
        if frames.shape[1:] != self._size:
            raise ShapeError(f"the frames are {frames.shape[1:]} and those before {self._size}.")
        self._file.write(np.ascontiguousarray(frames).data)
        self.count += len(frames)

    def frames(self) -> Frames:
        """All frames so far; what is written into the array does not reach the file.

        Raises:
            ShapeError: there is none.
        """
        if not self.count:
            raise ShapeError("there are no frames; a clip has at least one.")
        self._file.flush()
        # The mapping keeps the file alive, and the array keeps the mapping alive.
        memory = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_COPY)
        return np.frombuffer(memory, np.uint8).reshape(self.count, *self._size)
