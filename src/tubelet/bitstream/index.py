"""The list of all records, at the end of the file (SPEC.md, section 8).

It gives lengths, not places: the places follow by adding up, so no index can point backwards or overlap.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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


def bytes_to_index(data: bytes) -> tuple[RecordEntry, ...]:
    """Undo `index_to_bytes`.

    Raises:
        BitstreamError: the index is damaged, or lists a kind that only a newer program can know.
    """
    cursor = Cursor(unsealed(data, "the index"), "the index")
    records = tuple(_read_entry(cursor) for _ in range(cursor.unsigned("records", most=cursor.remaining)))
    for name, total in (("steps", sum(r.steps for r in records)), ("frames", sum(r.frames for r in records))):
        stored = cursor.unsigned(name, most=limits.COUNT)
        if stored != total:
            raise cursor.broken(f"its {name} add up to {total}, not {stored}")
    cursor.finish()
    return records


def _read_entry(cursor: Cursor) -> RecordEntry:
    kind = cursor.take(1)[0]
    check_kind(kind)
    if chr(kind) == INDEX:
        raise cursor.broken("it lists itself")
    length = cursor.unsigned("bytes of a record", most=limits.COUNT)
    if chr(kind) != CHUNK:
        return RecordEntry(kind=chr(kind), length=length)
    steps = cursor.unsigned("steps", least=1, most=limits.CHUNK_SYMBOLS)
    frames = cursor.unsigned("frames", most=limits.CHUNK_FRAMES)
    return RecordEntry(kind=CHUNK, length=length, steps=steps, frames=frames)


def chunk_entries(records: Sequence[RecordEntry], start: int) -> tuple[ChunkEntry, ...]:
    """Where the chunks are, if the first record begins at byte `start`."""
    chunks: list[ChunkEntry] = []
    step = frame = 0
    for record, offset in zip(records, offsets(records, start), strict=False):
        if record.kind != CHUNK:
            continue
        chunks.append(
            ChunkEntry(
                number=len(chunks),
                offset=offset,
                length=record.length,
                first_step=step,
                steps=record.steps,
                first_frame=frame,
                frames=record.frames,
            )
        )
        step += record.steps
        frame += record.frames
    return tuple(chunks)


def offsets(records: Sequence[RecordEntry], start: int) -> Iterator[int]:
    """Where each record begins, and where the last one ends."""
    yield start
    for record in records:
        start += RecordHead.SIZE + record.length
        yield start
