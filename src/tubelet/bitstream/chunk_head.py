"""The head of a chunk: its place, its times, and how long each of its segments is (SPEC.md, section 5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from tubelet.bitstream import limits
from tubelet.bitstream.coding import MODEL, TABLES
from tubelet.bitstream.container import Window
from tubelet.bitstream.fields import Cursor, sealed, signed, u32, unsealed, unsigned
from tubelet.bitstream.header import Header
from tubelet.bitstream.part_header import PartHeader
from tubelet.errors import BitstreamError


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEntry:
    """What the head of a chunk says of one segment."""

    length: int
    """Bytes."""
    crc_bytes: int
    """CRC-32 of the segment as stored."""
    crc_symbols: int
    """CRC-32 of what it decodes to, as little-endian 32-bit integers in raster order."""

    def to_bytes(self) -> bytes:
        """The entry as it is stored."""
        return unsigned(self.length) + u32(self.crc_bytes) + u32(self.crc_symbols)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartEntry:
    """What the head of a chunk says of one part."""

    coding: int
    """`TABLES` or `MODEL`."""
    segments: tuple[SegmentEntry, ...]
    """That of the map of counts, where there is one; then those of the channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkHead:
    """Everything in a chunk but its symbols."""

    number: int
    first_step: int
    first_frame: int
    steps: int
    timestamps: tuple[int, ...]
    parts: tuple[PartEntry, ...]
    """In the order of the header."""

    def to_bytes(self, header: Header) -> bytes:
        """The head as it is stored: its length, its fields, a checksum over both."""
        numbers = (self.number, self.first_step, self.first_frame, *_sizes(header, self.steps))
        fields = [unsigned(number) for number in (*numbers, len(self.timestamps))]
        if self.timestamps:
            fields.append(signed(self.timestamps[0]))
        fields += [
            unsigned(later - earlier - 1)
            for earlier, later in zip(self.timestamps, self.timestamps[1:], strict=False)
        ]
        for part in self.parts:
            if header.version > 2:
                fields += [unsigned(part.coding), unsigned(len(part.segments))]
            fields += [segment.to_bytes() for segment in part.segments]
        body = b"".join(fields)
        if len(body) > limits.CHUNK_HEAD_BYTES:
            raise BitstreamError(
                f"the head of chunk {self.number} takes {len(body)} bytes for {len(self.timestamps)} frames; "
                f"at most {limits.CHUNK_HEAD_BYTES} fit. Make chunks of fewer steps."
            )
        return sealed(u32(len(body)) + body)

    @classmethod
    def read(cls, window: Window, header: Header) -> "ChunkHead":
        """Undo `to_bytes`; the window is the payload of the record, and ends after the last segment.

        Raises:
            BitstreamError: the head is damaged, contradicts the header, or claims what exceeds the limits or
                the window.
        """
        start = window.take(4, "the head of a chunk")
        length = int.from_bytes(start, "little")
        if length > limits.CHUNK_HEAD_BYTES:
            raise BitstreamError(
                f"the head of a chunk claims {length} bytes, over {limits.CHUNK_HEAD_BYTES}: damaged."
            )
        data = unsealed(start + window.take(length + 4, "the head of a chunk"), "the head of a chunk")
        cursor = Cursor(data[4:], "the head of a chunk")
        number = cursor.unsigned("its number", most=limits.COUNT)
        first_step = cursor.unsigned("its first step", most=limits.COUNT)
        first_frame = cursor.unsigned("its first frame", most=limits.COUNT)
        steps = _read_steps(cursor, header)
        check_size(header, first_step, steps)
        timestamps = _read_timestamps(cursor)
        parts = tuple(_read_part(cursor, header, part, most=window.remaining) for part in header.parts)
        cursor.finish()
        total = sum(segment.length for part in parts for segment in part.segments)
        if total != window.remaining:
            raise cursor.broken(f"its segments claim {total} bytes and {window.remaining} follow")
        return cls(
            number=number,
            first_step=first_step,
            first_frame=first_frame,
            steps=steps,
            timestamps=timestamps,
            parts=parts,
        )


def part_shape(header: Header, part: PartHeader, first_step: int, steps: int) -> tuple[int, int, int]:
    """Latent steps, rows and columns of a part in a chunk."""
    return header.part_steps(part, first_step, steps), part.rows, part.columns


def check_size(header: Header, first_step: int, steps: int) -> None:
    """Check that a chunk has no more symbols than a file may hold.

    Raises:
        BitstreamError: it has.
    """
    size = sum(
        part.channels * header.part_steps(part, first_step, steps) * part.rows * part.columns
        for part in header.parts
    )
    if not 0 < size <= limits.CHUNK_SYMBOLS:
        sizes = ", ".join(f"{part.channels}x{part.rows}x{part.columns}" for part in header.parts)
        raise BitstreamError(
            f"a chunk of {steps} steps has {size} symbols in parts of {sizes:.200} (channels, rows, "
            f"columns); 1 to {limits.CHUNK_SYMBOLS} are allowed. Make chunks of fewer steps."
        )


def _sizes(header: Header, steps: int) -> tuple[int, ...]:
    """What the head says of sizes; up to version 2 it repeats those of the header."""
    if header.version > 2:
        return (steps,)
    part = header.only_part
    return part.channels, steps, part.rows, part.columns


def _read_steps(cursor: Cursor, header: Header) -> int:
    """Undo `_sizes`."""
    steps = 0
    for name, expected in zip(_size_names(header), _sizes(header, 0), strict=True):
        if name == "steps":
            steps = cursor.unsigned(name, least=1, most=limits.CHUNK_SYMBOLS)
        elif (found := cursor.unsigned(name, most=limits.COUNT)) != expected:
            raise cursor.broken(f"it says {found} {name}, and the header {expected}")
    return steps


def _size_names(header: Header) -> tuple[str, ...]:
    return ("steps",) if header.version > 2 else ("channels", "steps", "rows", "columns")


def _read_part(cursor: Cursor, header: Header, part: PartHeader, *, most: int) -> PartEntry:
    maps = int(part.has_map)
    coding, count = TABLES, part.channels + maps
    if header.version > 2:
        coding = cursor.unsigned("a coding", most=MODEL if header.prior else TABLES)
        least = 1 + maps if coding == MODEL else count  # how a model groups channels is its own affair
        count = cursor.unsigned("segments of a part", least=least, most=count)
    return PartEntry(coding=coding, segments=tuple(_read_entries(cursor, count, most=most)))


def _read_entries(cursor: Cursor, count: int, *, most: int) -> Iterator[SegmentEntry]:
    for _ in range(count):
        length = cursor.unsigned("bytes of a segment", most=most)
        yield SegmentEntry(length=length, crc_bytes=cursor.u32(), crc_symbols=cursor.u32())


def _read_timestamps(cursor: Cursor) -> tuple[int, ...]:
    frames = cursor.unsigned("frames", most=limits.CHUNK_FRAMES)
    if not frames:
        return ()
    first = cursor.signed("the first timestamp", most=limits.TIMESTAMP)
    gaps = (cursor.unsigned("a timestamp", most=2 * limits.TIMESTAMP) + 1 for _ in range(frames - 1))
    timestamps = tuple(accumulate(gaps, initial=first))
    if timestamps[-1] > limits.TIMESTAMP:
        raise cursor.broken(f"a timestamp is {timestamps[-1]}, beyond {limits.TIMESTAMP}")
    return timestamps
