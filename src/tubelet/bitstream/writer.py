"""Writes a ``.tube`` file front to back; the file appears under its name when it is whole."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from tubelet.bitstream.audio import AudioPacket, packets_to_bytes, runs
from tubelet.bitstream.chunk import Chunk, EncodedChunk, chunk_to_bytes
from tubelet.bitstream.coding import Codings
from tubelet.bitstream.container import (
    AUDIO,
    CHUNK,
    END_OF_LAST,
    INDEX,
    RecordHead,
    header_to_bytes,
    trailer_to_bytes,
)
from tubelet.bitstream.ending import end_to_bytes, usual_end
from tubelet.bitstream.header import Header
from tubelet.bitstream.index import RecordEntry, index_to_bytes
from tubelet.bitstream.symbol_model import SymbolModel
from tubelet.errors import BitstreamError, OptionError
from tubelet.files import replacing


class TubeWriter:
    """A ``.tube`` file being written, as a context manager.

    Leaving the context normally writes the index and gives the file its name; leaving it by an exception
    removes what was written. The counters say where the bytes went; together they are the size of the file.

    Args:
        target: the file to write.
        header: what it says of itself.
        models: the prior that the header names, for parts by their names; the others have tables alone.
        force: whether an existing file is replaced.

    Raises:
        OptionError: the models are not those of the header.
        OutputError: on entering, the target exists (and `force` is false) or cannot be written; later, the
            disk is full.
    """

    _file: BinaryIO

    def __init__(
        self,
        target: Path,
        header: Header,
        *,
        models: Mapping[str, SymbolModel] | None = None,
        force: bool = False,
    ) -> None:
        self._target = target
        self._header = header
        self._force = force
        self.codings = _codings(header, models or {})
        """How the parts may be coded; for `chunk_to_bytes`."""
        self._stack = ExitStack()
        self._records: list[RecordEntry] = []
        self._chunks = 0
        self._last_times: tuple[int, ...] = ()
        """When the last two frames are shown."""
        self.steps = 0
        """Latent steps written so far."""
        self.frames = 0
        """Frames completed so far."""
        self.bytes_header = 0
        """Everything before the first record."""
        self.bytes_heads = 0
        """Heads of chunks: their places, timestamps and checksums."""
        self.bytes_tables = 0
        """Which symbols occur, and how often; with a prior, its escapes."""
        self.bytes_payload = 0
        """Range-coded symbols."""
        self.bytes_audio = 0
        """Audio records."""
        self.bytes_index = 0
        """The end of the last frame, index and trailer."""
        self.entropy_bits = 0.0
        """What no such coder can beat: the zeroth-order entropy of the symbols, per chunk and channel; where
        the prior codes them, how unlikely it thinks they are."""

    def __enter__(self) -> "TubeWriter":
        with ExitStack() as stack:
            path = stack.enter_context(replacing(self._target, force=self._force, durable=True))
            self._file = stack.enter_context(path.open("wb"))
            self.bytes_header = self._file.write(header_to_bytes(self._header))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:  # leaving it closes the file and renames it, or removes it if the index fails
            index_at = self._file.tell()
            self.bytes_index += self._write_record(INDEX, index_to_bytes(self._records))
            self.bytes_index += self._file.write(trailer_to_bytes(index_at))

    @property
    def bytes_total(self) -> int:
        """Size of the file; when the context is left, of the whole."""
        parts = (self.bytes_header, self.bytes_heads, self.bytes_tables, self.bytes_payload)
        return sum(parts) + self.bytes_audio + self.bytes_index

    def write_chunk(self, chunk: Chunk, encoded: EncodedChunk | None = None) -> None:
        """Append a chunk; chunks come in order, without gaps.

        Args:
            chunk: what is stored.
            encoded: what `chunk_to_bytes` made of it with `codings`, where its size was asked for.

        Raises:
            BitstreamError: it is not the next chunk, not of the header's size, or holds what a file cannot.
        """
        self._check_next(chunk)
        encoded = encoded or chunk_to_bytes(chunk, self.codings)
        tables = sum(len(segment.table) for segment in encoded.segments)
        payload = sum(len(segment.payload) for segment in encoded.segments)
        parts = [part for segment in encoded.segments for part in (segment.table, segment.payload)]
        written = self._write_record(CHUNK, encoded.head, *parts)
        steps, frames = encoded.steps, chunk.timestamps.size
        length = written - RecordHead.SIZE
        self._records.append(RecordEntry(kind=CHUNK, length=length, steps=steps, frames=frames))
        self._chunks += 1
        self.steps += steps
        self.frames += frames
        self._last_times = (*self._last_times, *chunk.timestamps[-2:].tolist())[-2:]
        self.bytes_heads += written - tables - payload
        self.bytes_tables += tables
        self.bytes_payload += payload
        self.entropy_bits += sum(segment.entropy_bits for segment in encoded.segments)

    def write_audio(self, packets: Iterable[AudioPacket]) -> None:
        """Append audio packets, in the order of their decoding; best near the frames they sound with.

        Raises:
            BitstreamError: the header announces no audio, or a packet holds what a file cannot.
        """
        if self._header.audio is None:
            raise BitstreamError(
                "the header announces no audio stream; give it one, or leave the packets out."
            )
        for run in runs(packets):
            payload = packets_to_bytes(run)
            self.bytes_audio += self._write_record(AUDIO, payload)
            self._records.append(RecordEntry(kind=AUDIO, length=len(payload)))

    def write_end(self, end: int) -> None:
        """Say when the last frame stops being shown, in ticks of the header's time base; after all chunks.

        Nothing is written if that is what a reader assumes: as long after it as it is after the one before.

        Raises:
            BitstreamError: there is no frame, or the end is not behind it.
        """
        if not self._last_times:
            raise BitstreamError("there is no frame yet whose end could be given; write the chunks first.")
        payload = end_to_bytes(end, last=self._last_times[-1])
        if usual_end(self._last_times) != end:
            self.bytes_index += self._write_record(END_OF_LAST, payload)
            self._records.append(RecordEntry(kind=END_OF_LAST, length=len(payload)))

    def _write_record(self, kind: str, *parts: bytes) -> int:
        head = RecordHead(kind=kind, length=sum(len(part) for part in parts))
        return sum(self._file.write(part) for part in (head.to_bytes(), *parts))

    def _check_next(self, chunk: Chunk) -> None:
        place = (chunk.number, chunk.first_step, chunk.first_frame)
        if place != (self._chunks, self.steps, self.frames):
            raise BitstreamError(
                f"chunk {place[0]} begins at step {place[1]} and frame {place[2]}; the next is "
                f"chunk {self._chunks} at step {self.steps} and frame {self.frames}. "
                "Write chunks in order, without gaps."
            )
        times = chunk.timestamps
        if self._last_times and times.size and times[0] <= self._last_times[-1]:
            raise BitstreamError(
                f"chunk {chunk.number} begins at time {times[0]}, the one before ends at "
                f"{self._last_times[-1]}; "
                "each frame must be later than the one before."
            )


def _codings(header: Header, models: Mapping[str, SymbolModel]) -> Codings:
    """The codings of a file to be written; all models are checked before anything is."""
    names = [part.name for part in header.parts]
    if unknown := sorted(models.keys() - set(names)):
        raise OptionError(f"there are models for {unknown!s:.200}; the parts are {names!s:.200}.")
    if bool(models) != (header.prior is not None):
        named = "none" if header.prior is None else repr(header.prior.name)
        raise OptionError(
            f"the header names the prior {named:.80} and {len(models)} models are given. Give the models of "
            "its prior, or leave both out."
        )
    codings = Codings(header, lambda _header, part: models.get(part.name))
    for part in header.parts:
        codings.choices(part)
    return codings
