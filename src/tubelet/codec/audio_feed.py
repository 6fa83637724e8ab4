"""Audio packets, handed out in step with the video that they sound with."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from tubelet.video.audio import AudioPacket


class AudioFeed:
    """Packets in the order of their decoding, given out up to a time; one waits, the rest are not read."""

    def __init__(self, packets: Iterable[AudioPacket], *, time_base: Fraction) -> None:
        self._packets = iter(packets)
        self._time_base = time_base
        self._waiting: AudioPacket | None = next(self._packets, None)

    def until(self, seconds: Fraction | None) -> Iterator[AudioPacket]:
        """The packets not given yet that are decoded before `seconds`; all that are left for none."""
        while self._waiting is not None:
            if seconds is not None and self._waiting.dts * self._time_base > seconds:
                return
            packet, self._waiting = self._waiting, next(self._packets, None)
            yield packet
