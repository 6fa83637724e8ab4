"""A video file to a ``.tube`` file and on to a video file, in one pass, measured."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tubelet.bitstream.writer import TubeWriter
from tubelet.checkpoint import Checkpoint
from tubelet.codec.audio_feed import AudioFeed
from tubelet.codec.decode import VideoSink
from tubelet.codec.encode import (
    NO_TIMES,
    Piece,
    TubeReport,
    TubeSink,
    as_checkpoint,
    make_quantizer,
)
from tubelet.codec.header import make_header
from tubelet.codec.memory import frames_per_run, left_for_streams
from tubelet.files import check_suffix, check_targets, fitted_name
from tubelet.metrics.psnr import ClipPSNR
from tubelet.quantizers.scalar import Symbols
from tubelet.threads import Behind, ahead
from tubelet.tokenizers.continuous import DEFAULT_MEMORY, ContinuousTokenizer
from tubelet.tokenizers.streams.decoder import StreamDecoder
from tubelet.tokenizers.streams.encoder import StreamEncoder
from tubelet.types import Frames, Latent
from tubelet.video.audio import read_audio
from tubelet.video.info import VideoInfo
from tubelet.video.probe import probe
from tubelet.video.read import Run, read
from tubelet.video.write import SUFFIXES, Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """What came back, and what it cost.

    Attributes:
        tokenizer: its name.
        tube: size and content of the ``.tube`` file.
        psnr_db: of the decoded frames against the source's, over the whole clip's 8-bit RGB.
        seconds: from the first frame read to the last written.
        source_bytes: size of the source file.
    """

    tokenizer: str
    tube: TubeReport
    psnr_db: float
    seconds: float
    source_bytes: int


def reconstruct_file(
    source: Path | str,
    target: Path | str,
    *,
    tube: Path | str | None = None,
    tokenizer: str | Path | Checkpoint[ContinuousTokenizer] | None = None,
    channels: int | None = None,
    step: float = 1.0,
    side_by_side: bool = False,
    audio: bool = True,
    memory: int = DEFAULT_MEMORY,
    device: str = "cpu",
    force: bool = False,
    on_frames: Callable[[int], None] = lambda _: None,
) -> Reconstruction:
    """Encode a video, decode it again, and measure what came back.

    The decoder works on the quantised latent that the ``.tube`` file holds, so the frames are those that
    `decode_file` gives.

    Args:
        source: any file that `tubelet.video` reads.
        target: the video file to write; its suffix chooses the format.
        tube: the ``.tube`` file to write; beside `target`, with its name, for none.
        tokenizer: a shipped tokenizer, a checkpoint's folder, or a checkpoint; the default one for none.
        channels: how many of the ordered channels to use; all by default.
        step: coarseness of the quantiser.
        side_by_side: whether the target shows the source at the left of the reconstruction.
        audio: whether the source's audio is carried along.
        memory: bytes that frames in flight, the networks' state and the work on them may take.
        device: where a tokenizer computes that is not a checkpoint already: ``cpu``, ``cuda`` or ``cuda:N``.
        force: whether existing targets are replaced.
        on_frames: called with the number of frames that each run brought.

    Raises:
        TubeletError: as `encode_file` and `decode_file`.
    """
    target = Path(target)
    tube = tube_beside(target) if tube is None else Path(tube)
    check_suffix(target, SUFFIXES, "a video")
    check_suffix(tube, (".tube",), "a file of a latent")
    check_targets([target, tube], sources=[Path(source)], force=force)
    info = probe(source)
    checkpoint = as_checkpoint(tokenizer, device)
    streams = Streams.of(checkpoint.tokenizer, info, channels=channels, memory=memory)
    quantizer = make_quantizer(checkpoint, channels=channels, step=step)
    sound = info.audio if audio else None
    header = make_header(info, checkpoint, quantizer, audio=sound)
    compared = _Comparison(side_by_side=side_by_side)
    began = time.perf_counter()
    with (
        TubeWriter(tube, header, force=force) as tube_writer,
        Writer(
            target,
            width=info.width * (2 if side_by_side else 1),
            height=info.height,
            time_base=info.time_base,
            colour=info.colour,
            sample_aspect=info.sample_aspect,
            audio=sound,
            force=force,
        ) as video_writer,
    ):
        tube_sink = TubeSink(tube_writer, info, checkpoint.tokenizer.grouping, header)
        feed = AudioFeed(read_audio(info.path), time_base=sound.time_base) if sound else None
        video_sink = VideoSink(video_writer, feed, time_base=info.time_base)
        with Behind[Piece](tube_sink.put) as coding, Behind[Run](video_sink.put) as writing:

            def there_and_back(symbols: Symbols, timestamps: np.ndarray) -> None:
                coding.put(Piece(symbols, timestamps))
                if run := compared.with_source(streams.decoder.push_frames(quantizer.dequantize(symbols))):
                    writing.put(run)

            end: int | None = None
            for run in ahead(read(source, run=frames_per_run(info.height, info.width, memory))):
                compared.expect(run)
                end = run.end
                symbols = quantizer.quantize(streams.encoder.push_frames(run.frames))
                there_and_back(symbols, run.timestamps)
                on_frames(len(run.frames))
            there_and_back(quantizer.quantize(streams.encoder.finish()), NO_TIMES)
        tube_sink.finish(end)
        video_sink.finish()
    return Reconstruction(
        tokenizer=checkpoint.name,
        tube=tube_sink.report(),
        psnr_db=compared.psnr.compute(),
        seconds=time.perf_counter() - began,
        source_bytes=Path(source).stat().st_size,
    )


def tube_beside(video: Path) -> Path:
    """Where the ``.tube`` file of a reconstruction goes unless somebody says otherwise."""
    return video.with_name(fitted_name(video.stem, ".tube"))


class Streams(NamedTuple):
    """The way there and the way back of a clip, which share the memory."""

    encoder: StreamEncoder[Latent]
    decoder: StreamDecoder[Latent]

    @classmethod
    def of(
        cls, tokenizer: ContinuousTokenizer, info: VideoInfo, *, channels: int | None, memory: int
    ) -> "Streams":
        """Open both; they never work at once, so each may use all but what the other remembers.

        Raises:
            OptionError: the memory does not hold both.
        """
        size = info.height, info.width
        left = left_for_streams(memory, tokenizer, *size, reads=True, writes=True)
        rows, columns = tokenizer.grouping.cells(*size)
        costs = tokenizer.model.encoder_footprint(), tokenizer.model.decoder_footprint()
        there, back = (rows * columns * each.remembered for each in costs)
        return cls(
            tokenizer.stream_encoder(channels=channels, memory=left - back),
            tokenizer.stream_decoder(height=info.height, width=info.width, memory=left - there),
        )


class _Comparison:
    """Keeps the source's frames until their reconstruction comes, and measures the difference."""

    def __init__(self, *, side_by_side: bool) -> None:
        self.psnr = ClipPSNR()
        self._side_by_side = side_by_side
        self._waiting: deque[Run] = deque()

    def expect(self, run: Run) -> None:
        """Keep frames whose reconstruction is on its way."""
        self._waiting.append(run)

    def with_source(self, decoded: Frames) -> Run | None:
        """Compare decoded frames with those expected next; give what is to be written."""
        sources: list[Frames] = []
        times: list[np.ndarray] = []
        end: int | None = None
        missing = len(decoded)
        while missing and self._waiting:
            run = self._waiting.popleft()
            taken = min(missing, len(run.frames))
            sources.append(run.frames[:taken])
            times.append(run.timestamps[:taken])
            end = run.end if taken == len(run.frames) else int(run.timestamps[taken])
            missing -= taken
            if taken < len(run.frames):
                self._waiting.appendleft(
                    replace(run, frames=run.frames[taken:], timestamps=run.timestamps[taken:])
                )
        if not sources:
            return None
        # The filling of the last group has no source, and is not part of the clip.
        decoded = decoded[: len(decoded) - missing]
        begin = 0
        for source in sources:
            self.psnr.update(source, decoded[begin : begin + len(source)])
            begin += len(source)
        if self._side_by_side:
            decoded = np.concatenate([np.concatenate(sources), decoded], axis=2)
        return Run(frames=decoded, timestamps=np.concatenate(times), end=end)
