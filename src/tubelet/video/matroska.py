"""The one thing about a Matroska file that FFmpeg does not tell: how long it should be."""

from pathlib import Path

_EBML_HEADER = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def missing_matroska_bytes(path: Path) -> int:
    """Return how many bytes are cut from the end of a Matroska or WebM file; 0 if none or not known.

    The file is an EBML header and then a segment, each an identifier of four bytes, a size and as many bytes.
    """
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
