"""What of a video is damaged: packets that fail, packets that give no frame, frames that were patched up.

FFmpeg's decoders conceal what is broken and flag the frame, and drop without a word what they cannot start
from. Not every codec can tell: broken data of HEVC, VP8, VP9, AV1, MJPEG and FFV1 mostly decode to a picture
that nothing marks as wrong (docs/guides/damage.md).
"""

from typing import NamedTuple

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


class _Sent(NamedTuple):
    """A packet whose frame has not come yet, and whether one must."""

    packet: Packet
    owes: bool


class Damage:
    """Follows packets into a decoder and frames out of it, and counts what goes wrong.

    A frame belongs to the packet of the same time. Packets without a time of their own are only counted.

    Attributes:
        packets: how many went in.
        failed: how many the decoder refused.
        patched: how many frames the decoder flagged as damaged.
        reason: why the first refused packet was refused; empty if none was.
    """

    def __init__(self, codec: str, set_up: bytes) -> None:
        self._codec = codec
        self._set_up = set_up
        self._waiting: dict[int, _Sent] = {}
        self._numbers: dict[int, int] = {}
        self._last: Packet | None = None
        self._key: Packet | None = None
        self._since_key = 0
        self._untimed = self._unmatched = self._settled = 0
        self._fields = self._ended = False
        self._incomplete: list[int] = []
        self.packets = 0
        self.failed = 0
        self.patched = 0
        self.reason = ""

    @property
    def incomplete(self) -> int:
        """How many packets are not whole by the container's word."""
        return len(self._incomplete)

    @property
    def frameless(self) -> int:
        """How many packets gave no frame although they should have, those that were refused not counted."""
        untimed = self._untimed if self._ended and not self._fields else 0
        return max(0, self._settled + untimed - self._unmatched - self.failed)

    def sent(self, packet: Packet) -> None:
        """Note a packet that is about to be decoded."""
        if packet.size == 0:
            return
        if packet.is_corrupt:
            self._incomplete.append(self.packets)
        elif self._last is not None and _starts_again(packet, self._last):
            # Two recordings joined: the container's count of pieces breaks there, and nothing is missing.
            while self._incomplete and self._incomplete[-1] >= self.packets - _BEFORE_JOIN:
                self._incomplete.pop()
        owes = not (self._is_leading(packet) or packet.is_discard or packet.is_corrupt)
        if packet.pts is None:
            self._untimed += self._owes_frame(_Sent(packet, owes))
        else:
            if packet.pts in self._numbers:
                # Of packets of one time, a hidden frame and the one that shows it, the last has the time.
                self._untimed += self._owes_frame(self._pop(self._numbers[packet.pts]))
            self._waiting[self.packets] = _Sent(packet, owes)
            self._numbers[packet.pts] = self.packets
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

    def awaits(self, frame: VideoFrame) -> bool:
        """Whether this is the frame of a packet whose frame has not come yet."""
        return frame.pts in self._numbers

    def lacks(self, last: int) -> bool:
        """Whether one of so many last packets has given no frame so far."""
        return any(number >= self.packets - last for number in self._waiting)

    def received(self, frame: VideoFrame) -> None:
        """Note a decoded frame."""
        self.patched += frame.is_corrupt
        number = None if frame.pts is None else self._numbers.get(frame.pts)
        if number is None:
            self._unmatched += 1
            return
        self._pop(number)
        if frame.interlaced_frame and self._codec in _TWO_FIELDS:
            self._fields = True
            self._pop(number - 1)
            self._pop(number + 1)

    def seeked(self) -> None:
        """Forget what was sent: its frames will not come."""
        self._waiting.clear()
        self._numbers.clear()
        self._last = self._key = None
        self._since_key = 0

    def ended(self) -> None:
        """Settle the packets that still wait for a frame: there will be none."""
        self._settle(self.packets)
        self._ended = True

    def _settle(self, before: int) -> None:
        while self._waiting and (number := next(iter(self._waiting))) < before:
            self._settled += self._owes_frame(self._pop(number))

    def _pop(self, number: int) -> _Sent | None:
        sent = self._waiting.pop(number, None)
        if sent is not None and sent.packet.pts is not None:
            del self._numbers[sent.packet.pts]
        return sent

    def _owes_frame(self, sent: _Sent | None) -> bool:
        if sent is None or not sent.owes:
            return False
        return gives_frame(bytes(sent.packet), self._codec, self._set_up)

    def __str__(self) -> str:
        """Say what was damaged; empty if nothing was."""
        parts = []
        if self.failed:
            # The end, at which the decoder gives what it holds, may be refused as well; it is no packet.
            failed = min(self.failed, self.packets)
            parts.append(f"{failed} of {self.packets} packets do not decode ({self.reason})")
        if self.incomplete:
            parts.append(f"{self.incomplete} of {self.packets} packets are incomplete")
        if self.frameless:
            parts.append(f"{self.frameless} of {self.packets} packets gave no frame")
        if self.patched:
            parts.append(f"{self.patched} frames are damaged and were patched up by the decoder")
        return "; ".join(parts)


def _starts_again(packet: Packet, before: Packet) -> bool:
    return packet.dts is not None and before.dts is not None and packet.dts < before.dts
