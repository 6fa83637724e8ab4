"""What FFmpeg does not tell of a TIFF: how many pictures it holds, and kinds of them it does not read."""

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from tubelet.errors import VideoError

_LAYOUTS = {
    b"II*\0": ("<", "H", "I"),
    b"MM\0*": (">", "H", "I"),
    b"II+\0": ("<", "Q", "Q"),
    b"MM\0+": (">", "Q", "Q"),
}
"""By the first bytes: the order of bytes, a number of entries, and a place in the file."""

_MOST = 1 << 20
"""Entries that are looked at in a file; a picture has some fifteen."""

_SUBFILE_TYPE = 254
_BESIDE = 0b101
"""A smaller copy of another picture, or a mask of one."""

_BITS, _COLOURS, _FORMAT = 258, 262, 339
_TOLD = {_SUBFILE_TYPE, _BITS, _COLOURS, _FORMAT}
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
    tags: Mapping[int, int] = {}
    with path.open("rb") as file, suppress(struct.error):
        tags = next(_directories(file), tags)
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


def pictures_in_tiff(path: Path) -> int:
    """How many pictures a file holds, smaller copies not counted; 0 if it is no TIFF, or damaged."""
    with path.open("rb") as file, suppress(struct.error):
        return sum(not tags.get(_SUBFILE_TYPE, 0) & _BESIDE for tags in _directories(file))
    return 0


def _directories(file: BinaryIO) -> Iterator[dict[int, int]]:
    """Of each picture, what counts here: the first value of each such entry of whole numbers.

    Raises:
        struct.error: what is told leads out of the file, or there is too much of it.
    """
    layout = _LAYOUTS.get(file.read(4))
    if layout is None:
        return
    order, count, place = layout

    def number(kind: str) -> int:
        kind = order + kind
        (found,) = struct.unpack(kind, file.read(struct.calcsize(kind)))
        return found

    entry, room = struct.Struct(f"{order}HH{place}{place}"), struct.calcsize(place)
    file.seek(4 if place == "I" else 8)
    seen, entries, at = set[int](), 0, number(place)
    while at and at not in seen:
        seen.add(at)
        file.seek(at)
        here = number(count)
        entries += here + 1
        if entries > _MOST:
            raise struct.error("no picture has so many entries")
        begin, tags = file.tell(), dict[int, int]()
        directory = file.read(here * entry.size)
        for index, (tag, kind, values, elsewhere) in enumerate(entry.iter_unpack(directory)):
            if tag in _TOLD and kind in _VALUES:
                fits = values * struct.calcsize(_VALUES[kind]) <= room
                file.seek((begin + (index + 1) * entry.size - room) if fits else elsewhere)
                tags[tag] = number(_VALUES[kind])
        file.seek(begin + here * entry.size)
        at = number(place)
        yield tags
