"""A run of steps as a record's payload: a head, then the segments of each part (SPEC.md, section 5).

Channels are ordered by importance, so a reader that wants the first k stops after the segment that holds
them.
"""

import io
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tubelet.bitstream import limits
from tubelet.bitstream.chunk_head import ChunkHead, PartEntry, SegmentEntry, check_size, part_shape
from tubelet.bitstream.coding import Codings, Counts, PartCoding, coded, has_symbol
from tubelet.bitstream.container import Window
from tubelet.bitstream.header import Header
from tubelet.bitstream.part_header import PartHeader
from tubelet.bitstream.segment import Segment
from tubelet.errors import BitstreamError, OptionError

Channels = int | Mapping[str, int] | None
"""How many channels of the only part, or of parts by their names, are wanted; all of those not named."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartSymbols:
    """The symbols of one part of a chunk."""

    symbols: NDArray[np.int32]
    """Quantised latent or digits of tokens: channels x latent steps x rows x columns. Those beyond a
    position's count are not stored, and read as 0."""
    counts: Counts = None
    """How many channels each position has (latent steps x rows x columns), among those that the header
    permits; none if it permits no others than all."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, init=False)
class Chunk:
    """Consecutive steps and the frames that they complete."""

    number: int
    """Place among the chunks of the file, from 0."""
    first_step: int
    """Step of the clip that comes first here, from 0."""
    first_frame: int
    """Frame of the clip that is completed first here, from 0."""
    timestamps: NDArray[np.int64]
    """When each completed frame is shown, in ticks of the header's time base; increasing."""
    parts: tuple[PartSymbols, ...]
    """The symbols, in the order of the header's parts."""

    def __init__(
        self,
        *,
        number: int,
        first_step: int,
        first_frame: int,
        timestamps: NDArray[np.int64],
        parts: tuple[PartSymbols, ...] = (),
        symbols: NDArray[np.int32] | None = None,
    ) -> None:
        """Take the symbols as parts, or those of an only part that has all its channels everywhere."""
        given = parts if symbols is None else (PartSymbols(symbols=symbols),)
        places = {"number": number, "first_step": first_step, "first_frame": first_frame}
        for name, value in (places | {"timestamps": timestamps, "parts": given}).items():
            object.__setattr__(self, name, value)  # frozen

    @property
    def symbols(self) -> NDArray[np.int32]:
        """The symbols of the only part.

        Raises:
            OptionError: there are several.
        """
        if len(self.parts) != 1:
            raise OptionError(f"the chunk has {len(self.parts)} parts; take the symbols of one of `parts`.")
        return self.parts[0].symbols


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedChunk:
    """A chunk as it is stored, in pieces whose sizes are worth knowing."""

    steps: int
    head: bytes
    segments: tuple[Segment, ...]

    def to_bytes(self) -> bytes:
        """The payload of the record."""
        return b"".join([self.head, *(segment.to_bytes() for segment in self.segments)])


def chunk_to_bytes(chunk: Chunk, codings: Codings) -> EncodedChunk:
    """Encode a chunk.

    Args:
        chunk: what to encode.
        codings: how the parts of the file may be coded; of each part, the shortest is taken.

    Raises:
        BitstreamError: sizes, times, symbols or counts that a ``.tube`` file, or this one, cannot hold.
    """
    header = codings.header
    _check_timestamps(chunk.timestamps)
    steps = _check_shapes(chunk, header)
    encoded = [
        min((_encode_part(given, part, coding) for coding in codings.choices(part)), key=len)
        for given, part in zip(chunk.parts, header.parts, strict=True)
    ]
    head = ChunkHead(
        number=chunk.number,
        first_step=chunk.first_step,
        first_frame=chunk.first_frame,
        steps=steps,
        timestamps=tuple(chunk.timestamps.tolist()),
        parts=tuple(part.entry for part in encoded),
    )
    segments = tuple(segment for part in encoded for segment in part.segments)
    return EncodedChunk(steps=steps, head=head.to_bytes(header), segments=segments)


def bytes_to_chunk(data: bytes, codings: Codings, *, channels: Channels = None) -> Chunk:
    """Undo `chunk_to_bytes`, for the first `channels` channels or all; raises like `read_chunk`."""
    window = Window(io.BytesIO(data), 0, len(data))
    return read_chunk(window, ChunkHead.read(window, codings.header), codings, channels=channels)


def read_chunk(window: Window, head: ChunkHead, codings: Codings, *, channels: Channels = None) -> Chunk:
    """Decode the chunk of `head`, whose segments begin at `window`; what is not wanted is not read.

    Args:
        window: where to read.
        head: the head that was read there.
        codings: how the parts of the file may be coded.
        channels: how many channels of the only part, or of each part by its name, to decode; all for none.

    Raises:
        OptionError: there is no such part, or it does not have that many channels.
        BitstreamError: a segment is damaged, or a part is coded with a model that is not given.
    """
    wanted = _check_channels(channels, codings.header)
    parts = [
        reading.symbols(part, shape, wanted[part.name])
        for part, shape, reading in _readings(window, head, codings)
    ]
    return Chunk(
        number=head.number,
        first_step=head.first_step,
        first_frame=head.first_frame,
        timestamps=np.array(head.timestamps, np.int64),
        parts=tuple(parts),
    )


def read_counts(window: Window, head: ChunkHead, codings: Codings) -> tuple[Counts, ...]:
    """How many channels each position of each part has; as `read_chunk`, but no symbols are read.

    Returns:
        For each part, latent steps x rows x columns; none where every position has all channels.

    Raises:
        BitstreamError: a map is damaged, or coded with a model that is not given.
    """
    return tuple(reading.counts(part, shape) for part, shape, reading in _readings(window, head, codings))


def _readings(
    window: Window, head: ChunkHead, codings: Codings
) -> Iterator[tuple[PartHeader, tuple[int, int, int], "_PartReading"]]:
    """Each part of a chunk, with its shape and what reads its segments, at the first of them."""
    for entry, part in zip(head.parts, codings.header.parts, strict=True):
        segments = window.part(sum(segment.length for segment in entry.segments))
        shape = part_shape(codings.header, part, head.first_step, head.steps)
        what = (
            f"chunk {head.number}" if len(head.parts) == 1 else f"part {part.name!r} of chunk {head.number}"
        )
        yield part, shape, _PartReading(segments, entry, codings.of(part, entry.coding), what)


@dataclass(frozen=True, slots=True, kw_only=True)
class _EncodedPart:
    entry: PartEntry
    segments: tuple[Segment, ...]

    def __len__(self) -> int:
        """Bytes, with what the head of the chunk says of the segments."""
        return sum(map(len, self.segments)) + sum(len(each.to_bytes()) for each in self.entry.segments)


def _encode_part(given: PartSymbols, part: PartHeader, coding: PartCoding) -> _EncodedPart:
    segments: list[Segment] = []
    contents: list[NDArray[np.int32]] = []
    counts, symbols = _counts_of(given, part), given.symbols
    if counts is not None:
        symbols = np.where(has_symbol(counts, 0, part.channels), symbols, np.int32(0))
        if part.has_map:
            indices = np.searchsorted(np.array(part.counts, np.int32), counts).astype(np.int32)
            contents.append(indices.ravel())
            segments.append(coding.encode_map(indices))
    for number, (start, stop) in enumerate(coding.spans):
        segments.append(coding.encode(number, symbols, counts))
        contents.append(coded(symbols[start:stop], counts, start))
    entries = tuple(
        SegmentEntry(
            length=len(segment),
            crc_bytes=zlib.crc32(segment.payload, zlib.crc32(segment.table)),
            crc_symbols=_crc_symbols(content),
        )
        for segment, content in zip(segments, contents, strict=True)
    )
    return _EncodedPart(entry=PartEntry(coding=coding.number, segments=entries), segments=tuple(segments))


class _PartReading:
    """The segments of one part of one chunk, read front to back."""

    def __init__(self, window: Window, entry: PartEntry, coding: PartCoding, what: str) -> None:
        self._window = window
        self._entries = iter(entry.segments)
        self._count = len(entry.segments)
        self._coding = coding
        self._what = what

    def symbols(self, part: PartHeader, shape: tuple[int, int, int], channels: int) -> PartSymbols:
        """The first `channels` channels of the part, which has this shape."""
        if len(self._coding.spans) + part.has_map != self._count:
            raise BitstreamError(
                f"{self._what} has {self._count} segments and its prior makes "
                f"{len(self._coding.spans) + part.has_map}: the file is damaged. Copy it again."
            )
        counts = self.counts(part, shape)
        spans = [span for span in self._coding.spans if span[0] < channels]
        symbols = np.empty((spans[-1][1], *shape), np.int32)
        for number, (start, stop) in enumerate(spans):
            what = f"channel {start}" if stop == start + 1 else f"channels {start} to {stop - 1}"
            data, entry = self._take(what)
            values = self._coding.decode(number, data, symbols[:start], counts)
            self._check(coded(values, counts, start), entry, what)
            symbols[start:stop] = values
        return PartSymbols(
            symbols=symbols[:channels], counts=None if counts is None else np.minimum(counts, channels)
        )

    def counts(self, part: PartHeader, shape: tuple[int, int, int]) -> Counts:
        """How many channels each position of the part has; its map is read, if it has one."""
        if not part.has_map:
            return np.full(shape, part.counts[0], np.int32) if part.counts else None
        data, entry = self._take("the map of counts")
        indices = self._coding.decode_map(data, shape)
        self._check(indices.ravel(), entry, "the map of counts")
        return np.array(part.counts, np.int32)[indices]

    def _take(self, what: str) -> tuple[bytes, SegmentEntry]:
        entry = next(self._entries)
        data = self._window.take(entry.length, f"{what} of {self._what}")
        if zlib.crc32(data) != entry.crc_bytes:
            raise BitstreamError(
                f"{what} of {self._what} does not match its checksum: the file is damaged. Copy it again."
            )
        return data, entry

    def _check(self, content: NDArray[np.int32], entry: SegmentEntry, what: str) -> None:
        if _crc_symbols(content) != entry.crc_symbols:
            raise BitstreamError(
                f"{what} of {self._what} decodes to symbols that do not match their checksum: "
                "the writer or this program is at fault. Please report it with the file."
            )


def _crc_symbols(symbols: NDArray[np.int32]) -> int:
    return zlib.crc32(np.ascontiguousarray(symbols, "<i4").data)


def _counts_of(given: PartSymbols, part: PartHeader) -> Counts:
    """How many channels each position has, if it may have others than all."""
    if len(part.counts) == 1:
        return np.full(given.symbols.shape[1:], part.counts[0], np.int32)
    return given.counts if part.has_map else None


def _check_channels(channels: Channels, header: Header) -> dict[str, int]:
    """How many channels of each part are wanted."""
    most = {part.name: part.channels for part in header.parts}
    if isinstance(channels, int):
        if len(most) > 1:
            raise OptionError(
                f"{channels} channels are asked for, and the parts are {most!s:.200}. Name one."
            )
        channels = dict.fromkeys(most, channels)
    for name, wanted in (channels or {}).items():
        if not 1 <= wanted <= most.get(name, 0):
            raise OptionError(
                f"{wanted} channels of part {name!r:.80} are asked for; the parts and their channels are "
                f"{most!s:.200}."
            )
    return most | dict(channels or {})


def _check_shapes(chunk: Chunk, header: Header) -> int:
    """Check that symbols and counts are those of a chunk of this file; give its steps."""
    if len(chunk.parts) != len(header.parts):
        raise BitstreamError(f"the chunk has {len(chunk.parts)} parts, and the header {len(header.parts)}.")
    first = chunk.parts[0].symbols
    steps = header.steps_of(header.parts[0], chunk.first_step, first.shape[1] if first.ndim > 1 else 0)
    for given, part in zip(chunk.parts, header.parts, strict=True):
        shape = part_shape(header, part, chunk.first_step, steps)
        expected = (part.channels, *shape)
        if given.symbols.shape != expected or given.symbols.dtype != np.int32 or min(expected) < 1:
            raise BitstreamError(
                f"symbols of part {part.name!r} are {given.symbols.dtype} of shape {given.symbols.shape}; by "
                f"the header they must be int32 of {expected}: channels x latent steps x rows x columns."
            )
        _check_counts(given, part, shape)
    check_size(header, chunk.first_step, steps)
    return steps


def _check_counts(given: PartSymbols, part: PartHeader, shape: tuple[int, int, int]) -> None:
    counts = given.counts
    if counts is None and len(part.counts) < 2:
        return
    permitted = part.counts or (part.channels,)
    if counts is None or counts.shape != shape or counts.dtype != np.int32:
        found = "none" if counts is None else f"{counts.dtype} of shape {counts.shape}"
        raise BitstreamError(
            f"counts of part {part.name!r} are {found}; they must be int32 of shape {shape}, one for each "
            "position."
        )
    wrong = ~np.isin(counts, np.array(permitted, np.int32))
    if wrong.any():
        raise BitstreamError(
            f"a position of part {part.name!r} has {counts[wrong][0]} channels; the header permits "
            f"{list(permitted)!s:.200}."
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
