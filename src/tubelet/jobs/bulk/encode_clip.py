"""One clip of a source to one record of a data set."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int64

from tubelet.codec.plan_budget import Shares
from tubelet.codec.tokens.clip import check_caption
from tubelet.data.shards.record import Record
from tubelet.errors import DamageWarning, LossWarning, ShapeError, VideoError
from tubelet.jobs.bulk.clip_arrays import ClipArrays, backbone_of, clip_arrays
from tubelet.jobs.bulk.clip_frames import ClipFrames, open_clip_frames
from tubelet.jobs.bulk.clip_tube import clip_checkpoint, clip_shares, clip_tube
from tubelet.jobs.bulk.measure import psnr_of
from tubelet.jobs.bulk.plan import PlannedClip
from tubelet.jobs.bulk.settings import AnyCheckpoint, BulkSettings
from tubelet.jobs.identity import Digests, Source, signature_of
from tubelet.jobs.remote import LocalCopies
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
    clip.source.check()
    source = digests.of(clip.source.path)
    path = copies.path(clip.source.path)
    row = clip.source

    def frames() -> AbstractContextManager[ClipFrames]:
        return open_clip_frames(path, row.start, row.end, mirrored=clip.mirrored, settings=settings)

    with sound(clip, source, path) as losses:
        encoding = clip_checkpoint(frames, checkpoint, settings)
        shares = clip_shares(frames, encoding, settings)
        with frames() as opened:
            times = _Times(_most_frames(checkpoint, settings, opened.info))
            made = _made(ClipFrames(opened.info, times.noted(opened.runs)), encoding, settings, shares)
    shown = ShownClip(clip, source, opened.info, times.all(), losses, frames)
    return described(shown, made, checkpoint, settings)


class ShownClip(NamedTuple):
    """What is known of a clip that was read.

    Attributes:
        clip: which.
        source: what it was made from.
        info: what it is.
        timestamps: of its frames.
        losses: sentences that name what it holds and the result does not.
        frames: opens it once more.
    """

    clip: PlannedClip
    source: Source
    info: VideoInfo
    timestamps: Int64[np.ndarray, " T"]
    losses: Sequence[str]
    frames: Callable[[], AbstractContextManager[ClipFrames]]


def described(
    shown: ShownClip, made: ClipArrays, checkpoint: AnyCheckpoint, settings: BulkSettings
) -> EncodedClip:
    """What is stored of a clip, with all that is known of it.

    Args:
        shown: the clip.
        made: what was made of it.
        checkpoint: the tokenizer.
        settings: how.
    """
    info, timestamps = shown.info, shown.timestamps
    rate = settings.rate or constant_rate(timestamps, info)
    facts = _facts(shown.clip, checkpoint, shown.source, info, rate)
    facts |= {"frames": len(timestamps), **made.statistics}
    if shown.losses:
        facts["losses"] = list(shown.losses)
    if settings.measure is not None:
        facts["psnr_db"] = _psnr(shown.frames, checkpoint, settings, made, count=len(timestamps))
    record = Record.of(shown.clip.key, facts, made.arrays, made.about)
    return EncodedClip(record, shown.source, len(timestamps), len(timestamps) * info.height * info.width)


@contextmanager
def sound(clip: PlannedClip, source: Source, path: Path) -> Iterator[list[str]]:
    """Refuse a clip whose caption no file holds, or whose source is damaged, goes away or changes meanwhile.

    Args:
        clip: that is read in the body.
        source: what it was before.
        path: of the file that is read.

    Yields:
        Room for sentences that name what the source holds and the result does not; filled at the end.

    Raises:
        OptionError: the caption is too long, or holds half a character.
        VideoError: the source is or did.
    """
    check_caption(clip.source.caption)
    losses: list[str] = []
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            yield losses
        except FileNotFoundError as error:
            raise VideoError(f"{clip.source.place} vanished while it was read. Encode it again.") from error
    damage = [str(each.message) for each in heard if issubclass(each.category, DamageWarning)]
    if damage:
        # Frames that a decoder patched up look sound, and a network would learn them.
        raise VideoError(damage[0])
    if (found := signature_of(clip.source.path)) != source.signature:
        what = "vanished" if found is None else "changed"
        raise VideoError(f"{clip.source.place} {what} while it was read. Encode it again.")
    said = [str(each.message) for each in heard if issubclass(each.category, LossWarning)]
    losses.extend(dict.fromkeys(text.removeprefix(f"{path}: ").removesuffix(".") for text in said))


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
    backbone = backbone_of(checkpoint.tokenizer)
    numbers = sum(part.channels * prod(backbone.grids[part.name].ratio) for part in backbone.parts)
    return (
        LARGEST_LATENT
        * backbone.stride.t
        // (numbers * prod(backbone.grouping.cells(info.height, info.width)))
    )


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
    frames: Callable[[], AbstractContextManager[ClipFrames]],
    checkpoint: AnyCheckpoint,
    settings: BulkSettings,
    made: ClipArrays,
    *,
    count: int,
) -> float | None:
    """The PSNR of a clip in dB, its frames read once more; none where no level differs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with frames() as opened:
            found = psnr_of(
                made.arrays,
                made.about,
                checkpoint.tokenizer,
                opened.info,
                opened.runs,
                frames=count,
                memory=settings.memory // 2,
            )
    return round(found, 4) if math.isfinite(found) else None


def _made(
    clip: ClipFrames, checkpoint: AnyCheckpoint, settings: BulkSettings, shares: Shares | None
) -> ClipArrays:
    """What is stored of a clip."""
    if settings.format == "tube":
        return clip_tube(clip, checkpoint, settings, shares)
    return clip_arrays(clip, checkpoint.tokenizer, settings)
