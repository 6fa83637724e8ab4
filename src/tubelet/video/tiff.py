"""What FFmpeg does not tell of a TIFF: how many pictures it holds, and kinds of them it does not read."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from tubelet.errors import VideoError

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

_BITS, _COLOURS, _FORMAT = 258, 262, 339
_VALUES = {1: "B", 3: "H", 4: "I", 16: "Q"}
"""Whole numbers, by the type of an entry."""

_UNREAD_COLOURS = {8: "CIELAB", 9: "ICC L*a*b*", 10: "ITU L*a*b*", 32844: "LogL", 32845: "LogLuv"}
_SIGNED, _FLOATS = 2, 3
_RGB = 2
_MOST_BITS = 16
"""Of whole numbers; FFmpeg takes more for floating-point ones."""


def check_kind(path: Path, *, decoded: bool) -> None:
    """Raise if the first picture of a TIFF is of a kind that FFmpeg refuses, or takes for another.

    Args:
        path: the file; whatever is no TIFF passes.
        decoded: whether FFmpeg gives a frame.

    Raises:
        VideoError: it is; says what it must become.
    """
    with path.open("rb") as file:
        layout = _LAYOUTS.get(file.read(4))
        try:
            tags = {} if layout is None else _first_tags(file, *layout)
        except struct.error:
            tags = {}
    if kind := _unread_kind(tags, decoded=decoded):
        raise VideoError(
            f"{path} is a TIFF of {kind}, which is not read. Make a picture of RGB or grey in whole numbers "
            "from 0, of 8 or 16 bits, of it first: "
            f"magick {path.name} -colorspace sRGB -depth 16 out.png"
        )


def _unread_kind(tags: Mapping[int, int], *, decoded: bool) -> str:
    """What FFmpeg does not read; empty if it does."""
    bits, colours = tags.get(_BITS, 1), tags.get(_COLOURS)
    if colours in _UNREAD_COLOURS and not decoded:
        return f"{_UNREAD_COLOURS[colours]} colours"
    if tags.get(_FORMAT) == _FLOATS:
        # Those of RGB and 32 bits are read, unless they are coded by their differences.
        return "" if decoded and (bits, colours) == (32, _RGB) else f"floating-point samples of {bits} bits"
    if tags.get(_FORMAT) == _SIGNED:
        return f"signed samples of {bits} bits"  # FFmpeg takes their bits for those of unsigned ones
    return f"samples of {bits} bits" if bits > _MOST_BITS else ""


def _first_tags(file: BinaryIO, order: str, count: str, entry_bytes: int, place: str) -> dict[int, int]:
    """The first value of each entry of whole numbers, of the first directory."""

    def numbers(kinds: str) -> tuple[int, ...]:
        kinds = order + kinds
        return struct.unpack(kinds, file.read(struct.calcsize(kinds)))

    file.seek(4 if place == "I" else 8)
    file.seek(*numbers(place))
    (entries,) = numbers(count)
    begin, tags = file.tell(), dict[int, int]()
    for number in range(min(entries, _MOST)):
        file.seek(begin + number * entry_bytes)
        tag, kind, values = numbers("HH" + place)
        if kind not in _VALUES:
            continue
        if values * struct.calcsize(_VALUES[kind]) > struct.calcsize(place):
            file.seek(*numbers(place))  # they do not fit here
        (tags[tag],) = numbers(_VALUES[kind])
    return tags


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
