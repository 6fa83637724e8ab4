"""A video that is going to be a ``.tube`` file: opened, described, and its latents as they come."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from tubelet.bitstream.header import Header, PriorHeader
from tubelet.checkpoint import DEFAULT_OF_FILES, Checkpoint, read_continuous
from tubelet.codec.contrast import ContrastWeights
from tubelet.codec.header import make_header
from tubelet.codec.memory import frames_per_run, left_for_streams
from tubelet.codec.models import prior_header
from tubelet.codec.options import Options
from tubelet.codec.pipeline import Encoded, frames_to_latents
from tubelet.codec.sinks import TubeSink
from tubelet.codec.symbols import LatentQuantizer, kept_channels
from tubelet.files import check_suffix, check_target
from tubelet.given import as_path
from tubelet.threads import ahead
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.video.info import VideoInfo
from tubelet.video.ranges import AnyVideo, open_any, path_of
from tubelet.video.read import OpenVideo, Run

GivenCheckpoint = str | Path | Checkpoint[ContinuousTokenizer] | None
"""A shipped tokenizer, a checkpoint's folder, or a checkpoint; that of files for none."""


class OpenClip(NamedTuple):
    """What of a clip and of its file is known before its first latent, and the latents.

    Attributes:
        info: the video.
        checkpoint: what encodes it.
        kept: how many channels of each part.
        target: the file.
        settings: what the caller wants.
        prior: what may code the symbols.
        latents: of the clip, once.
    """

    info: VideoInfo
    checkpoint: Checkpoint[ContinuousTokenizer]
    kept: Mapping[str, int]
    target: Path
    settings: Options
    prior: PriorHeader | None
    latents: Iterator[Encoded]

    def header(self, quantizer: LatentQuantizer, counts: tuple[int, ...] = ()) -> Header:
        """What the file says of itself; `counts` as `make_header`."""
        audio = self.info.audio if self.settings.audio else None

        return make_header(
            self.info, self.checkpoint, quantizer, audio=audio, counts=counts, prior=self.prior
        )

    def sink(self, quantizer: LatentQuantizer, counts: tuple[int, ...] = ()) -> TubeSink:
        """What writes the file."""
        header, grids = self.header(quantizer, counts), self.checkpoint.tokenizer.grids
        return TubeSink(self.target, header, self.info, grids, force=self.settings.force)


@contextmanager
def open_clip(
    source: AnyVideo,
    target: Path | str,
    *,
    tokenizer: GivenCheckpoint,
    channels: int | None,
    settings: Options,
    contrast: float = 0.0,
) -> Iterator[OpenClip]:
    """Open a video to be encoded into a file that is not written yet; the rest as `encode_file`.

    Args:
        source: the video.
        target: the file.
        tokenizer: encodes it.
        channels: that are kept.
        settings: what the caller wants.
        contrast: by which errors are weighed; 0 for no weights.

    Raises:
        TubeletError: as `encode_file`.
    """
    target = as_path(target, "target")
    with open_any(source) as video, closing(read_ahead(video, settings)) as runs:
        check_suffix(target, (".tube",), "a file of a latent")
        check_target(target, sources=[path_of(source)], force=settings.force)
        info, checkpoint = video.info, as_checkpoint(tokenizer, settings.device)
        kept = kept_channels(checkpoint.tokenizer, channels)
        memory = left_for_streams(settings.memory, checkpoint.tokenizer, info.height, info.width, reads=True)
        encoder = checkpoint.tokenizer.parts_encoder(channels=kept, memory=memory)
        weights = ContrastWeights(checkpoint.tokenizer.grouping, contrast) if contrast else None
        latents = frames_to_latents(runs, encoder, weights)
        found = prior_header(checkpoint.sha256, checkpoint.tokenizer.parts) if settings.prior else None
        yield OpenClip(info, checkpoint, kept, target, settings, found, latents)


def read_ahead(video: OpenVideo, settings: Options) -> Generator[Run]:
    """The runs of an open video, read in a thread while those before are worked on.

    Close it before the video, which that thread reads.
    """
    settings.on_total(video.info.frames)
    size = frames_per_run(video.info.height, video.info.width, settings.memory)
    with closing(ahead(video.runs(run=size))) as runs:
        for run in runs:
            frames = len(run.frames)
            yield run
            del run
            settings.on_frames(frames)


def as_checkpoint(tokenizer: GivenCheckpoint, device: str) -> Checkpoint[ContinuousTokenizer]:
    """Read a checkpoint unless it is one already; that of files for none."""
    if isinstance(tokenizer, Checkpoint):
        return tokenizer
    return read_continuous(DEFAULT_OF_FILES if tokenizer is None else tokenizer, device=device)


def as_tokenizer(tokenizer: ContinuousTokenizer | GivenCheckpoint, *, default: str) -> ContinuousTokenizer:
    """Read a tokenizer for clips in memory unless it is one already; the one called `default` for none."""
    if isinstance(tokenizer, ContinuousTokenizer):
        return tokenizer
    return as_checkpoint(default if tokenizer is None else tokenizer, "cpu").tokenizer
