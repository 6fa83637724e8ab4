"""One clip of a source to one record of a data set."""

import math
import tempfile
import warnings
from collections.abc import Iterator
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from tubelet.checkpoint import Checkpoint
from tubelet.codec.header import make_header, make_token_header
from tubelet.codec.memory import left_for_streams
from tubelet.codec.pipeline import frames_to_latents, frames_to_symbols, latents_to_symbols
from tubelet.codec.sinks import TubeSink, written
from tubelet.codec.symbols import LatentQuantizer, TokenQuantizer, kept_channels, only
from tubelet.data.shards.numbers import to_stored
from tubelet.data.shards.record import Record, array_to_bytes
from tubelet.data.shards.statistics import moments_of
from tubelet.errors import DamageWarning, ShapeError, VideoError
from tubelet.jobs.bulk.clip_frames import ClipFrames, open_clip_frames
from tubelet.jobs.bulk.measure import psnr_of
from tubelet.jobs.bulk.plan import PlannedClip
from tubelet.jobs.bulk.settings import AnyCheckpoint, BulkSettings
from tubelet.jobs.identity import Digests, Source, signature_of
from tubelet.jobs.remote import LocalCopies
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.packing import packed_kind
from tubelet.tokenizers.posterior import Posterior
from tubelet.video.info import VideoInfo
from tubelet.video.rate import constant_rate
from tubelet.video.read import Run

LARGEST_LATENT = 1 << 28
"""Numbers of a latent, or digits of tokens, that are held in memory."""


class EncodedClip(NamedTuple):
    """A clip that is done.

    Attributes:
        record: what is stored.
        source: what it was made from.
        frames: how many it has.
        pixels: of all of them.
    """

    record: Record
    source: Source
    frames: int
    pixels: int


class _Arrays(NamedTuple):
    """What an encoder made of a clip: bytes by suffix, further facts of each, and moments of the latents."""

    arrays: dict[str, bytes]
    about: dict[str, dict[str, Any]]
    statistics: dict[str, Any]


def encode_clip(
    clip: PlannedClip,
    checkpoint: AnyCheckpoint,
    settings: BulkSettings,
    digests: Digests,
    copies: LocalCopies,
) -> EncodedClip:
    """Encode a clip; memory holds its latent, or the digits of its tokens.

    Args:
        clip: which.
        checkpoint: the tokenizer.
        settings: how.
        digests: of sources.
        copies: of sources that lie elsewhere.

    Raises:
        TubeletError: it cannot be read, is damaged, changed while it was read, or is too large.
    """
    source = digests.of(clip.source.path)
    path = copies.path(clip.source.path)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with open_clip_frames(
            path, clip.source.start, clip.source.end, mirrored=clip.mirrored, settings=settings
        ) as opened:
            times = _Times(_most_frames(checkpoint, settings, opened.info))
            made = _made(ClipFrames(opened.info, times.noted(opened.runs)), checkpoint, settings)
    damage = [str(each.message) for each in heard if issubclass(each.category, DamageWarning)]
    if damage:
        # Frames that a decoder patched up look sound, and a network would learn them.
        raise VideoError(damage[0])
    if signature_of(clip.source.path) != source.signature:
        raise VideoError(f"{clip.source.place} changed while it was read. Encode it again.")
    info, timestamps = opened.info, times.all()
    facts = _facts(clip, checkpoint, source, info, settings.rate or constant_rate(timestamps, info))
    facts |= {"frames": len(timestamps), **made.statistics}
    if settings.measure is not None:
        facts["psnr_db"] = _psnr(clip, path, checkpoint, settings, made, frames=len(timestamps))
    record = Record.of(clip.key, facts, made.arrays, made.about)
    return EncodedClip(record, source, len(timestamps), len(timestamps) * info.height * info.width)


class _Times:
    """The timestamps of frames that pass.

    Args:
        most: frames that a clip may have.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._noted: list[Int64[np.ndarray, " T"]] = []

    def noted(self, runs: Iterator[Run]) -> Iterator[Run]:
        """The same runs.

        Raises:
            ShapeError: they are too many.
        """
        frames = 0
        for run in runs:
            frames += len(run.frames)
            if frames > self._most:
                raise ShapeError(
                    f"the clip has over {self._most} frames, and its latent is held in memory. Cut it into "
                    "ranges."
                )
            self._noted.append(run.timestamps)
            yield run
            del run

    def all(self) -> Int64[np.ndarray, " T"]:
        """Those of all frames."""
        return np.concatenate(self._noted)


def _most_frames(checkpoint: AnyCheckpoint, settings: BulkSettings, info: VideoInfo) -> int:
    """How many frames a clip of this size may have."""
    if settings.format == "tube":
        return 1 << 40
    backbone = _backbone(checkpoint)
    numbers = sum(part.channels * prod(backbone.grids[part.name].ratio) for part in backbone.parts)
    return (
        LARGEST_LATENT
        * backbone.stride.t
        // (numbers * prod(backbone.grouping.cells(info.height, info.width)))
    )


def _backbone(checkpoint: AnyCheckpoint) -> ContinuousTokenizer:
    """What encodes."""
    tokenizer = checkpoint.tokenizer
    return tokenizer.backbone if isinstance(tokenizer, DiscreteTokenizer) else tokenizer


def _facts(
    clip: PlannedClip, checkpoint: AnyCheckpoint, source: Source, info: VideoInfo, rate: Fraction | None
) -> dict[str, Any]:
    """What is known of a clip before it is encoded."""
    return {
        "source": clip.source.name,
        "source_sha256": source.sha256,
        "start": clip.source.start,
        "end": clip.source.end,
        "mirrored": clip.mirrored,
        "caption": clip.source.caption,
        "fps": None if rate is None else str(rate),
        "height": info.height,
        "width": info.width,
        "tokenizer": checkpoint.name,
        "tokenizer_sha256": checkpoint.sha256,
        "stride": str(checkpoint.tokenizer.stride),
        "lead_frame": checkpoint.tokenizer.lead_frame,
    }


def _psnr(
    clip: PlannedClip,
    path: Path,
    checkpoint: AnyCheckpoint,
    settings: BulkSettings,
    made: _Arrays,
    *,
    frames: int,
) -> float | None:
    """The PSNR of a clip in dB, its frames read once more; none where no level differs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        row = clip.source
        with open_clip_frames(path, row.start, row.end, mirrored=clip.mirrored, settings=settings) as opened:
            found = psnr_of(
                made.arrays,
                made.about,
                checkpoint.tokenizer,
                opened.info,
                opened.runs,
                frames=frames,
                memory=settings.memory // 2,
            )
    return round(found, 4) if math.isfinite(found) else None


def _made(clip: ClipFrames, checkpoint: AnyCheckpoint, settings: BulkSettings) -> _Arrays:
    """What is stored of a clip."""
    tokenizer = checkpoint.tokenizer
    memory = left_for_streams(
        settings.memory, _backbone(checkpoint), clip.info.height, clip.info.width, reads=True
    )
    if settings.format == "tube":
        return _tube(clip, checkpoint, settings, memory)
    if isinstance(tokenizer, DiscreteTokenizer):
        return _tokens(clip, tokenizer, memory)
    if tokenizer.variational:
        return _distribution(clip, tokenizer, settings, memory)
    kept = kept_channels(tokenizer, settings.channels)
    encoder = tokenizer.parts_encoder(channels=kept, memory=memory)
    pieces = [piece.latents for piece in frames_to_latents(clip.runs, encoder)]
    latents = {
        name: torch.cat([piece[name] for piece in pieces if piece[name].shape[2]], dim=2) for name in kept
    }
    return _stored(latents, settings)


def _stored(latents: dict[str, Tensor], settings: BulkSettings) -> _Arrays:
    """Latents, ``1 c t h w`` each, as arrays of one clip."""
    arrays, about, moments = {}, {}, {}
    for name, latent in latents.items():
        values = latent[0].to("cpu", torch.float32)
        stored = to_stored(values, settings.dtype)
        arrays[f"{name}.npy"] = array_to_bytes(stored.array)
        about[f"{name}.npy"] = stored.about | {"shape": list(stored.array.shape)}
        moments[f"{name}.npy"] = moments_of(values)
    return _Arrays(arrays, about, {"statistics": moments})


def _distribution(
    clip: ClipFrames, tokenizer: ContinuousTokenizer, settings: BulkSettings, memory: int
) -> _Arrays:
    """The mean and the log-variance of a variational encoder, so that training still samples."""
    encoder = tokenizer.stream_posterior(memory=memory)
    pieces = [encoder.push_frames(run.frames) for run in clip.runs]
    whole = Posterior.joined([*pieces, encoder.finish()])
    kept = tokenizer.check_channels(settings.channels)
    (part,) = tokenizer.parts
    return _stored({part.name: whole.mean[:, :kept], "log_variance": whole.log_variance[:, :kept]}, settings)


def _tokens(clip: ClipFrames, tokenizer: DiscreteTokenizer, memory: int) -> _Arrays:
    """Digits of tokens, ``d t h w``, in the smallest type that holds them."""
    encoder = tokenizer.backbone.parts_encoder(memory=memory)
    pieces = frames_to_symbols(clip.runs, encoder, TokenQuantizer(tokenizer=tokenizer))
    digits = np.concatenate([only(piece.symbols) for piece in pieces], axis=1)
    kind = packed_kind(max(base for token in tokenizer.bases for base in token))
    about = {"tokens.npy": {"shape": list(digits.shape)}}
    return _Arrays({"tokens.npy": array_to_bytes(digits.astype(kind))}, about, {})


def _tube(clip: ClipFrames, checkpoint: AnyCheckpoint, settings: BulkSettings, memory: int) -> _Arrays:
    """A ``.tube`` file, without sound and without a learned prior."""
    tokenizer, info = checkpoint.tokenizer, clip.info
    if isinstance(tokenizer, DiscreteTokenizer):
        same = Checkpoint(name=checkpoint.name, tokenizer=tokenizer, sha256=checkpoint.sha256)
        header = make_token_header(info, same, audio=None)
        encoder = tokenizer.backbone.parts_encoder(memory=memory)
        pieces = frames_to_symbols(clip.runs, encoder, TokenQuantizer(tokenizer=tokenizer))
    else:
        same = Checkpoint(name=checkpoint.name, tokenizer=tokenizer, sha256=checkpoint.sha256)
        kept = kept_channels(tokenizer, settings.channels)
        quantizer = LatentQuantizer.of(tokenizer, kept, step=settings.step)
        header = make_header(info, same, quantizer, audio=None)
        encoder = tokenizer.parts_encoder(channels=kept, memory=memory)
        pieces = latents_to_symbols(frames_to_latents(clip.runs, encoder), quantizer)
    with tempfile.TemporaryDirectory(prefix="tubelet-") as folder:
        target = Path(folder) / "clip.tube"
        sink = TubeSink(target, header, info, _backbone(checkpoint).grids, force=False)
        with written(sink) as put:
            for piece in pieces:
                put(piece)
        return _Arrays({"tube": target.read_bytes()}, {}, {})
