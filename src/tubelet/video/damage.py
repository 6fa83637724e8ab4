"""What of a video is damaged: packets that fail, packets that give no frame, frames that were patched up.

FFmpeg's decoders conceal what is broken and flag the frame, and drop without a word what they cannot start
from. Not every codec can tell: broken data of HEVC, VP8, VP9, AV1, MJPEG and FFV1 mostly decode to a picture
that nothing marks as wrong (docs/damage.md).
"""

from av.packet import Packet
from av.video.frame import VideoFrame

from tubelet.video.packets import gives_frame

_SETTLED = 64
"""Packets after which a frame has come if it ever does: reordering and threads hold back fewer."""

_TWO_FIELDS = {"h264", "mpeg2video"}
"""Codecs in which the two fields of a frame may be two packets."""

_LEADING = 4
"""Packets after the first key frame that may need an earlier one, where they have no time to tell."""

_BEFORE_JOIN = 4
"""Packets before a join of two recordings, of which one may seem incomplete; parsing lags behind by some."""


class Damage:
    """Follows packets into a decoder and frames out of it, and counts what goes wrong.

    Every packet is numbered, and FFmpeg hands its number on to the frame that is made of it.

    Attributes:
        packets: how many went in.
        failed: how many the decoder refused.
        patched: how many frames the decoder flagged as damaged.
        reason: why the first refused packet was refused; empty if none was.
    """

    def __init__(self, codec: str, set_up: bytes) -> None:
        self._codec = codec
        self._set_up = set_up
        self._waiting: dict[int, Packet] = {}
        self._last: Packet | None = None
        self._key: Packet | None = None
        self._since_key = 0
        self._numbered = True
        self._frameless = 0
        self.packets = 0
        self.failed = 0
        self._incomplete: list[int] = []
        self.patched = 0
        self.reason = ""

    @property
    def incomplete(self) -> int:
        """How many packets are not whole by the container's word."""
        return len(self._incomplete)

    @property
    def frameless(self) -> int:
        """How many packets gave no frame although they should have, those that were refused not counted."""
        return max(0, self._frameless - self.failed) if self._numbered else 0

    def sent(self, packet: Packet) -> None:
        """Note and number a packet that is about to be decoded."""
        if packet.size == 0:
            return
        packet.opaque = self.packets
        if packet.is_corrupt:
            self._incomplete.append(self.packets)
        elif self._last is not None and _starts_again(packet, self._last):
            # Two recordings joined: the container's count of pieces breaks there, and nothing is missing.
            while self._incomplete and self._incomplete[-1] >= self.packets - _BEFORE_JOIN:
                self._incomplete.pop()
        if not packet.is_discard and not packet.is_corrupt and not self._is_leading(packet):
            self._waiting[self.packets] = packet
        self._last = packet
        self.packets += 1
        self._settle(self.packets - _SETTLED)

    def _is_leading(self, packet: Packet) -> bool:
        """Whether a packet may need what was before the first key frame, which honest files may lack."""
        if self._key is None:
            if packet.is_keyframe:
                self._key = packet
            return False
        self._since_key += 1
        if packet.pts is None or self._key.pts is None:
            return self._since_key <= _LEADING
        return packet.pts < self._key.pts

    def refused(self, reason: str) -> None:
        """Note that the decoder refused a packet."""
        self.failed += 1
        self.reason = self.reason or reason

    def received(self, frame: VideoFrame) -> None:
        """Note a decoded frame."""
        self.patched += frame.is_corrupt
        number = frame.opaque
        if not isinstance(number, int):
            self._numbered = False
            return
        self._waiting.pop(number, None)
        if frame.interlaced_frame and self._codec in _TWO_FIELDS:
            self._waiting.pop(number - 1, None)
            self._waiting.pop(number + 1, None)

    def seeked(self) -> None:
        """Forget what was sent: its frames will not come."""
        self._waiting.clear()
        self._last = self._key = None
        self._since_key = 0

    def ended(self) -> None:
        """Settle the packets that still wait for a frame: there will be none."""
        self._settle(self.packets)

    def _settle(self, before: int) -> None:
        while self._waiting and (number := next(iter(self._waiting))) < before:
            packet = self._waiting.pop(number)
            self._frameless += gives_frame(bytes(packet), self._codec, self._set_up)

    def __str__(self) -> str:
        """Say what was damaged; empty if nothing was."""
        parts = []
        if self.failed:
            parts.append(f"{self.failed} of {self.packets} packets do not decode ({self.reason})")
        if self.incomplete:
            parts.append(f"{self.incomplete} of {self.packets} packets are incomplete")
        if self.frameless:
            parts.append(f"{self.frameless} of {self.packets} packets gave no frame")
        if self.patched:
            parts.append(f"{self.patched} frames are damaged and were patched up by the decoder")
        return "; ".join(parts)


def _starts_again(packet: Packet, before: Packet) -> bool:
    return packet.dts is not None and before.dts is not None and packet.dts < before.dts
