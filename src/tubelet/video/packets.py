"""Whether a coded packet must give a frame: some codecs have packets that honestly give none."""

import re
from collections.abc import Iterator

_ALWAYS = {"av1", "mpeg1video", "mpeg2video", "mjpeg", "png", "ffv1", "prores", "dnxhd"}
"""Codecs of which every packet gives a frame."""

_NAL_CODECS = {"h264", "hevc", "vvc"}
"""Codecs whose packets hold units, of which only some are of a picture."""

_UNCODED_MPEG4 = 64
"""Bytes below which an MPEG-4 packet only lets the last picture stay, or closes a pair of packed ones."""

_START_CODE = re.compile(rb"\x00\x00\x01")


def gives_frame(packet: bytes, codec: str, set_up: bytes) -> bool:
    """Say whether a sound packet gives a frame; False also where that is not known.

    Args:
        packet: its bytes.
        codec: FFmpeg's name of the codec.
        set_up: the codec's set-up bytes (extradata).
    """
    if codec in _NAL_CODECS:
        units = list(_units(packet, codec, set_up))
        return not units or not all(_is_beside_picture(unit, codec) for unit in units)
    if codec == "vp8":
        return bool((packet[0] >> 4) & 1)
    if codec == "vp9":
        return _shows_vp9(packet)
    if codec == "mpeg4":
        return len(packet) >= _UNCODED_MPEG4
    return codec in _ALWAYS


def _shows_vp9(packet: bytes) -> bool:
    """Read a frame header's show bits; several frames in one packet (a superframe) include one to show.

    What does not begin with the marker of a frame is broken, and should have given one.
    """
    if packet[-1] & 0xE0 == 0xC0 or packet[0] >> 6 != 0b10:
        return True
    # Marker, profile, (a reserved bit,) show_existing_frame, frame_type, show_frame.
    bits = packet[0] if packet[0] & 0x30 != 0x30 else packet[0] << 1
    return bool(bits & 0b1010)


def _units(packet: bytes, codec: str, set_up: bytes) -> Iterator[bytes]:
    """Yield the first two bytes of each unit of a packet; nothing where a damaged length leads."""
    size = _length_bytes(codec, set_up)
    if size is None:
        for match in _START_CODE.finditer(packet):
            yield packet[match.end() : match.end() + 2]
        return
    at = 0
    while at + size < len(packet):
        length = int.from_bytes(packet[at : at + size], "big")
        if length < 2 or at + size + length > len(packet):
            yield b""
            return
        yield packet[at + size : at + size + 2]
        at += size + length


def _length_bytes(codec: str, set_up: bytes) -> int | None:
    """Return in how many bytes each unit's length stands before it; None if start codes part the units."""
    if codec == "h264" and len(set_up) > 4 and set_up[0] == 1:
        return (set_up[4] & 3) + 1
    if codec == "hevc" and len(set_up) > 21 and not set_up.startswith((b"\0\0\1", b"\0\0\0\1")):
        return (set_up[21] & 3) + 1
    if codec == "vvc" and set_up and not set_up.startswith((b"\0\0\1", b"\0\0\0\1")):
        return ((set_up[0] >> 1) & 3) + 1
    return None


def _is_beside_picture(unit: bytes, codec: str) -> bool:
    """Whether a unit is sound and holds no slice of a picture, by the type in its header."""
    if len(unit) < 2:
        return False
    if codec == "h264":
        return 6 <= unit[0] & 31 <= 15
    if codec == "hevc":
        return (unit[0] >> 1) & 63 >= 32
    return unit[1] >> 3 >= 12
