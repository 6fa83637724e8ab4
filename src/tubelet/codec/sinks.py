"""The two ends of the line: symbols into a ``.tube`` file, frames into a video, each with audio in step."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from tubelet.bitstream import limits
from tubelet.bitstream.chunk import Chunk, EncodedChunk
from tubelet.bitstream.header import Header
from tubelet.bitstream.writer import TubeWriter
from tubelet.codec.audio_feed import AudioFeed
from tubelet.codec.chunking import Chunker, usual_steps
from tubelet.codec.header import packet_to_stored
from tubelet.codec.models import models_of
from tubelet.codec.pipeline import Piece
from tubelet.codec.report import TubeReport
from tubelet.threads import Behind
from tubelet.tokenizers.parts import PartGrids
from tubelet.video.audio import AudioPacket, read_audio
from tubelet.video.info import VideoInfo
from tubelet.video.read import Run
from tubelet.video.write import Writer

Item = TypeVar("Item", contravariant=True)


@runtime_checkable
class Sink(Protocol[Item]):
    """What takes one item after another into a file.

    Attributes:
        writer: the file that is written; it is given its name when the context is left.
    """

    @property
    def writer(self) -> AbstractContextManager[Any]:
        """The file."""
        ...

    def write(self, item: Item) -> None:
        """Take the next item."""
        ...

    def finish(self) -> None:
        """Write what is left, when all items were taken."""
        ...


@contextmanager
def filled(sink: Sink[Item]) -> Iterator[Callable[[Item], None]]:
    """Open a sink's file, and give what puts an item into it; a thread writes while the next one is made."""
    with sink.writer:
        with Behind[Item](sink.write) as behind:
            yield behind.put
        sink.finish()


@contextmanager
def written(sink: Sink[Item]) -> Iterator[Callable[[Item], None]]:
    """As `filled`, without a thread: where what works meanwhile takes the memory that writing needs."""
    with sink.writer:
        yield sink.write
        sink.finish()


class TubeSink:
    """Symbols to chunks to bytes.

    Args:
        target: the ``.tube`` file.
        header: what it says of itself.
        info: the video that the symbols and the audio are of.
        grids: where the parts lie.
        force: whether an existing file is replaced.

    Attributes:
        header: what the file says of itself.
        end: when the last frame so far stops being shown; none if nothing says it.
    """

    def __init__(
        self, target: Path, header: Header, info: VideoInfo, grids: PartGrids, *, force: bool
    ) -> None:
        self.writer = TubeWriter(target, header, models=models_of(header), force=force)
        self.header = header
        self._time_base = info.time_base
        symbols = sum(part.channels * part.rows * part.columns for part in header.parts)
        self._chunker = Chunker(grids, steps=usual_steps(symbols))
        self.end: int | None = None
        self._numbers = self._chosen = self._counted = 0
        self._audio: AudioFeed | None = None
        if header.audio is not None:
            self._audio = AudioFeed(read_audio(info.path), time_base=Fraction(*header.audio.time_base))

    def write(self, item: Piece) -> None:
        """Take the next symbols and timestamps; write the chunks that are complete."""
        for chunk in self._chunker.push(item.symbols, item.timestamps):
            self.write_chunk(chunk)
        self.end = item.end

    def finish(self) -> None:
        """Write what is left, and when the last frame stops being shown, if that is known."""
        for chunk in self._chunker.finish():
            self.write_chunk(chunk)
        self._write_audio(None)
        if self.end is not None and self.end <= limits.TIMESTAMP:
            self.writer.write_end(self.end)

    def report(self) -> TubeReport:
        """Count what was written; the file must be closed."""
        writer, header = self.writer, self.header
        return TubeReport(
            frames=writer.frames,
            height=header.height,
            width=header.width,
            steps=writer.steps,
            channels=sum(part.channels for part in header.parts),
            numbers=self._numbers,
            mean_channels=self._chosen / self._counted if self._counted else None,
            bytes_total=writer.bytes_total,
            bytes_symbols=writer.bytes_payload,
            bytes_tables=writer.bytes_tables,
            bytes_headers=writer.bytes_header + writer.bytes_heads + writer.bytes_index,
            bytes_audio=writer.bytes_audio,
            entropy_bytes=writer.entropy_bits / 8,
        )

    def write_chunk(self, chunk: Chunk, encoded: EncodedChunk | None = None) -> None:
        """Write a chunk, and the audio that goes with it; `encoded` as for `TubeWriter.write_chunk`."""
        for part in chunk.parts:
            if part.counts is None:
                self._numbers += part.symbols.size
                continue
            chosen = int(part.counts.sum())
            self._numbers += chosen
            self._chosen += chosen
            self._counted += part.counts.size
        self.writer.write_chunk(chunk, encoded)
        if len(chunk.timestamps):
            self._write_audio(int(chunk.timestamps[-1]) * self._time_base)

    def _write_audio(self, until: Fraction | None) -> None:
        if self._audio is not None:
            self.writer.write_audio(map(packet_to_stored, self._audio.until(until)))


class VideoSink:
    """Frames into a video.

    Args:
        writer: the video.
        packets: the audio that goes with it, and its time base; none for none.
        time_base: of the frames' timestamps.
    """

    def __init__(
        self,
        writer: Writer,
        packets: tuple[Iterable[AudioPacket], Fraction] | None,
        *,
        time_base: Fraction,
    ) -> None:
        self.writer = writer
        self._audio = None if packets is None else AudioFeed(packets[0], time_base=packets[1])
        self._time_base = time_base

    def write(self, item: Run) -> None:
        """Write a run of frames, and the audio up to its end."""
        self.writer.write(item.frames, item.timestamps, end=item.end)
        self._write_audio(int(item.timestamps[-1]) * self._time_base)

    def finish(self) -> None:
        """Write the audio that is left."""
        self._write_audio(None)

    def _write_audio(self, until: Fraction | None) -> None:
        if self._audio is not None:
            for packet in self._audio.until(until):
                self.writer.write_audio(packet)
