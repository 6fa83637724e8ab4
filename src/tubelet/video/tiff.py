"""What FFmpeg does not tell of a TIFF: how many pictures it holds, of which FFmpeg reads the first."""

import struct
from pathlib import Path
from typing import BinaryIO

_LAYOUTS = {
    b"II*\0": ("<", "H", 12, "I"),
    b"MM\0*": (">", "H", 12, "I"),
    b"II+\0": ("<", "Q", 20, "Q"),
    b"MM\0+": (">", "Q", 20, "Q"),
}
"""By the first bytes: the order of bytes, a number of entries, the bytes of one, and a place in the file."""

_MOST = 1 << 16
"""Pictures that are counted at most."""

_SUBFILE_TYPE = 254
_BESIDE = 0b101
"""A smaller copy of another picture, or a mask of one."""


def pictures_in_tiff(path: Path) -> int:
    """How many pictures a file holds, smaller copies not counted; 0 if it is no TIFF, or damaged."""
    with path.open("rb") as file:
        layout = _LAYOUTS.get(file.read(4))
        if layout is None:
            return 0
        try:
            return _pictures(file, *layout)
        except struct.error:  # what is told leads out of the file
            return 0


def _pictures(file: BinaryIO, order: str, count: str, entry_bytes: int, place: str) -> int:
    """Follow the chain of directories, one for each picture."""

    def number(kind: str) -> int:
        kind = order + kind
        (found,) = struct.unpack(kind, file.read(struct.calcsize(kind)))
        return found

    file.seek(4 if place == "I" else 8)
    pictures, seen, at = 0, set[int](), number(place)
    while at and at not in seen and len(seen) < _MOST:
        seen.add(at)
        file.seek(at)
        entries = number(count)
        for _ in range(min(entries, _MOST)):
            begin = file.tell()
            if number("H") == _SUBFILE_TYPE:
                file.seek(begin + entry_bytes - struct.calcsize(place))
                pictures -= bool(number("I") & _BESIDE)
            file.seek(begin + entry_bytes)
        pictures += 1
        at = number(place)
    return pictures
