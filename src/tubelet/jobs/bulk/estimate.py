"""How many shards a data set gets: from a look at a few of its clips, chosen by content."""

from collections.abc import Sequence
from contextlib import suppress
from math import prod

from tubelet.codec.budget import Bitrate, BitsPerPixel, MeanChannels
from tubelet.codec.symbols import kept_channels
from tubelet.data.shards.description import MOST_SHARDS
from tubelet.data.shards.numbers import BYTES
from tubelet.errors import TubeletError
from tubelet.jobs.bulk.plan import PlannedClip
from tubelet.jobs.bulk.settings import AnyCheckpoint, BulkSettings
from tubelet.jobs.remote import LocalCopies
from tubelet.jobs.rows import Row
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.packing import packed_kind
from tubelet.video.info import USUAL_RATE, VideoInfo
from tubelet.video.probe import probe
from tubelet.video.resize import shrunk_size

_LOOKED_AT = 16
"""Clips that are opened."""

_FACTS_BYTES = 2500
"""Bytes of the facts of a clip and of the heads of its members, roughly."""

_SYMBOL_BYTES = 0.25
"""Bytes of a symbol in a ``.tube`` file, roughly."""


def shards_for(
    clips: Sequence[PlannedClip], checkpoint: AnyCheckpoint, settings: BulkSettings, *, shard_bytes: int
) -> int:
    """How many shards of about so many bytes the clips need; at least one.

    Args:
        clips: in the order of their keys, so that the first ones are any.
        checkpoint: the tokenizer.
        settings: how they are encoded.
        shard_bytes: of a shard.
    """
    sizes = []
    with LocalCopies() as copies:
        for clip in clips[:_LOOKED_AT]:
            with suppress(TubeletError):
                info = probe(copies.path(clip.source.path))
                sizes.append(_bytes_of(clip.source, info, checkpoint, settings))
    if not sizes:
        return 1
    return max(1, min(MOST_SHARDS, round(sum(sizes) / len(sizes) * len(clips) / shard_bytes)))


def _bytes_of(row: Row, info: VideoInfo, checkpoint: AnyCheckpoint, settings: BulkSettings) -> float:
    """About how many bytes a clip takes."""
    tokenizer = checkpoint.tokenizer
    rate = float(info.average_rate or USUAL_RATE)
    seconds = info.duration_seconds or (info.frames or 1) / rate
    span = max(0.0, min(seconds, seconds if row.end is None else row.end) - (row.start or 0.0))
    frames = max(1, round(span * float(settings.rate or rate)))
    side = settings.short_side
    size = (info.height, info.width) if side is None else shrunk_size(info.height, info.width, side)
    if isinstance(tokenizer, DiscreteTokenizer):
        steps, rows, columns = tokenizer.backbone.grouping.grid(frames, *size)
        digits = [base for token in tokenizer.bases for base in token]
        numbers, each = len(digits), packed_kind(max(digits)).itemsize
    else:
        steps, rows, columns = tokenizer.grouping.grid(frames, *size)
        numbers, each = sum(kept_channels(tokenizer, settings.channels).values()), BYTES[settings.dtype]
        each *= 2 if tokenizer.variational else 1
    each = _SYMBOL_BYTES if settings.format == "tube" else each
    match settings.budget:
        case MeanChannels(channels=channels):
            # And a byte for how many channels a position has.
            content = steps * rows * columns * (min(numbers, channels) * each + 1)
        case BitsPerPixel(bits=bits):
            content = bits * frames * prod(size) / 8
        case Bitrate(bits_per_second=bits):
            content = bits * span / 8
        case _:
            content = steps * rows * columns * numbers * each
    return float(_FACTS_BYTES + content)
