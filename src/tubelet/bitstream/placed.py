"""Files that several processes may read at once, although they share one opening of them."""

import io
import os
import sys
from pathlib import Path
from typing import Any


class _PlacedFile(io.RawIOBase):
    """A file to read, which keeps its place itself.

    The system keeps one place for an opening, and processes that are forked share it: what one of them reads
    would begin where another has just gone to.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401  any memory
        data = os.pread(self._file.fileno(), len(buffer), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END:
            offset += os.fstat(self._file.fileno()).st_size
        elif whence == os.SEEK_CUR:
            offset += self._at
        self._at = offset
        return offset

    def close(self) -> None:
        self._file.close()
        super().close()


def open_placed(path: Path) -> io.BufferedReader:
    """Open a file to read, buffered; processes that are forked from this one may go on reading it.

    Raises:
        OSError: it cannot be opened.
    """
    if sys.platform == "win32":  # which has no fork
        return path.open("rb")
    return io.BufferedReader(_PlacedFile(path))
