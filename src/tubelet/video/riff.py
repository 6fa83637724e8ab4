"""What FFmpeg does not tell of a RIFF file (AVI, WebP)."""

from pathlib import Path

_NO_SIZE = {0, 0xFFFFFFFF}
"""What recorders that were stopped leave as the size."""


def missing_riff_bytes(path: Path) -> int:
    """Return how many bytes are cut from the end of a RIFF file; 0 if none or not known."""
    with path.open("rb") as file:
        head = file.read(8)
    if not head.startswith(b"RIFF"):
        return 0
    size = int.from_bytes(head[4:], "little")
    return 0 if size in _NO_SIZE else max(0, 8 + size - path.stat().st_size)


def is_animated_webp(path: Path) -> bool:
    """Whether a file is a WebP of several frames, by the flag in its header."""
    with path.open("rb") as file:
        head = file.read(21)
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) == 21 and bool(head[20] & 2)
