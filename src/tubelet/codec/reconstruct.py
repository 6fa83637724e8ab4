"""A video file to a ``.tube`` file and on to a video file, in one pass, measured."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Unpack

import numpy as np

from tubelet.checkpoint import Checkpoint
from tubelet.codec.header import make_header
from tubelet.codec.memory import left_for_streams
from tubelet.codec.models import prior_header
from tubelet.codec.open_clip import as_checkpoint, read_ahead
from tubelet.codec.options import FileOptions, Options, seed_of
from tubelet.codec.pipeline import Piece, frames_to_symbols, symbols_to_frames
from tubelet.codec.report import TubeReport
from tubelet.codec.sinks import TubeSink, VideoSink, filled, written
from tubelet.codec.symbols import LatentQuantizer, kept_channels
from tubelet.files import check_suffix, check_targets, fitted_name
from tubelet.given import as_path, check_numbers
from tubelet.metrics.psnr import ClipPSNR
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.streams.decoder import StreamDecoder
from tubelet.tokenizers.streams.encoder import StreamEncoder
from tubelet.types import Frames, Latents
from tubelet.video.audio import read_audio
from tubelet.video.info import VideoInfo
from tubelet.video.read import Run, open_video
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
    refine: int = 0,
    seed: int | None = None,
    side_by_side: bool = False,
    **options: Unpack[FileOptions],
) -> Reconstruction:
    """Encode a video, decode it again, and measure what came back.

    The decoder works on the quantised latent that the ``.tube`` file holds, so the frames are those that
    `decode_file` gives.

    Args:
        source: any file that `tubelet.video` reads.
        target: the video file to write; its suffix chooses the format.
        tube: the ``.tube`` file to write; beside `target`, with its name, for none.
        tokenizer: a shipped tokenizer, a checkpoint's folder, or a checkpoint; ``tubelet-m-rate`` for none.
        channels: how many of the ordered channels to use; all by default.
        step: coarseness of the quantiser.
        refine: in how many steps a tokenizer with a flow refines the frames; 0 leaves it as it is.
        seed: of the noise for that; 0 for none.
        side_by_side: whether the target shows the source at the left of the reconstruction.
        **options: see `FileOptions`.

    Raises:
        TubeletError: as `encode_file` and `decode_file`.
    """
    settings, number = Options(**options), seed_of(seed, refine=refine)
    source, target = as_path(source, "source"), as_path(target, "target")
    check_numbers(step=step)
    check_suffix(target, SUFFIXES, "a video")
    tube = tube_beside(target) if tube is None else as_path(tube, "tube")
    check_suffix(tube, (".tube",), "a file of a latent")
    check_targets([target, tube], sources=[source], force=settings.force)
    with open_video(source) as video, closing(read_ahead(video, settings)) as runs:
        info = video.info
        checkpoint = as_checkpoint(tokenizer, settings.device)
        if refine:
            checkpoint = replace(checkpoint, tokenizer=checkpoint.tokenizer.refined(refine, seed=number))
        kept = kept_channels(checkpoint.tokenizer, channels)
        streams = Streams.of(checkpoint.tokenizer, info, kept, memory=settings.memory)
        quantizer = LatentQuantizer.of(checkpoint.tokenizer, kept, step=step)
        sound = info.audio if settings.audio else None
        prior = prior_header(checkpoint.sha256, checkpoint.tokenizer.parts) if settings.prior else None
        header = make_header(info, checkpoint, quantizer, audio=sound, prior=prior)
        compared = _Comparison(side_by_side=side_by_side)
        tube_sink = TubeSink(tube, header, info, checkpoint.tokenizer.grids, force=settings.force)
        writer = Writer(
            target,
            width=info.width * (2 if side_by_side else 1),
            height=info.height,
            time_base=info.time_base,
            colour=info.colour,
            sample_aspect=info.sample_aspect,
            audio=sound,
            force=settings.force,
        )
        packets = None if sound is None else (read_audio(info.path), sound.time_base)
        video_sink = VideoSink(writer, packets, time_base=info.time_base)
        began = time.perf_counter()
        # Symbols are coded before they are decoded: prior and decoder at once would take the memory of both.
        with written(tube_sink) as put_symbols, filled(video_sink) as put_frames:
            pieces = frames_to_symbols(compared.remembered(runs), streams.encoder, quantizer)
            coded = _passed_on(pieces, put_symbols)
            for run in symbols_to_frames(coded, streams.decoder, quantizer):
                put_frames(compared.beside_source(run))
                del run  # as in the pipeline
    return Reconstruction(
        tokenizer=checkpoint.name,
        tube=tube_sink.report(),
        psnr_db=compared.psnr.compute(),
        seconds=time.perf_counter() - began,
        source_bytes=source.stat().st_size,
    )


def tube_beside(video: Path) -> Path:
    """Where the ``.tube`` file of a reconstruction goes unless somebody says otherwise."""
    return video.with_name(fitted_name(video.stem, ".tube"))


class Streams(NamedTuple):
    """The way there and the way back of a clip, which share the memory."""

    encoder: StreamEncoder[Latents]
    decoder: StreamDecoder[Latents]

    @classmethod
    def of(
        cls, tokenizer: ContinuousTokenizer, info: VideoInfo, kept: Mapping[str, int], *, memory: int
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
            tokenizer.parts_encoder(channels=kept, memory=left - back),
            tokenizer.parts_decoder(height=info.height, width=info.width, memory=left - there),
        )


def _passed_on(pieces: Iterable[Piece], put: Callable[[Piece], None]) -> Iterator[Piece]:
    """The same pieces, each put somewhere too."""

    def passed_on(piece: Piece) -> Piece:
        put(piece)
        return piece

    return map(passed_on, pieces)


class _Comparison:
    """Keeps the source's frames until their reconstruction comes, and measures the difference."""

    def __init__(self, *, side_by_side: bool) -> None:
        self.psnr = ClipPSNR()
        self._side_by_side = side_by_side
        self._waiting: deque[Frames] = deque()

    def remembered(self, runs: Iterable[Run]) -> Iterator[Run]:
        """The same runs, whose frames are kept until their reconstruction comes."""
        for run in runs:
            self._waiting.append(run.frames)
            yield run
            del run

    def beside_source(self, decoded: Run) -> Run:
        """Compare decoded frames with those expected next; give what is to be written."""
        sources: list[Frames] = []
        missing = len(decoded.frames)
        while missing:
            source = self._waiting.popleft()
            if len(source) > missing:
                self._waiting.appendleft(source[missing:])
                source = source[:missing]
            begin = len(decoded.frames) - missing
            self.psnr.update(source, decoded.frames[begin : begin + len(source)])
            sources.append(source)
            missing -= len(source)
        if not self._side_by_side:
            return decoded
        return replace(decoded, frames=np.concatenate([np.concatenate(sources), decoded.frames], axis=2))
