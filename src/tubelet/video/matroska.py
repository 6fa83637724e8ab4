"""What FFmpeg, or PyAV, does not tell of a Matroska file: its length, where chroma lies, what is cropped.

A file is a tree of elements: an identifier, a size and as many bytes of content, which are elements again or
a value (RFC 8794, RFC 9559).
"""

from collections.abc import Iterator
from pathlib import Path

_EBML_HEADER = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_CLUSTER = b"\x1f\x43\xb6\x75"
_TRACKS = b"\x16\x54\xae\x6b"
_TRACK = b"\xae"
_TRACK_TYPE = b"\x83"
_VIDEO_TYPE = 1
_VIDEO = b"\xe0"
_COLOUR = b"\x55\xb0"
_SITING_ACROSS = b"\x55\xb7"
_SITING_DOWN = b"\x55\xb8"
_CROPS = (b"\x54\xcc", b"\x54\xdd", b"\x54\xbb", b"\x54\xaa")
"""PixelCropLeft, Right, Top, Bottom."""
_LONGEST_HEAD = 1 << 20


def missing_matroska_bytes(path: Path) -> int:
    """Return how many bytes are cut from the end of a Matroska or WebM file; 0 if none or not known."""
    with path.open("rb") as file:
        head = file.read(4096)
    if not head.startswith(_EBML_HEADER):
        return 0
    size, begin = _size(head, 4)
    segment = begin + (size or 0)
    if size is None or head[segment : segment + 4] != _SEGMENT:
        return 0
    size, begin = _size(head, segment + 4)
    return 0 if size is None else max(0, begin + size - path.stat().st_size)


def _size(head: bytes, at: int) -> tuple[int | None, int]:
    """Read an EBML size at a position: its value, None if unknown, and the position after it.

    As many leading zero bits as there are further bytes; all other bits set means unknown.
    """
    first = head[at] if at < len(head) else 0
    length = 9 - first.bit_length()
    if first == 0:
        return None, at
    value = int.from_bytes(head[at : at + length], "big") & ((1 << 7 * length) - 1)
    return (None if value == (1 << 7 * length) - 1 else value), at + length


def chroma_siting(path: Path, number: int) -> tuple[int, int] | None:
    """Return where a track says that its chroma lies, across and down: 1 for with luma, 2 for half-way.

    Args:
        path: a Matroska or WebM file.
        number: of the track among those with video, from 0 on.

    Returns:
        None if it does not say, or not in front of the first frame and in the file's first mebibyte.
    """
    with path.open("rb") as file:
        head = file.read(_LONGEST_HEAD)
    videos = [
        track
        for segment in _children(head, _SEGMENT)
        for tracks in _children(segment, _TRACKS, until=_CLUSTER)
        for track in _children(tracks, _TRACK)
        if [int.from_bytes(kind, "big") for kind in _children(track, _TRACK_TYPE)] == [_VIDEO_TYPE]
    ]
    if number >= len(videos):
        return None
    colours = [each for video in _children(videos[number], _VIDEO) for each in _children(video, _COLOUR)]
    across, down = (
        [int.from_bytes(value, "big") for colour in colours for value in _children(colour, name)]
        for name in (_SITING_ACROSS, _SITING_DOWN)
    )
    return (across[0], down[0]) if across and down else None


def pixel_crop(file: bytes) -> tuple[int, int, int, int]:
    """Return the columns and rows that the tracks of a Matroska file crop: left, right, top, bottom."""
    videos = [
        video
        for segment in _children(file, _SEGMENT)
        for tracks in _children(segment, _TRACKS)
        for track in _children(tracks, _TRACK)
        for video in _children(track, _VIDEO)
    ]
    left, right, top, bottom = (
        sum(int.from_bytes(value, "big") for video in videos for value in _children(video, name))
        for name in _CROPS
    )
    return left, right, top, bottom


def _children(content: bytes, name: bytes, *, until: bytes | None = None) -> Iterator[bytes]:
    """Yield the contents of the elements of one name; what is cut off or malformed ends them."""
    at = 0
    while at < len(content) and content[at]:
        begin = at + 9 - content[at].bit_length()
        found = content[at:begin]
        if found == until:
            return
        size, begin = _size(content, begin)
        if begin == at + len(found):
            return
        end = len(content) if size is None else begin + size
        if found == name:
            yield content[begin:end]
        at = end
