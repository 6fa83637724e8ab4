"""The last packets that went into a decoder: what it takes to decode the end of a video once more.

A decoder that works in threads still holds frames when the last packet is in. If one of them fails then, PyAV
gives neither those that came with it nor those behind it, and the number of cores would decide what of a
damaged end is read.
"""

from collections.abc import Iterator

from av.packet import Packet

_MOST_BYTES = 64 * 2**20
"""Most bytes to keep; of videos with more between key frames, frames that were held may be missing."""


class LastPackets:
    """Packets from a key frame on, at least as many as a decoder may hold where there are so many.

    Args:
        held: how many packets the decoder may hold.
    """

    def __init__(self, held: int) -> None:
        self._held = held
        self._before: list[Packet] = []
        self._since_key: list[Packet] = []
        self._bytes = 0

    def add(self, packet: Packet) -> None:
        """Keep a packet, if it holds anything, and forget those that nothing needs any more."""
        if packet.size == 0:
            return
        if packet.is_keyframe and len(self._since_key) >= self._held:
            self._before, self._since_key = self._since_key, []
            self._bytes = sum(each.size for each in self._before)
        if packet.is_keyframe or self._since_key:
            self._since_key.append(packet)
            self._bytes += packet.size
        if len(self._since_key) >= self._held:
            self._bytes -= sum(each.size for each in self._before)
            self._before = []
        if self._bytes > _MOST_BYTES:
            self.clear()

    def clear(self) -> None:
        """Forget all packets: the next ones come from elsewhere in the file."""
        self._before, self._since_key, self._bytes = [], [], 0

    def __iter__(self) -> Iterator[Packet]:
        """Give the packets in the order in which they came."""
        return iter([*self._before, *self._since_key])
