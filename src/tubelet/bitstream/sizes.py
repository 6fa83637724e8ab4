"""Where the bytes of a ``.tube`` file went, as the heads of its chunks say it: no symbol is decoded."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tubelet.bitstream.chunk_head import PartEntry
from tubelet.bitstream.coding import MODEL
from tubelet.bitstream.part_header import PartHeader
from tubelet.bitstream.reader import TubeReader

Spans = Sequence[tuple[int, int]]
"""First channel of each group, and the one past its last."""


class ChannelGroup(NamedTuple):
    """Channels of a part whose symbols are counted together.

    Attributes:
        part: its name.
        start: the first channel; where `stop` is not known, the group's number among those of the prior.
        stop: the channel past the last one; none where the prior that made the group is not known.
    """

    part: str
    start: int
    stop: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TubeSizes:
    """Bytes of a file by what they are for; together they are the file.

    Attributes:
        header: everything before the first record.
        heads: heads of chunks and of their records: places, timestamps, checksums.
        maps: maps of counts.
        groups: symbols with their tables or escapes, by group of channels, in the order of the file.
        audio: packets and their framing.
        index: the end of the last frame, index and trailer.
        other: records that this program passes over.
        unread: what stands behind the last whole record of a file that is cut short or damaged.
    """

    header: int
    heads: int
    maps: int
    groups: Mapping[ChannelGroup, int]
    audio: int
    index: int
    other: int
    unread: int

    @property
    def total(self) -> int:
        """Size of the file."""
        framing = self.header + self.heads + self.index + self.other + self.unread
        return framing + self.maps + sum(self.groups.values()) + self.audio


def read_sizes(
    reader: TubeReader, groups_of: Callable[[PartHeader], Spans | None] = lambda _: None
) -> TubeSizes:
    """Where the bytes of a file went; only the heads of its chunks are read.

    Args:
        reader: the open file.
        groups_of: gives the groups of channels of the prior that a part may be coded with; none where it is
            not known. Channels that are coded each by itself are counted in the same groups; without a prior,
            in groups of 1, 1, 2, 4, 8 … channels.

    Raises:
        BitstreamError: the head of a chunk is damaged.
    """
    header, groups, maps = reader.header, Counter[ChannelGroup](), 0
    known = {part.name: groups_of(part) if header.prior else None for part in header.parts}
    for number in range(len(reader.chunks)):
        for part, entry in zip(header.parts, reader.head(number).parts, strict=True):
            maps += entry.segments[0].length if part.has_map else 0
            groups.update(dict(_lengths(part, entry, known[part.name])))
    places = {part.name: place for place, part in enumerate(header.parts)}
    ordered = sorted(groups, key=lambda group: (places[group.part], group.stop is None, group.start))
    chunks = sum(entry.record_bytes for entry in reader.chunks)
    return TubeSizes(
        header=reader.bytes_header,
        heads=chunks - maps - sum(groups.values()),
        maps=maps,
        groups={group: groups[group] for group in ordered},
        audio=reader.bytes_audio,
        index=reader.bytes_index,
        other=reader.bytes_passed_over,
        unread=reader.bytes_unread,
    )


def usual_groups(channels: int) -> list[tuple[int, int]]:
    """Groups of 1, 1, 2, 4, 8 … channels, the last one cut to those that there are."""
    spans, stop = [(0, 1)], 1
    while stop < channels:
        spans.append((stop, min(2 * stop, channels)))
        stop *= 2
    return spans


def _lengths(part: PartHeader, entry: PartEntry, known: Spans | None) -> Iterator[tuple[ChannelGroup, int]]:
    """The bytes of each group of channels of a part of a chunk."""
    lengths = [segment.length for segment in entry.segments[int(part.has_map) :]]
    if entry.coding != MODEL:
        for start, stop in known or usual_groups(part.channels):
            yield ChannelGroup(part.name, start, stop), sum(lengths[start:stop])
    elif known is None or len(known) != len(lengths):
        for place, length in enumerate(lengths):
            yield ChannelGroup(part.name, place, None), length
    else:
        for (start, stop), length in zip(known, lengths, strict=True):
            yield ChannelGroup(part.name, start, stop), length
