"""One clip of a data set as a ``.tube`` file, without sound and without a learned prior."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tubelet.checkpoint import Checkpoint
from tubelet.codec.contrast import ContrastWeights
from tubelet.codec.encode_within import encode_within, first_pass
from tubelet.codec.header import make_token_header
from tubelet.codec.memory import left_for_streams
from tubelet.codec.open_clip import OpenClip
from tubelet.codec.options import Options
from tubelet.codec.pipeline import frames_to_latents, frames_to_symbols, latents_to_symbols
from tubelet.codec.plan_budget import Shares
from tubelet.codec.priced import priced_checkpoint
from tubelet.codec.sinks import TubeSink, written
from tubelet.codec.symbols import LatentQuantizer, TokenQuantizer, kept_channels
from tubelet.jobs.bulk.clip_arrays import ClipArrays, backbone_of
from tubelet.jobs.bulk.clip_frames import ClipFrames
from tubelet.jobs.bulk.settings import AnyCheckpoint, BulkSettings
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer


def clip_checkpoint(
    frames: Callable[[], AbstractContextManager[ClipFrames]],
    checkpoint: AnyCheckpoint,
    settings: BulkSettings,
) -> AnyCheckpoint:
    """The tokenizer as it encodes a clip for the budget; arguments as for `clip_shares`."""
    tokenizer = checkpoint.tokenizer
    if settings.format != "tube" or isinstance(tokenizer, DiscreteTokenizer):
        return checkpoint

    @contextmanager
    def opened() -> Iterator[OpenClip]:
        with frames() as clip:
            yield _opened(clip, checkpoint, tokenizer, settings, Path())

    same = Checkpoint(name=checkpoint.name, tokenizer=tokenizer, sha256=checkpoint.sha256)
    return priced_checkpoint(same, settings.budget, opened, channels=settings.channels)


def clip_shares(
    frames: Callable[[], AbstractContextManager[ClipFrames]],
    checkpoint: AnyCheckpoint,
    settings: BulkSettings,
) -> Shares | None:
    """What each chunk of a clip takes at one price for all; none where nothing is shared out in two passes.

    Args:
        frames: opens the clip.
        checkpoint: the tokenizer.
        settings: how.
    """
    tokenizer = checkpoint.tokenizer
    if not settings.two_pass or settings.budget is None or isinstance(tokenizer, DiscreteTokenizer):
        return None
    with frames() as clip:
        opened = _opened(clip, checkpoint, tokenizer, settings, Path())
        return first_pass(opened, settings.budget, channels=settings.channels, step=settings.step)


def clip_tube(
    clip: ClipFrames, checkpoint: AnyCheckpoint, settings: BulkSettings, shares: Shares | None
) -> ClipArrays:
    """Encode a clip, chunk by chunk.

    Args:
        clip: is read once.
        checkpoint: the tokenizer.
        settings: how.
        shares: what `clip_shares` found.

    Raises:
        LatentError: the latent holds what cannot be stored.
        OptionError: even nothing takes more than the budget.
    """
    with tempfile.TemporaryDirectory(prefix="tubelet-") as folder:
        target = Path(folder) / "clip.tube"
        if isinstance(checkpoint.tokenizer, DiscreteTokenizer):
            _write_tokens(clip, checkpoint, checkpoint.tokenizer, settings, target)
        else:
            opened = _opened(clip, checkpoint, checkpoint.tokenizer, settings, target)
            _write_latent(opened, settings, shares)
        return ClipArrays({"tube": target.read_bytes()}, {}, {})


def _opened(
    clip: ClipFrames,
    checkpoint: AnyCheckpoint,
    tokenizer: ContinuousTokenizer,
    settings: BulkSettings,
    target: Path,
) -> OpenClip:
    """A clip that is going to be a file."""
    same = Checkpoint(name=checkpoint.name, tokenizer=tokenizer, sha256=checkpoint.sha256)
    kept = kept_channels(tokenizer, settings.channels)
    memory = left_for_streams(settings.memory, tokenizer, clip.info.height, clip.info.width, reads=True)
    contrast = settings.weighed_by
    weights = ContrastWeights(tokenizer.grouping, contrast) if contrast else None
    latents = frames_to_latents(clip.runs, tokenizer.parts_encoder(channels=kept, memory=memory), weights)
    return OpenClip(clip.info, same, kept, target, Options(audio=False), None, latents)


def _write_latent(clip: OpenClip, settings: BulkSettings, shares: Shares | None) -> None:
    """A latent, within a budget if there is one."""
    if settings.budget is not None:
        encode_within(clip, settings.budget, channels=settings.channels, step=settings.step, shares=shares)
        return
    quantizer = LatentQuantizer.of(clip.checkpoint.tokenizer, clip.kept, step=settings.step)
    with written(clip.sink(quantizer)) as put:
        for piece in latents_to_symbols(clip.latents, quantizer):
            put(piece)


def _write_tokens(
    clip: ClipFrames,
    checkpoint: AnyCheckpoint,
    tokenizer: DiscreteTokenizer,
    settings: BulkSettings,
    target: Path,
) -> None:
    """Tokens, which need all their digits."""
    same = Checkpoint(name=checkpoint.name, tokenizer=tokenizer, sha256=checkpoint.sha256)
    backbone = backbone_of(tokenizer)
    memory = left_for_streams(settings.memory, backbone, clip.info.height, clip.info.width, reads=True)
    header = make_token_header(clip.info, same, audio=None)
    encoder = backbone.parts_encoder(memory=memory)
    sink = TubeSink(target, header, clip.info, backbone.grids, force=False)
    with written(sink) as put:
        for piece in frames_to_symbols(clip.runs, encoder, TokenQuantizer(tokenizer=tokenizer)):
            put(piece)
