"""A video file to a ``.tube`` file."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from tubelet.bitstream import limits
from tubelet.bitstream.chunk import Chunk
from tubelet.bitstream.header import Header
from tubelet.bitstream.writer import TubeWriter
from tubelet.checkpoint import Checkpoint, read_continuous
from tubelet.codec.audio_feed import AudioFeed
from tubelet.codec.chunking import Chunker
from tubelet.codec.header import make_header, packet_to_stored
from tubelet.codec.memory import frames_per_run, left_for_streams
from tubelet.codec.symbols import SymbolQuantizer
from tubelet.files import check_suffix, check_target
from tubelet.quantizers.scalar import ScalarQuantizer, Symbols
from tubelet.threads import Behind, ahead
from tubelet.tokenizers.continuous import DEFAULT_MEMORY, ContinuousTokenizer
from tubelet.tokenizers.grouping import Grouping
from tubelet.tokenizers.streams.encoder import StreamEncoder
from tubelet.types import Latent
from tubelet.video.audio import read_audio
from tubelet.video.info import VideoInfo
from tubelet.video.probe import probe
from tubelet.video.read import read

BASE_STEP = 0.25
"""Quantiser step at ``step=1``, in units of an orthonormal coefficient of pixels in [-1, 1].

The same for every channel, which is best for the squared error of the pixels; a channel's own step is this
over its standard deviation.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TubeReport:
    """What a ``.tube`` file holds, and where its bytes went.

    Attributes:
        frames: frames of the clip.
        height: their rows.
        width: their columns.
        steps: latent steps.
        channels: channels that were kept.
        bytes_total: size of the file; the other sizes are its parts.
        bytes_symbols: range-coded symbols.
        bytes_tables: how often each symbol occurs, per chunk and channel.
        bytes_headers: header, heads of chunks, index.
        bytes_audio: audio packets and their framing.
        entropy_bytes: zeroth-order entropy of the symbols per chunk and channel; what `bytes_symbols` can be
            at best.
    """

    frames: int
    height: int
    width: int
    steps: int
    channels: int
    bytes_total: int
    bytes_symbols: int
    bytes_tables: int
    bytes_headers: int
    bytes_audio: int
    entropy_bytes: float

    @property
    def bits_per_pixel(self) -> float:
        """Bits of everything but the audio, per pixel of every frame."""
        return 8 * (self.bytes_total - self.bytes_audio) / (self.frames * self.height * self.width)


def encode_file(
    source: Path | str,
    target: Path | str,
    *,
    tokenizer: str | Path | Checkpoint[ContinuousTokenizer] | None = None,
    channels: int | None = None,
    step: float = 1.0,
    audio: bool = True,
    memory: int = DEFAULT_MEMORY,
    device: str = "cpu",
    force: bool = False,
    on_frames: Callable[[int], None] = lambda _: None,
) -> TubeReport:
    """Encode a video, an image or an array of frames into a ``.tube`` file.

    Args:
        source: any file that `tubelet.video` reads.
        target: the file to write; it appears when it is whole.
        tokenizer: a shipped tokenizer, a checkpoint's folder, or a checkpoint; the default one for none.
        channels: how many of the ordered channels to store; all by default.
        step: coarseness of the quantiser; 1 is the usual one, 2 halves the levels.
        audio: whether the source's audio packets are stored too, untouched.
        memory: bytes that frames in flight, the networks' state and the work on them may take.
        device: where a tokenizer computes that is not a checkpoint already: ``cpu``, ``cuda`` or ``cuda:N``.
        force: whether an existing target is replaced.
        on_frames: called with the number of frames that each run brought.

    Raises:
        VideoError: the source cannot be read.
        CheckpointError: the tokenizer is unknown or damaged.
        OptionError: `channels`, `step` or `memory` has no meaning for this tokenizer; there is no such device
            here; or `target` is the source, or does not end in ``.tube``.
        LatentError: the latent holds what cannot be stored.
        OutputError: the target exists or cannot be written.
    """
    target = Path(target)
    check_suffix(target, (".tube",), "a file of a latent")
    check_target(target, sources=[Path(source)], force=force)
    info = probe(source)
    checkpoint = as_checkpoint(tokenizer, device)
    stream = checkpoint.tokenizer.stream_encoder(
        channels=channels,
        memory=left_for_streams(memory, checkpoint.tokenizer, info.height, info.width, reads=True),
    )
    quantizer = make_quantizer(checkpoint, channels=channels, step=step)
    header = make_header(info, checkpoint, quantizer, audio=info.audio if audio else None)
    with TubeWriter(target, header, force=force) as writer:
        sink = TubeSink(writer, info, checkpoint.tokenizer.grouping, header)
        sink.finish(put_symbols(sink.put, info, stream, quantizer, on_frames, memory=memory))
    return sink.report()


def put_symbols(
    put: Callable[["Piece"], None],
    info: VideoInfo,
    stream: StreamEncoder[Latent],
    quantizer: SymbolQuantizer,
    on_frames: Callable[[int], None],
    *,
    memory: int,
) -> int | None:
    """Read a clip, encode and quantise it, and put the symbols somewhere; three threads at work at once.

    Returns:
        When the last frame stops being shown, in ticks of the clip's time base; none if nothing says it.
    """
    end: int | None = None
    with Behind[Piece](put) as behind:
        for run in ahead(read(info.path, run=frames_per_run(info.height, info.width, memory))):
            latent = stream.push_frames(run.frames)
            behind.put(Piece(quantizer.quantize(latent), run.timestamps))
            end = run.end
            on_frames(len(run.frames))
        behind.put(Piece(quantizer.quantize(stream.finish()), NO_TIMES))
    return end


class Piece(NamedTuple):
    """Symbols of some latent steps, and the timestamps of the frames that were just read."""

    symbols: Symbols
    timestamps: Int64[np.ndarray, " T"]


NO_TIMES: Int64[np.ndarray, " T"] = np.empty(0, dtype=np.int64)


class TubeSink:
    """The lower half of the way down: symbols to chunks to bytes, with the audio in step."""

    def __init__(self, writer: TubeWriter, info: VideoInfo, grouping: Grouping, header: Header) -> None:
        self._writer = writer
        self._header = header
        self._time_base = info.time_base
        self._chunker = Chunker(
            grouping, symbols_per_step=header.channels * header.latent_height * header.latent_width
        )
        self._audio: AudioFeed | None = None
        if header.audio is not None:
            self._audio = AudioFeed(read_audio(info.path), time_base=Fraction(*header.audio.time_base))

    def put(self, piece: Piece) -> None:
        """Take the next symbols and timestamps; write the chunks that are complete."""
        self._write(self._chunker.push(piece.symbols, piece.timestamps))

    def finish(self, end: int | None) -> None:
        """Write what is left, and when the last frame stops being shown, if that is known."""
        self._write(self._chunker.finish())
        self._write_audio(None)
        if end is not None and end <= limits.TIMESTAMP:
            self._writer.write_end(end)

    def report(self) -> TubeReport:
        """Count what was written; the file must be closed."""
        writer, header = self._writer, self._header
        return TubeReport(
            frames=writer.frames,
            height=header.height,
            width=header.width,
            steps=writer.steps,
            channels=header.channels,
            bytes_total=writer.bytes_total,
            bytes_symbols=writer.bytes_payload,
            bytes_tables=writer.bytes_tables,
            bytes_headers=writer.bytes_header + writer.bytes_heads + writer.bytes_index,
            bytes_audio=writer.bytes_audio,
            entropy_bytes=writer.entropy_bits / 8,
        )

    def _write(self, chunks: list[Chunk]) -> None:
        for chunk in chunks:
            self._writer.write_chunk(chunk)
            if len(chunk.timestamps):
                self._write_audio(int(chunk.timestamps[-1]) * self._time_base)

    def _write_audio(self, until: Fraction | None) -> None:
        if self._audio is not None:
            self._writer.write_audio(map(packet_to_stored, self._audio.until(until)))


def as_checkpoint(
    tokenizer: str | Path | Checkpoint[ContinuousTokenizer] | None, device: str
) -> Checkpoint[ContinuousTokenizer]:
    """Read a checkpoint unless it is one already."""
    return tokenizer if isinstance(tokenizer, Checkpoint) else read_continuous(tokenizer, device=device)


def make_quantizer(
    checkpoint: Checkpoint[ContinuousTokenizer], *, channels: int | None, step: float
) -> ScalarQuantizer:
    """The quantiser of the first channels of a tokenizer's latent at a coarseness."""
    tokenizer = checkpoint.tokenizer
    kept = tokenizer.check_channels(channels)
    (units,) = tokenizer.model.coding_units().values()
    return ScalarQuantizer.scaled(BASE_STEP / units[:kept], step)
