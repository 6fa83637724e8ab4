"""Reads a ``.tube`` file: header and index at once, chunks and audio when asked for, in any order."""

import os
import warnings
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from io import BufferedReader
from operator import attrgetter
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from tubelet.bitstream import limits
from tubelet.bitstream.audio import AudioPacket, packets_of
from tubelet.bitstream.chunk import Channels, Chunk, read_chunk, read_counts
from tubelet.bitstream.chunk_head import ChunkHead
from tubelet.bitstream.coding import Codings, Counts, ModelFor
from tubelet.bitstream.container import (
    AUDIO,
    CHUNK,
    END_OF_LAST,
    RecordHead,
    UnknownKindError,
    Window,
    read_header,
)
from tubelet.bitstream.ending import END_BYTES, bytes_to_end, usual_end
from tubelet.bitstream.header import Header
from tubelet.bitstream.index import ChunkEntry, RecordList
from tubelet.bitstream.placed import open_placed
from tubelet.bitstream.recovery import check_place, read_index, scan_records
from tubelet.errors import BitstreamError, CheckpointError, DamageWarning, OptionError
from tubelet.given import check_whole_numbers


class TubeReader:
    """A ``.tube`` file open for reading, as a context manager; processes that are forked may go on reading.

    Opening it reads its header and its index alone; what else is asked for is read then. A file whose end is
    missing or damaged is read up to its last whole chunk, with a `DamageWarning`.

    Args:
        path: the file.
        model_for: gives, for the header and one of its parts, the model that the header names as its prior;
            it is called when a chunk of that part is read that is coded with it.

    Raises:
        BitstreamError: it cannot be opened, is not a ``.tube`` file, is newer than this program, or is
            damaged before its first whole chunk.
    """

    header: Header
    bytes_header: int
    """Everything before the first record."""
    complete: bool
    """Whether the file has its end, so that nothing is missing."""
    chunks: Sequence[ChunkEntry]
    """Where each chunk is, in order."""
    _records: RecordList

    def __init__(self, path: Path, model_for: ModelFor | None = None) -> None:
        self._path = path
        self._model_for = model_for
        self._file, self._size = _open(path)
        try:
            with _naming(path):
                self._load()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "TubeReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def steps(self) -> int:
        """Latent steps in all chunks."""
        return self._records.first_steps[-1]

    @property
    def frames(self) -> int:
        """Frames that the chunks complete."""
        return self._records.first_frames[-1]

    @property
    def bytes_audio(self) -> int:
        """What the audio takes of the file: its packets and their framing."""
        return sum(RecordHead.SIZE + length for _, length in self._records.of_kind(AUDIO))

    @property
    def bytes_index(self) -> int:
        """What the end of the last frame, index and trailer take of the file."""
        ends = sum(RecordHead.SIZE + length for _, length in self._records.of_kind(END_OF_LAST))
        return ends + (self._size - self._records.end if self.complete else 0)

    @property
    def bytes_passed_over(self) -> int:
        """What records take that this program does not know and need not."""
        known = self.bytes_audio + sum(entry.record_bytes for entry in self.chunks)
        ends = sum(RecordHead.SIZE + length for _, length in self._records.of_kind(END_OF_LAST))
        return self._records.end - self.bytes_header - known - ends

    @property
    def bytes_unread(self) -> int:
        """What stands behind the last whole record of a file that has not its end."""
        return 0 if self.complete else self._size - self._records.end

    def chunk_of_frame(self, frame: int) -> int:
        """Number of the chunk that completes frame `frame`.

        Raises:
            OptionError: the file has no such frame.
        """
        check_whole_numbers(frame=frame)
        if not 0 <= frame < self.frames:
            raise OptionError(f"frame {frame} is asked for; {self._path} has {self.frames}, counted from 0.")
        return self._records.chunk_of_frame(frame)

    def chunk_of_step(self, step: int) -> int:
        """Number of the chunk that holds latent step `step`.

        Raises:
            OptionError: the file has no such step.
        """
        if not 0 <= step < self.steps:
            raise OptionError(f"step {step} is asked for; {self._path} has {self.steps}, counted from 0.")
        return self._records.chunk_of_step(step)

    def read_chunk(self, number: int, *, channels: Channels = None) -> Chunk:
        """Decode the first `channels` channels of a chunk, or all; the bytes of the others are not read.

        Channels that are coded together with the last one wanted are read with it, and cut off.

        Args:
            number: of the chunk, from 0.
            channels: how many of the only part, or of each part by its name; all of those not named.

        Raises:
            OptionError: there is no such chunk or part, or it has not that many channels.
            BitstreamError: the chunk is damaged, or coded with a model that is not given.
        """
        with _naming(self._path):
            window, head = self._open_chunk(number)
            return read_chunk(window, head, self._codings, channels=channels)

    def head(self, number: int) -> ChunkHead:
        """The head of a chunk: its times, how each part is coded, and the length of each segment.

        Raises:
            OptionError: there is no such chunk.
            BitstreamError: the head is damaged.
        """
        with _naming(self._path):
            return self._open_chunk(number)[1]

    def read_counts(self, number: int) -> tuple[Counts, ...]:
        """How many channels each position of each part of a chunk has; of its segments, maps alone are read.

        Returns:
            For each part, latent steps x rows x columns; none where every position has all channels.

        Raises:
            OptionError: there is no such chunk.
            BitstreamError: head or map is damaged, or the map is coded with a model that is not given.
        """
        with _naming(self._path):
            return read_counts(*self._open_chunk(number), self._codings)

    def timestamps(self) -> NDArray[np.int64]:
        """When each frame of the clip is shown, in ticks of the header's time base; only heads are read.

        Raises:
            BitstreamError: the head of a chunk is damaged.
        """
        times: list[int] = []
        for entry in self.chunks:
            times += self._times(entry)
        return np.array(times, dtype=np.int64)

    def time_of(self, frame: int) -> int:
        """When a frame is shown, in ticks of the header's time base; one head is read.

        Raises:
            OptionError: the file has no such frame.
            BitstreamError: the head is damaged.
        """
        entry = self.chunks[self.chunk_of_frame(frame)]
        return self._times(entry)[frame - entry.first_frame]

    def frame_at(self, tick: int) -> int:
        """The first frame shown at `tick` or later, or how many frames there are if none is.

        Raises:
            BitstreamError: a head that is read on the way is damaged.
        """
        return bisect_left(range(self.frames), tick, key=self.time_of)

    @cached_property
    def end(self) -> int | None:
        """When the last frame stops being shown, in ticks of the header's time base; none if not known.

        A file that does not say it means that the last frame lasts as long as the one before.

        Raises:
            BitstreamError: what says it, or the head of a chunk, is damaged.
        """
        if not self.frames:
            return None
        times = [self.time_of(frame) for frame in range(max(0, self.frames - 2), self.frames)]
        found = list(self._records.of_kind(END_OF_LAST))
        with _naming(self._path):
            if len(found) > 1:
                raise BitstreamError(f"{len(found)} records give the end of its last frame: it is damaged.")
            for offset, length in found:
                window = self._payload(END_OF_LAST, offset, length)
                return bytes_to_end(window.take(length, "the end of the last frame"), last=times[-1])
        return usual_end(times)

    def audio(self) -> Iterator[AudioPacket]:
        """All audio packets, in the order of their decoding; one record is in memory at a time.

        Raises:
            BitstreamError: a record is damaged; the packets before the damage were given.
        """
        for _, packets in self.audio_records():
            yield from packets

    def audio_records(self) -> Iterator[tuple[int, Iterator[AudioPacket]]]:
        """Each audio record: how many chunks the file has before it, and its packets.

        Raises:
            BitstreamError: a record is damaged; what stands before the damage was given.
        """
        for offset, length in self._records.of_kind(AUDIO):
            if self.header.audio is None:
                raise BitstreamError(
                    f"{self._path}: byte {offset} begins audio, and the header knows of none. The file is "
                    "damaged; copy it again."
                )
            yield bisect_left(self.chunks, offset, key=attrgetter("offset")), self._packets(offset, length)

    def _packets(self, offset: int, length: int) -> Iterator[AudioPacket]:
        """The packets of one record."""
        with _naming(self._path):
            window = self._payload(AUDIO, offset, length)
            yield from packets_of(window.take(length, "an audio record"))

    def _load(self) -> None:
        window = Window(self._file, 0, self._size)
        self.header = read_header(window)
        self._codings = Codings(self.header, self._model_for)
        start = self.bytes_header = window.at
        try:
            self._records = read_index(self._file, start=start, size=self._size)
            self.complete = True
        except UnknownKindError:
            raise
        except BitstreamError:  # without its index a file can still be read from the front
            self._records = scan_records(self._file, self.header, start=start, size=self._size)
            self.complete = False
        self.chunks = self._records.chunks
        if not self.complete:
            self._report()

    def _report(self) -> None:
        if not self.chunks:
            raise BitstreamError(
                "the file is cut short or damaged before its first whole chunk. Copy it again."
            )
        chunks = f"{len(self.chunks)} whole chunk{'s' if len(self.chunks) > 1 else ''}"
        frames = f"frames 0 to {self.frames - 1}" if self.frames else "no whole frame"
        warnings.warn(
            f"{self._path} is cut short or damaged at its end: {chunks}, {frames}, can be read.",
            DamageWarning,
            stacklevel=4,  # where the reader is made
        )

    def _payload(self, kind: str, offset: int, length: int) -> Window:
        """A window on the payload of a record, checked against what the index says of it."""
        if self._file.closed:
            raise OptionError(f"{self._path} was closed; open it again to read it.")
        window = Window(self._file, offset, offset + RecordHead.SIZE + length)
        head = RecordHead.read(window)
        if (head.kind, head.length) != (kind, length):
            raise BitstreamError(
                f"byte {offset} begins a record {head.kind} of {head.length} bytes; the index says {kind} of "
                f"{length}. The file is damaged; copy it again."
            )
        most = {AUDIO: limits.AUDIO_BYTES, END_OF_LAST: END_BYTES}.get(kind, length)
        if length > most:
            raise BitstreamError(f"a record {kind} claims {length} bytes; at most {most} are allowed.")
        return window

    def _open_chunk(self, number: int) -> tuple[Window, ChunkHead]:
        """The head of a chunk, and a window that is left at its first segment."""
        if not 0 <= number < len(self.chunks):
            raise OptionError(
                f"chunk {number} is asked for; {self._path} has {len(self.chunks)}, counted from 0."
            )
        entry = self.chunks[number]
        window = self._payload(CHUNK, entry.offset, entry.length)
        return window, self._head(window, entry)

    def _times(self, entry: ChunkEntry) -> tuple[int, ...]:
        """The timestamps of a chunk."""
        with _naming(self._path):
            return self._head(self._payload(CHUNK, entry.offset, entry.length), entry).timestamps

    def _head(self, window: Window, entry: ChunkEntry) -> ChunkHead:
        """The head of a chunk, checked against the index; the window is left at its first segment."""
        head = ChunkHead.read(window, self.header)
        check_place(head, number=entry.number, first_step=entry.first_step, first_frame=entry.first_frame)
        if (head.steps, len(head.timestamps)) != (entry.steps, entry.frames):
            raise BitstreamError(
                f"chunk {head.number} has {head.steps} steps and {len(head.timestamps)} frames; the index "
                f"says {entry.steps} and {entry.frames}. The file is damaged; copy it again."
            )
        return head


def _open(path: Path) -> tuple[BufferedReader, int]:
    """Open a file and measure it."""
    try:
        file = open_placed(path)
        return file, file.seek(0, os.SEEK_END)
    except OSError as error:
        raise BitstreamError(f"{path} cannot be read: {error.strerror or error}. Check the name.") from error


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the name of the file before the message of an error."""
    try:
        yield
    except (BitstreamError, CheckpointError) as error:  # the latter of a prior that is not here
        raise type(error)(f"{path}: {error}") from error
