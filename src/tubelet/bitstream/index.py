"""The list of all records, at the end of the file (SPEC.md, section 9).

It gives lengths, not places: the places follow by adding up, so no index can point backwards or overlap.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from tubelet.bitstream import limits
from tubelet.bitstream.container import CHUNK, INDEX, RecordHead, check_kind
from tubelet.bitstream.fields import Cursor, sealed, unsealed, unsigned
from tubelet.errors import BitstreamError


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEntry:
    """What the index says of one record; `steps` and `frames` are 0 for all but chunks."""

    kind: str
    length: int
    """Bytes of the payload."""
    steps: int = 0
    frames: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkEntry:
    """Where a chunk is, and what it covers."""

    number: int
    """Place among the chunks, from 0."""
    offset: int
    """Byte of the file where its record begins."""
    length: int
    """Bytes of the payload of that record."""
    first_step: int
    steps: int
    first_frame: int
    frames: int
    """Frames that it completes; may be 0."""

    @property
    def record_bytes(self) -> int:
        """What the record takes of the file, its head included."""
        return RecordHead.SIZE + self.length


class RecordList:
    """The records of a file, in order, and where they begin; a few bytes each, since a long clip has many.

    Args:
        start: byte of the file where the first record begins.
    """

    def __init__(self, start: int) -> None:
        self._kinds = bytearray()
        # One entry more than there are records or chunks: where the next one would begin.
        self._offsets = array("q", [start])
        self._of_chunks = array("q")
        self.first_steps = array("q", [0])
        """Of each chunk, and the number of latent steps in all."""
        self.first_frames = array("q", [0])
        """Of each chunk, and the number of frames in all."""

    def __len__(self) -> int:
        return len(self._kinds)

    @property
    def end(self) -> int:
        """The byte behind the last record."""
        return self._offsets[-1]

    @property
    def chunks(self) -> "ChunkList":
        """The chunks among them."""
        return ChunkList(self)

    def append(self, kind: str, length: int, steps: int = 0, frames: int = 0) -> None:
        """Add a record that is within the bounds of the format, and within a file."""
        if kind == CHUNK:
            self._of_chunks.append(len(self._kinds))
            self.first_steps.append(self.first_steps[-1] + steps)
            self.first_frames.append(self.first_frames[-1] + frames)
        self._kinds.append(ord(kind))
        self._offsets.append(self.end + RecordHead.SIZE + length)

    def of_kind(self, kind: str) -> Iterator[tuple[int, int]]:
        """Where the records of a kind begin, and the lengths of their payloads."""
        at = -1
        while (at := self._kinds.find(ord(kind), at + 1)) >= 0:
            yield self._place(at)

    def chunk(self, number: int) -> ChunkEntry:
        """A chunk, by its number from 0."""
        offset, length = self._place(self._of_chunks[number])
        steps, frames = self.first_steps, self.first_frames
        return ChunkEntry(
            number=number,
            offset=offset,
            length=length,
            first_step=steps[number],
            steps=steps[number + 1] - steps[number],
            first_frame=frames[number],
            frames=frames[number + 1] - frames[number],
        )

    def chunk_of_step(self, step: int) -> int:
        """The chunk that holds a latent step."""
        return bisect_right(self.first_steps, step) - 1

    def chunk_of_frame(self, frame: int) -> int:
        """The chunk that completes a frame."""
        # Of several chunks that begin at one frame, all but the last complete none.
        return bisect_right(self.first_frames, frame) - 1

    def _place(self, record: int) -> tuple[int, int]:
        offset = self._offsets[record]
        return offset, self._offsets[record + 1] - offset - RecordHead.SIZE


class ChunkList(Sequence[ChunkEntry]):
    """The chunks of a file; each entry is made when it is asked for."""

    def __init__(self, records: RecordList) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records.first_steps) - 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    @overload
    def __getitem__(self, index: int) -> ChunkEntry: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[ChunkEntry, ...]: ...

    def __getitem__(self, index: int | slice) -> ChunkEntry | tuple[ChunkEntry, ...]:
        numbers = range(len(self))[index]
        if isinstance(numbers, int):
            return self._records.chunk(numbers)
        return tuple(map(self._records.chunk, numbers))


def index_to_bytes(records: Sequence[RecordEntry]) -> bytes:
    """The payload of the index record.

    Raises:
        BitstreamError: there are too many records.
    """
    parts = [unsigned(len(records))]
    for record in records:
        parts += [record.kind.encode("ascii"), unsigned(record.length)]
        if record.kind == CHUNK:
            parts += [unsigned(record.steps), unsigned(record.frames)]
    parts += [unsigned(sum(r.steps for r in records)), unsigned(sum(r.frames for r in records))]
    payload = sealed(b"".join(parts))
    if len(payload) > limits.INDEX_BYTES:
        raise BitstreamError(
            f"the index of {len(records)} records takes {len(payload)} bytes; at most "
            f"{limits.INDEX_BYTES} fit. Make chunks of more steps."
        )
    return payload


def bytes_to_index(data: bytes, *, start: int, stop: int) -> RecordList:
    """Undo `index_to_bytes`, for a file whose records begin at byte `start` and end before byte `stop`.

    Raises:
        BitstreamError: the index is damaged, or lists a kind that only a newer program can know.
    """
    cursor = Cursor(unsealed(data, "the index"), "the index")
    records = RecordList(start)
    for _ in range(cursor.unsigned("records", most=cursor.remaining)):
        _read_entry(cursor, records, most=stop)
        if records.end > stop:
            raise cursor.broken(f"its records reach beyond byte {stop}, where it begins")
    for name, total in (("steps", records.first_steps[-1]), ("frames", records.first_frames[-1])):
        stored = cursor.unsigned(name, most=limits.COUNT)
        if stored != total:
            raise cursor.broken(f"its {name} add up to {total}, not {stored}")
    cursor.finish()
    return records


def _read_entry(cursor: Cursor, records: RecordList, *, most: int) -> None:
    kind = cursor.take(1)[0]
    check_kind(kind)
    if chr(kind) == INDEX:
        raise cursor.broken("it lists itself")
    length = cursor.unsigned("bytes of a record", most=most)
    if chr(kind) != CHUNK:
        records.append(chr(kind), length)
        return
    steps = cursor.unsigned("steps", least=1, most=limits.CHUNK_SYMBOLS)
    records.append(CHUNK, length, steps, cursor.unsigned("frames", most=limits.CHUNK_FRAMES))
