"""Damaged `.tube` files of every kind: how one is damaged, and what reading it must give."""

import random
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mutate import BYTES, JSON, mutated

from tubelet.bitstream import AudioPacket, Chunk, TubeReader
from tubelet.bitstream.coding import ModelFor
from tubelet.bitstream.container import MAGIC, RecordHead, trailer_to_bytes
from tubelet.bitstream.fields import sealed, u32
from tubelet.bitstream.index import RecordEntry, index_to_bytes
from tubelet.errors import DamageWarning, TubeletError

WAYS = ("any byte", "behind checksums")
"""Anything may happen to a file, and its checksums say so; or to what a writer at fault puts into it."""

LONGEST_MESSAGE = 2000
MOST_CHUNKS = 20
TICKS = (-5, 3000, 2**50)
"""Times at which frames are sought."""

Record = tuple[str, bytes, int, int]
"""Kind, payload, and how many steps and frames it has."""


class Content(NamedTuple):
    """All that a file holds.

    Attributes:
        chunks: in order.
        packets: of audio.
        end: of the last frame.
    """

    chunks: list[Chunk]
    packets: list[AudioPacket]
    end: int | None


class Whole(NamedTuple):
    """A file without damage.

    Attributes:
        data: its bytes.
        model_for: gives the models of its prior.
        content: what it holds.
        records: with the steps and frames that its index says.
    """

    data: bytes
    model_for: ModelFor
    content: Content
    records: list[Record]

    @classmethod
    def read(cls, path: Path, model_for: ModelFor) -> "Whole":
        data = path.read_bytes()
        with TubeReader(path, model_for) as reader:
            chunks = [reader.read_chunk(number) for number in range(len(reader.chunks))]
            content = Content(chunks, list(reader.audio()), reader.end)
            sizes = iter([(entry.steps, entry.frames) for entry in reader.chunks])
            at = reader.bytes_header
        records = []
        while (kind := chr(data[at])) != "I":
            size = int.from_bytes(data[at + 1 : at + 9], "little")
            start = at + RecordHead.SIZE
            records.append((kind, data[start : start + size], *(next(sizes) if kind == "V" else (0, 0))))
            at = start + size
        return cls(data, model_for, content, records)

    @property
    def version(self) -> int:
        return int.from_bytes(self.data[8:10], "little")

    @property
    def header(self) -> bytes:
        return self.data[14 : 14 + int.from_bytes(self.data[10:14], "little")]


def damaged(whole: Whole, other: bytes, way: str, draw: random.Random) -> bytes:
    """The file damaged in one of `WAYS`, sometimes with pieces of another."""
    if way == "any byte":
        return mutated(whole.data, draw, [other], BYTES)
    return _reassembled(whole, draw, other)


def wrong_of(path: Path, whole: Whole, data: bytes, way: str) -> str | None:
    """Read damaged bytes that are in a file; what is wrong with how that went, if anything is.

    Whatever is raised but errors of ours goes to the caller.
    """
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = _read(path, whole.model_for, said)
    if any(warning.category is not DamageWarning for warning in caught):
        return f"a warning: {[str(warning.message) for warning in caught]!s:.300}"
    said += [str(warning.message) for warning in caught]
    if long := [message for message in said if len(message) > LONGEST_MESSAGE]:
        return f"a message of {len(long[0])}: {long[0]:.200} … {long[0][-60:]}"
    if nameless := [message for message in said if str(path) not in message]:
        return f"a message without the name of the file: {nameless[0]:.300}"
    if way == "any byte":
        return _difference(found, whole, noticed=bool(said) or data == whole.data)
    return None


Work = Callable[[], object]


class _Found(NamedTuple):
    """What was read: chunks by number, and the rest where it could be read."""

    chunks: dict[int, Chunk]
    packets: list[AudioPacket] | None
    end: int | None
    has_end: bool


def _read(path: Path, model_for: ModelFor, said: list[str]) -> _Found:
    """All of a file that can be read; every error of ours is noted."""
    chunks: dict[int, Chunk] = {}
    others: dict[str, object] = {}
    try:
        reader = TubeReader(path, model_for)
    except TubeletError as error:
        said.append(str(error))
        return _Found({}, None, None, has_end=False)
    with reader:

        def read_chunk(number: int) -> None:
            chunks[number] = reader.read_chunk(number)

        works: list[Work] = [
            reader.timestamps,
            lambda: others.update(end=reader.end),
            lambda: others.update(packets=list(reader.audio())),
            *(lambda tick=tick: reader.frame_at(tick) for tick in TICKS),
            *(lambda n=n: read_chunk(n) for n in range(min(len(reader.chunks), MOST_CHUNKS))),
        ]
        for work in works:
            try:
                work()
            except TubeletError as error:
                said.append(str(error))
    return _Found(chunks, others.get("packets"), others.get("end"), has_end="end" in others)


def _difference(found: _Found, whole: Whole, *, noticed: bool) -> str | None:
    """How what was read without an error differs from what was written."""
    content = whole.content
    for number, chunk in found.chunks.items():
        if number >= len(content.chunks) or not _same(chunk, content.chunks[number]):
            return f"chunk {number} was read, and is not what was written"
    packets = found.packets
    if packets is not None and packets != content.packets[: len(packets)]:
        return "audio was read, and is not what was written"
    whole_of_it = (
        len(found.chunks) == len(content.chunks)
        and packets == content.packets
        and found.has_end
        and found.end == content.end
    )
    return None if noticed or whole_of_it else "something is missing, and nothing says so"


def _same(one: Chunk, other: Chunk) -> bool:
    places = ("number", "first_step", "first_frame")
    return (
        all(getattr(one, name) == getattr(other, name) for name in places)
        and np.array_equal(one.timestamps, other.timestamps)
        and len(one.parts) == len(other.parts)
        and all(map(_same_part, one.parts, other.parts))
    )


def _same_part(one: object, other: object) -> bool:
    if not np.array_equal(one.symbols, other.symbols):
        return False
    if one.counts is None or other.counts is None:
        return one.counts is other.counts
    return np.array_equal(one.counts, other.counts)


def _reassembled(whole: Whole, draw: random.Random, other: bytes) -> bytes:
    """A file whose parts are damaged behind checksums that are right."""
    header, records = whole.header, list(whole.records)
    if draw.random() < 0.3:
        header = mutated(header, draw, [other], JSON)
    for _ in range(draw.randrange(3)):
        at = draw.randrange(len(records))
        kind, payload, steps, frames = records[at]
        match draw.randrange(5):
            case 0:
                del records[at]
            case 1:
                records.insert(draw.randrange(len(records) + 1), records[at])
            case 2:
                draw.shuffle(records)
            case 3:  # the checksum of its head, or of all of an audio record, is made right again
                records[at] = (kind, _inside(kind, payload, draw, other), steps, frames)
            case 4:
                records[at] = (draw.choice("VAeqZ"), payload, steps, draw.choice((frames, 0, 1, 70000)))
        if not records:
            break
    return assembled(whole.version, header, records)


def _inside(kind: str, payload: bytes, draw: random.Random, other: bytes) -> bytes:
    length = int.from_bytes(payload[:4], "little") if kind == "V" else len(payload) - 4
    start = 4 if kind == "V" else 0
    inner = mutated(payload[start : start + length], draw, [other], BYTES)
    head = u32(len(inner)) + inner if kind == "V" else inner
    return sealed(head) + payload[start + length + 4 :]


def assembled(version: int, header: bytes, records: Sequence[Record]) -> bytes:
    """A file of these parts, whose checksums and index are right."""
    body = sealed(MAGIC + version.to_bytes(2, "little") + u32(len(header)) + header)
    entries = []
    for kind, payload, steps, frames in records:
        body += RecordHead(kind=kind, length=len(payload)).to_bytes() + payload
        entries.append(RecordEntry(kind=kind, length=len(payload), steps=steps, frames=frames))
    index = index_to_bytes(entries)
    return body + RecordHead(kind="I", length=len(index)).to_bytes() + index + trailer_to_bytes(len(body))
