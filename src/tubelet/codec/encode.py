"""A video file to a ``.tube`` file."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Unpack

from tubelet.checkpoint import Checkpoint, read_continuous
from tubelet.codec.header import make_header
from tubelet.codec.memory import frames_per_run, left_for_streams
from tubelet.codec.options import FileOptions, Options
from tubelet.codec.pipeline import frames_to_symbols
from tubelet.codec.report import TubeReport
from tubelet.codec.sinks import TubeSink, filled
from tubelet.codec.symbols import LatentQuantizer, kept_channels
from tubelet.files import check_suffix, check_target
from tubelet.threads import ahead
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.video.read import OpenVideo, Run, open_video


def encode_file(
    source: Path | str,
    target: Path | str,
    *,
    tokenizer: str | Path | Checkpoint[ContinuousTokenizer] | None = None,
    channels: int | None = None,
    step: float = 1.0,
    **options: Unpack[FileOptions],
) -> TubeReport:
    """Encode a video, an image or an array of frames into a ``.tube`` file.

    Args:
        source: any file that `tubelet.video` reads.
        target: the file to write; it appears when it is whole.
        tokenizer: a shipped tokenizer, a checkpoint's folder, or a checkpoint; the default one for none.
        channels: how many of the ordered channels to store; all by default.
        step: coarseness of the quantiser; 1 is the usual one, 2 halves the levels.
        **options: see `FileOptions`.

    Raises:
        VideoError: the source cannot be read.
        CheckpointError: the tokenizer is unknown or damaged.
        OptionError: `channels`, `step` or `memory` has no meaning for this tokenizer; there is no such device
            here; or `target` is the source, or does not end in ``.tube``.
        LatentError: the latent holds what cannot be stored.
        OutputError: the target exists or cannot be written.
    """
    settings, target = Options(**options), Path(target)
    with open_video(source) as video, closing(read_ahead(video, settings)) as runs:
        check_suffix(target, (".tube",), "a file of a latent")
        check_target(target, sources=[Path(source)], force=settings.force)
        info = video.info
        checkpoint = as_checkpoint(tokenizer, settings.device)
        kept = kept_channels(checkpoint.tokenizer, channels)
        encoder = checkpoint.tokenizer.parts_encoder(
            channels=kept,
            memory=left_for_streams(
                settings.memory, checkpoint.tokenizer, info.height, info.width, reads=True
            ),
        )
        quantizer = LatentQuantizer.of(checkpoint.tokenizer, kept, step=step)
        header = make_header(info, checkpoint, quantizer, audio=info.audio if settings.audio else None)
        sink = TubeSink(target, header, info, checkpoint.tokenizer.grids, force=settings.force)
        with filled(sink) as put:
            for piece in frames_to_symbols(runs, encoder, quantizer):
                put(piece)
    return sink.report()


def read_ahead(video: OpenVideo, settings: Options) -> Generator[Run]:
    """The runs of an open video, read in a thread while those before are worked on.

    Close it before the video, which that thread reads.
    """
    settings.on_total(video.info.frames)
    size = frames_per_run(video.info.height, video.info.width, settings.memory)
    with closing(ahead(video.runs(run=size))) as runs:
        for run in runs:
            yield run
            settings.on_frames(len(run.frames))


def as_checkpoint(
    tokenizer: str | Path | Checkpoint[ContinuousTokenizer] | None, device: str
) -> Checkpoint[ContinuousTokenizer]:
    """Read a checkpoint unless it is one already."""
    return tokenizer if isinstance(tokenizer, Checkpoint) else read_continuous(tokenizer, device=device)
