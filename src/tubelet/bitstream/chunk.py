"""A run of latent steps as a record's payload: a head, then a segment per channel (SPEC.md, section 5).

Channels are ordered by importance, so a reader that wants the first k stops after k segments.
"""

import io
import zlib
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from tubelet.bitstream import limits
from tubelet.bitstream.container import Window
from tubelet.bitstream.fields import Cursor, sealed, signed, u32, unsealed, unsigned
from tubelet.bitstream.segment import Segment, decode_symbols, encode_symbols
from tubelet.errors import BitstreamError, OptionError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Consecutive latent steps and the frames that they complete."""

    number: int
    """Place among the chunks of the file, from 0."""
    first_step: int
    """Latent step of the clip that comes first here, from 0."""
    first_frame: int
    """Frame of the clip that is completed first here, from 0."""
    timestamps: NDArray[np.int64]
    """When each completed frame is shown, in ticks of the header's time base; increasing."""
    symbols: NDArray[np.int32]
    """Quantised latent or digits of tokens: channels x steps x rows x columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEntry:
    """What the head of a chunk says of one segment."""

    length: int
    """Bytes."""
    crc_bytes: int
    """CRC-32 of the segment as stored."""
    crc_symbols: int
    """CRC-32 of what it decodes to, as little-endian 32-bit integers in the order steps, rows, columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkHead:
    """Everything in a chunk but its symbols."""

    number: int
    first_step: int
    first_frame: int
    timestamps: tuple[int, ...]
    shape: tuple[int, int, int, int]
    """Channels, steps, rows, columns."""
    segments: tuple[SegmentEntry, ...]

    def to_bytes(self) -> bytes:
        """The head as it is stored: its length, its fields, a checksum over both."""
        numbers = (self.number, self.first_step, self.first_frame, *self.shape, len(self.timestamps))
        fields = [unsigned(number) for number in numbers]
        if self.timestamps:
            fields.append(signed(self.timestamps[0]))
        fields += [
            unsigned(later - earlier - 1)
            for earlier, later in zip(self.timestamps, self.timestamps[1:], strict=False)
        ]
        fields += [unsigned(s.length) + u32(s.crc_bytes) + u32(s.crc_symbols) for s in self.segments]
        body = b"".join(fields)
        if len(body) > limits.CHUNK_HEAD_BYTES:
            raise BitstreamError(
                f"the head of chunk {self.number} takes {len(body)} bytes for {len(self.timestamps)} frames; "
                f"at most {limits.CHUNK_HEAD_BYTES} fit. Make chunks of fewer steps."
            )
        return sealed(u32(len(body)) + body)

    @classmethod
    def read(cls, window: Window) -> "ChunkHead":
        """Undo `to_bytes`; the window is the payload of the record, and ends after the last segment.

        Raises:
            BitstreamError: the head is damaged, or what it claims exceeds the limits or the window.
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
        shape = _read_shape(cursor)
        timestamps = _read_timestamps(cursor)
        segments = tuple(
            SegmentEntry(
                length=cursor.unsigned("bytes of a segment", most=window.remaining),
                crc_bytes=cursor.u32(),
                crc_symbols=cursor.u32(),
            )
            for _ in range(shape[0])
        )
        cursor.finish()
        if (total := sum(segment.length for segment in segments)) != window.remaining:
            raise cursor.broken(f"its segments claim {total} bytes and {window.remaining} follow")
        return cls(
            number=number,
            first_step=first_step,
            first_frame=first_frame,
            timestamps=timestamps,
            shape=shape,
            segments=segments,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedChunk:
    """A chunk as it is stored, in parts whose sizes are worth knowing."""

    head: bytes
    segments: tuple[Segment, ...]

    def to_bytes(self) -> bytes:
        """The payload of the record."""
        return b"".join([self.head, *(segment.to_bytes() for segment in self.segments)])


def chunk_to_bytes(chunk: Chunk, *, bases: tuple[int, ...] = ()) -> EncodedChunk:
    """Encode a chunk.

    Args:
        chunk: what to encode.
        bases: how many values each channel has, where channels are digits; empty for a latent.

    Raises:
        BitstreamError: sizes, times or symbols that a ``.tube`` file cannot hold.
    """
    shape = chunk.symbols.shape
    if len(shape) != 4 or min(shape) < 1 or chunk.symbols.dtype != np.int32:
        raise BitstreamError(
            f"symbols are {chunk.symbols.dtype} of shape {shape}; they must be int32, "
            "channels x steps x rows x columns, none of them 0."
        )
    _check_size(shape)
    _check_timestamps(chunk.timestamps)
    flat = chunk.symbols.reshape(shape[0], -1)
    segments = tuple(
        encode_symbols(channel, base) for channel, base in zip(flat, bases or (None,) * shape[0], strict=True)
    )
    head = ChunkHead(
        number=chunk.number,
        first_step=chunk.first_step,
        first_frame=chunk.first_frame,
        timestamps=tuple(chunk.timestamps.tolist()),
        shape=shape,
        segments=tuple(
            SegmentEntry(
                length=len(segment.table) + len(segment.payload),
                crc_bytes=zlib.crc32(segment.payload, zlib.crc32(segment.table)),
                crc_symbols=_crc_symbols(channel),
            )
            for segment, channel in zip(segments, flat, strict=True)
        ),
    )
    return EncodedChunk(head=head.to_bytes(), segments=segments)


def bytes_to_chunk(data: bytes, *, channels: int | None = None, bases: tuple[int, ...] = ()) -> Chunk:
    """Undo `chunk_to_bytes`, for the first `channels` channels or all; raises like `read_chunk`."""
    window = Window(io.BytesIO(data), 0, len(data))
    return read_chunk(window, ChunkHead.read(window), channels=channels, bases=bases)


def read_chunk(
    window: Window, head: ChunkHead, *, channels: int | None = None, bases: tuple[int, ...] = ()
) -> Chunk:
    """Decode the chunk of `head`, whose segments begin at `window`; segments past `channels` are not read.

    Args:
        window: where to read.
        head: the head that was read there.
        channels: how many channels to decode; all for none.
        bases: how many values each channel has, where channels are digits; empty for a latent.

    Raises:
        OptionError: the chunk does not have that many channels.
        BitstreamError: a segment is damaged.
    """
    most = head.shape[0]
    channels = most if channels is None else channels
    if not 1 <= channels <= most:
        raise OptionError(f"{channels} channels are asked for; chunk {head.number} has 1 to {most}.")
    symbols = np.empty((channels, *head.shape[1:]), np.int32)
    for channel, entry in enumerate(head.segments[:channels]):
        what = f"channel {channel} of chunk {head.number}"
        data = window.take(entry.length, what)
        if zlib.crc32(data) != entry.crc_bytes:
            raise BitstreamError(f"{what} does not match its checksum: the file is damaged. Copy it again.")
        values = decode_symbols(data, symbols[channel].size, bases[channel] if bases else None)
        if _crc_symbols(values) != entry.crc_symbols:
            raise BitstreamError(
                f"{what} decodes to symbols that do not match their checksum: "
                "the writer or this program is at fault. Please report it with the file."
            )
        symbols[channel] = values.reshape(head.shape[1:])
    return Chunk(
        number=head.number,
        first_step=head.first_step,
        first_frame=head.first_frame,
        timestamps=np.array(head.timestamps, np.int64),
        symbols=symbols,
    )


def _crc_symbols(symbols: NDArray[np.int32]) -> int:
    return zlib.crc32(np.ascontiguousarray(symbols, "<i4").data)


def _check_size(shape: tuple[int, ...]) -> None:
    channels, steps, rows, columns = shape
    size = channels * steps * rows * columns
    if channels > limits.CHANNELS or max(rows, columns) > limits.SIDE or size > limits.CHUNK_SYMBOLS:
        raise BitstreamError(
            f"a chunk is {channels}x{steps}x{rows}x{columns} (channels, steps, rows, columns); at most "
            f"{limits.CHANNELS} channels, sides of {limits.SIDE} and {limits.CHUNK_SYMBOLS} symbols in all "
            "are allowed. Make chunks of fewer steps."
        )


def _check_timestamps(timestamps: NDArray[np.int64]) -> None:
    if timestamps.ndim != 1 or timestamps.dtype != np.int64 or timestamps.size > limits.CHUNK_FRAMES:
        raise BitstreamError(
            f"timestamps are {timestamps.dtype} of shape {timestamps.shape}; "
            f"they must be one row of at most {limits.CHUNK_FRAMES} int64."
        )
    if timestamps.size and not -limits.TIMESTAMP <= timestamps[0] <= timestamps[-1] <= limits.TIMESTAMP:
        raise BitstreamError(
            f"timestamps run from {timestamps[0]} to {timestamps[-1]}; "
            f"they must increase and lie within ±{limits.TIMESTAMP}. Use a coarser time base."
        )
    if np.any(timestamps[1:] <= timestamps[:-1]):
        place = int(np.argmax(timestamps[1:] <= timestamps[:-1]))
        raise BitstreamError(
            f"timestamp {timestamps[place + 1]} follows {timestamps[place]}; each must be later than the one "
            "before. Drop the repeated frame or mend its time."
        )


def _read_shape(cursor: Cursor) -> tuple[int, int, int, int]:
    channels = cursor.unsigned("channels", least=1, most=limits.CHANNELS)
    steps = cursor.unsigned("steps", least=1, most=limits.CHUNK_SYMBOLS)
    rows = cursor.unsigned("rows", least=1, most=limits.SIDE)
    columns = cursor.unsigned("columns", least=1, most=limits.SIDE)
    _check_size((channels, steps, rows, columns))
    return channels, steps, rows, columns


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
