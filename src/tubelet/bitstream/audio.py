"""Packets of compressed audio, carried through untouched (SPEC.md, section 8)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tubelet.bitstream import limits
from tubelet.bitstream.fields import Cursor, sealed, signed, unsealed, unsigned
from tubelet.errors import BitstreamError

_RUN_BYTES = 1 << 20
"""How much audio the writer puts into one record: a reader holds one record at a time."""

_PACKET_BYTES = 64
"""More than the numbers of one packet take."""

_LEAST_PACKET = 6
"""Bytes of the numbers of one packet at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioPacket:
    """One packet, its times in ticks of the audio header's time base."""

    data: bytes
    pts: int
    """When it is heard."""
    dts: int
    """When it is decoded; packets are stored in the order of this."""
    duration: int
    """0 where unknown."""
    keyframe: bool
    side_data: bytes
    """FFmpeg's AV_PKT_DATA_SKIP_SAMPLES, 10 bytes: what to cut off at the start or end; empty where none."""


def packets_to_bytes(packets: Sequence[AudioPacket]) -> bytes:
    """The payload of an audio record: times as differences to the packet before, and a checksum.

    Raises:
        BitstreamError: a time is beyond `limits.TIMESTAMP`, or the packets exceed `limits.AUDIO_BYTES`.
    """
    parts = [unsigned(len(packets))]
    pts = dts = 0
    for packet in packets:
        _check_times(packet)
        parts += [signed(packet.pts - pts), signed(packet.dts - dts), unsigned(packet.duration)]
        parts += [unsigned(int(packet.keyframe)), unsigned(len(packet.side_data)), packet.side_data]
        parts += [unsigned(len(packet.data)), packet.data]
        pts, dts = packet.pts, packet.dts
    payload = sealed(b"".join(parts))
    if len(payload) > limits.AUDIO_BYTES:
        raise BitstreamError(f"an audio record takes {len(payload)} bytes; at most {limits.AUDIO_BYTES} fit.")
    return payload


def bytes_to_packets(data: bytes) -> tuple[AudioPacket, ...]:
    """Undo `packets_to_bytes`.

    Raises:
        BitstreamError: the record is damaged.
    """
    return tuple(packets_of(data))


def packets_of(data: bytes) -> Iterator[AudioPacket]:
    """The packets of a record, one after another: small ones take much more memory than the record.

    Raises:
        BitstreamError: the record is damaged; packets before the damage were given if its checksum is right.
    """
    cursor = Cursor(unsealed(data, "an audio record"), "an audio record")
    pts = dts = 0
    for _ in range(cursor.unsigned("packets", most=cursor.remaining // _LEAST_PACKET)):
        pts += cursor.signed("a time", most=2 * limits.TIMESTAMP)
        dts += cursor.signed("a time", most=2 * limits.TIMESTAMP)
        if max(abs(pts), abs(dts)) > limits.TIMESTAMP:
            raise cursor.broken(f"a packet is at {pts}, decoded at {dts}, beyond ±{limits.TIMESTAMP}")
        duration = cursor.unsigned("a duration", most=limits.TIMESTAMP)
        keyframe = bool(cursor.unsigned("flags", most=1))
        side_data = cursor.take(cursor.unsigned("bytes of side data", most=cursor.remaining))
        yield AudioPacket(
            data=cursor.take(cursor.unsigned("bytes of a packet", most=cursor.remaining)),
            pts=pts,
            dts=dts,
            duration=duration,
            keyframe=keyframe,
            side_data=side_data,
        )
    cursor.finish()


def runs(packets: Iterable[AudioPacket]) -> Iterator[list[AudioPacket]]:
    """Cut packets into records of about a megabyte."""
    run: list[AudioPacket] = []
    size = 0
    for packet in packets:
        run.append(packet)
        size += len(packet.data) + len(packet.side_data) + _PACKET_BYTES
        if size >= _RUN_BYTES:
            yield run
            run, size = [], 0
    if run:
        yield run


def _check_times(packet: AudioPacket) -> None:
    if max(abs(packet.pts), abs(packet.dts), packet.duration) > limits.TIMESTAMP or packet.duration < 0:
        raise BitstreamError(
            f"an audio packet is at {packet.pts}, decoded at {packet.dts}, {packet.duration} long; times lie "
            f"within ±{limits.TIMESTAMP} and durations are not negative. Use a coarser time base."
        )
