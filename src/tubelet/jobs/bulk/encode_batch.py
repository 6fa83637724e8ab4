"""Several clips at once: those of one shape go through the networks together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, zip_longest
from typing import TypeVar

import numpy as np

from tubelet.codec.memory import left_for_streams
from tubelet.jobs.bulk.clip_arrays import Given, arrays_of, backbone_of, encoder_of
from tubelet.jobs.bulk.clip_frames import ClipFrames, open_clip_frames
from tubelet.jobs.bulk.encode_clip import EncodedClip, ShownClip, described, encode_clip, sound
from tubelet.jobs.bulk.plan import PlannedClip
from tubelet.jobs.bulk.settings import AnyCheckpoint, BulkSettings
from tubelet.jobs.failures import FAILURES
from tubelet.jobs.identity import Digests, Source
from tubelet.jobs.remote import LocalCopies
from tubelet.tokenizers.posterior import Posterior
from tubelet.types import Frames
from tubelet.video.info import VideoInfo
from tubelet.video.read import Run

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class HeldClip:
    """A clip whose frames are in memory.

    Attributes:
        clip: which.
        source: what it was made from.
        info: what it is.
        run: all of its frames.
        losses: sentences that name what it holds and the result does not.
    """

    clip: PlannedClip
    source: Source
    info: VideoInfo
    run: Run
    losses: Sequence[str]

    @property
    def frames(self) -> Frames:
        """Its frames."""
        return self.run.frames

    @contextmanager
    def opened(self) -> Iterator[ClipFrames]:
        """It, to be read from memory."""
        yield ClipFrames(self.info, iter([self.run]))


def encode_clips(
    clips: Sequence[PlannedClip],
    checkpoint: AnyCheckpoint,
    settings: BulkSettings,
    digests: Digests,
    copies: LocalCopies,
) -> Iterator[tuple[int, EncodedClip | Exception]]:
    """Encode clips, those of one shape together; memory holds their frames and latents.

    Networks always see as many clips as `settings.batch` says, each in the row that `row_of` says; rows that
    are left get one of the others. So a clip's numbers are the same whatever it is encoded with, bit for bit.
    A clip too long to be held goes through them by itself.

    Args:
        clips: at most `settings.batch`.
        checkpoint: the tokenizer.
        settings: how.
        digests: of sources.
        copies: of sources that lie elsewhere.

    Yields:
        The place of each clip, and what became of it, as soon as that is known, so that it can be kept
        whatever comes of the others: a record, or the error that it failed of.
    """
    tried = partial(_tried, copies)
    alone = partial(encode_clip, checkpoint=checkpoint, settings=settings, digests=digests, copies=copies)
    if settings.batch == 1:
        for place, clip in enumerate(clips):
            yield place, tried(partial(alone, clip))
        return
    groups: dict[tuple[int, ...], list[dict[int, tuple[int, HeldClip]]]] = {}
    for place, clip in enumerate(clips):
        held = tried(partial(_held, clip, settings, digests, copies))
        if isinstance(held, HeldClip):
            row, alike = row_of(clip.key, settings.batch), groups.setdefault(held.frames.shape, [])
            free = next((group for group in alike if row not in group), None)
            if free is None:
                alike.append(free := {})
            free[row] = place, held
        else:
            yield place, tried(partial(alone, clip)) if held is None else held
    for group in chain.from_iterable(groups.values()):
        rows = {row: held for row, (_, held) in group.items()}
        done = tried(partial(_encoded, rows, checkpoint, settings))
        for row, (place, held) in group.items():
            failed = isinstance(done, Exception)
            yield place, done if failed else tried(partial(_stored, held, done, row, checkpoint, settings))


def row_of(key: str, batch: int) -> int:
    """In which row of a batch a clip stands: on that, kernels may depend in the last bit.

    Args:
        key: of the clip, hexadecimal.
        batch: rows.
    """
    return int(key, 16) % batch


def batches_of(keys: Sequence[str], batch: int) -> Iterator[list[int]]:
    """Which clips are encoded together, about in their order: in no batch two stand in one row.

    Args:
        keys: of the clips.
        batch: rows.

    Yields:
        Indices of the clips of a batch.
    """
    waiting: list[list[int]] = [[] for _ in range(batch)]
    for number, key in enumerate(keys):
        waiting[row_of(key, batch)].append(number)
    for several in zip_longest(*waiting):
        yield sorted(number for number in several if number is not None)


def _tried(copies: LocalCopies, work: Callable[[], Result]) -> Result | Exception:
    """What comes of it, or the error that one clip may fail of."""
    try:
        with copies.naming():
            return work()
    except FAILURES as error:
        return error


def _held(
    clip: PlannedClip, settings: BulkSettings, digests: Digests, copies: LocalCopies
) -> HeldClip | None:
    """Read a clip; none if it takes more than its share of half the memory."""
    clip.source.check()
    source, row = digests.of(clip.source.path), clip.source
    path, left = copies.path(clip.source.path), settings.memory // (2 * settings.batch)
    runs: list[Run] = []
    with (
        sound(clip, source, path) as losses,
        open_clip_frames(path, row.start, row.end, mirrored=clip.mirrored, settings=settings) as opened,
    ):
        for run in opened.runs:
            left -= run.frames.nbytes
            if left < 0:
                return None
            runs.append(run)
    whole = Run(
        frames=np.concatenate([run.frames for run in runs]),
        timestamps=np.concatenate([run.timestamps for run in runs]),
        end=runs[-1].end,
    )
    return HeldClip(clip, source, opened.info, whole, losses)


def _encoded(rows: Mapping[int, HeldClip], checkpoint: AnyCheckpoint, settings: BulkSettings) -> list[Given]:
    """What the encoder gives of clips of one shape, some steps after the others."""
    any_clip = next(iter(rows.values()))
    backbone, size = backbone_of(checkpoint.tokenizer), any_clip.frames.shape[1:3]
    left = left_for_streams(settings.memory // 2, backbone, *size)
    encoder = encoder_of(checkpoint.tokenizer, settings, left // settings.batch)
    filled = [rows.get(row, any_clip).frames for row in range(settings.batch)]
    pieces: list[Given] = []
    for begin in range(0, len(filled[0]), backbone.stride.t):
        frames = np.stack([clip[begin : begin + backbone.stride.t] for clip in filled])
        pieces.append(encoder.push_clips(frames))
    return [*pieces, encoder.finish()]


def _stored(
    held: HeldClip, pieces: Sequence[Given], row: int, checkpoint: AnyCheckpoint, settings: BulkSettings
) -> EncodedClip:
    """What is stored of one of the clips."""
    made = arrays_of((_row(piece, row) for piece in pieces), checkpoint.tokenizer, settings)
    shown = ShownClip(held.clip, held.source, held.info, held.run.timestamps, held.losses, held.opened)
    return described(shown, made, checkpoint, settings)


def _row(piece: Given, row: int) -> Given:
    """One of several clips."""
    one = slice(row, row + 1)
    if isinstance(piece, Posterior):
        return Posterior(mean=piece.mean[one], log_variance=piece.log_variance[one])
    return {name: latent[one] for name, latent in piece.items()}
