"""Long videos cut into ranges: several processes encode one, and clips are as long as training wants."""

import math
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from tubelet.errors import OptionError, TubeletError, TubeletWarning, VideoError
from tubelet.jobs.bulk.clip_frames import open_clip_frames
from tubelet.jobs.bulk.settings import BulkSettings
from tubelet.jobs.remote import LocalCopies
from tubelet.jobs.rows import Row
from tubelet.video.info import USUAL_RATE
from tubelet.video.packet_times import packet_times
from tubelet.video.probe import probe
from tubelet.video.read import read

LONGEST = 1e6
"""Seconds of a range at most."""

_READERS = 8

_ROUNDING = 0.02
"""Seconds by which a frame may begin before its range, or before that ends: half a tick of a slow clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How videos are cut.

    Attributes:
        seconds: of a range; the last one of a video may be shorter.
        overlap: seconds that a range shares with the one before it.

    Raises:
        OptionError: a number has no meaning.
    """

    seconds: float
    overlap: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.overlap < self.seconds <= LONGEST):
            raise OptionError(
                f"ranges have {self.seconds:g} s and share {self.overlap:g} s; they have more than they "
                f"share, and at most {LONGEST:g} s."
            )

    def ranges(self, begin: float, end: float) -> list[tuple[float, float]]:
        """The ranges of a stretch of time; all of it is in one of them.

        Args:
            begin: seconds.
            end: seconds.
        """
        step = self.seconds - self.overlap
        # What lies in the range before already is none of its own.
        count = max(1, math.ceil((end - begin - self.overlap) / step - 1e-9))
        # Multiples, because sums of steps would drift away from the frames.
        return [
            (round(begin + number * step, 6), round(min(end, begin + number * step + self.seconds), 6))
            for number in range(count)
        ]


def split_rows(rows: Sequence[Row], split: Split, settings: BulkSettings | None = None) -> list[Row]:
    """Cut the clips that are longer than a range; each video is opened once, to see how long it is.

    A video that cannot be opened stays as it is: encoding it says why. A range that lies within a pause of a
    variable frame rate, in which no frame begins, is left out, unless frames get a rate of their own.

    Args:
        rows: clips.
        split: how.
        settings: how they are read; at a rate of its own a frame is in all ranges in which it is on show.

    Warns:
        TubeletWarning: how many ranges are left out.
    """
    settings = settings or BulkSettings()
    paths = sorted({row.path for row in rows})
    with ThreadPoolExecutor(_READERS) as pool:
        looks = pool.map(partial(_looked, split=split, settings=settings), paths)
        seen = dict(zip(paths, looks, strict=True))
    found: list[Row] = []
    pauses: list[Row] = []
    for row in rows:
        ranges = _ranges(row, seen[row.path], split, settings)
        empty = _in_pauses(ranges, seen[row.path].begins, settings)
        pauses += empty
        left_out = set(empty)
        found.extend(each for each in ranges if each not in left_out)
    if pauses:
        first = pauses[0].shown
        warnings.warn(
            f"{len(pauses)} ranges lie within pauses, in which no frame begins, and are left out; the first "
            f"is {first}. A frame rate of its own (--fps) shows there what is on show.",
            TubeletWarning,
            stacklevel=2,
        )
    return found


class _Look(NamedTuple):
    """What is seen of a video before it is cut.

    Attributes:
        seconds: how long it is; none if it cannot be opened.
        begins: when its frames begin, in seconds after the first, about; nothing where that does not count,
            or is not known.
    """

    seconds: float | None
    begins: Float64[np.ndarray, " frames"]


def _looked(path: str, *, split: Split, settings: BulkSettings) -> _Look:
    """Look at a video."""
    nothing = np.zeros(0)
    try:
        with LocalCopies() as copies:
            file = copies.path(path)
            seconds = _length(file)
            cut = seconds > split.seconds and settings.rate is None
            return _Look(seconds, packet_times(file) if cut else nothing)
    except (TubeletError, OSError):
        return _Look(None, nothing)


def _ranges(row: Row, look: _Look, split: Split, settings: BulkSettings) -> list[Row]:
    """The ranges of a clip; the clip itself where it is no longer than one."""
    length = look.seconds
    begin = row.start or 0.0
    end = length if row.end is None else row.end if length is None else min(row.end, length)
    if end is None or end - begin <= split.seconds:
        return [row]
    ranges = split.ranges(begin, end)
    # A file may claim to be longer than its frames are, as where its sound goes on.
    while len(ranges) > 1 and not _has_frames(row.path, ranges[-1][0], None, settings):
        ranges.pop()
    # The last range goes to the end, however exactly that is known.
    ends = [*(end for _, end in ranges[:-1]), row.end]
    return [row._replace(start=begin or None, end=end) for (begin, _), end in zip(ranges, ends, strict=True)]


def _in_pauses(
    ranges: Sequence[Row], begins: Float64[np.ndarray, " frames"], settings: BulkSettings
) -> list[Row]:
    """Those of several ranges in which no frame begins; none if that is so in all, for encoding says why."""
    if len(ranges) < 2 or not len(begins):
        return []

    def packets(each: Row, margin: float) -> int:
        """How many packets are of frames that begin in a range that is wider by so many seconds each way."""
        borders = ((each.start or 0.0) - margin, (each.end or math.inf) + margin)
        first, after = np.searchsorted(begins, borders)
        return max(0, int(after - first))

    def holds_frames(start: float | None, end: float | None) -> bool:
        return _has_frames(ranges[0].path, start, end, settings)

    def is_empty(each: Row) -> bool | None:
        """Whether a range seems to hold no frame; none where a packet at its border may be of either side."""
        if packets(each, -_ROUNDING):
            return False
        return None if packets(each, _ROUNDING) else True

    empty: list[Row] = []
    for seems_empty, several in groupby(ranges, is_empty):
        stretch = list(several)
        # A packet is no frame: what is left out is looked at, a pause as a whole.
        if seems_empty and not holds_frames(stretch[0].start, stretch[-1].end):
            empty += stretch
        elif seems_empty is not False:
            empty += [each for each in stretch if not holds_frames(each.start, each.end)]
    return [] if len(empty) == len(ranges) else empty


def _has_frames(path: str, start: float | None, end: float | None, settings: BulkSettings) -> bool:
    """Whether a range of a video holds a frame."""
    try:
        with (
            LocalCopies() as copies,
            open_clip_frames(copies.path(path), start, end, mirrored=False, settings=settings) as clip,
        ):
            return next(iter(clip.runs), None) is not None
    except VideoError:
        return False


def _length(path: Path) -> float:
    """How long a video is, in seconds: as it claims, or as its frames are."""
    info = probe(path)
    rate = float(info.average_rate or USUAL_RATE)
    if info.duration_seconds:
        return info.duration_seconds
    if info.frames:
        return info.frames / rate
    ticks = [int(tick) for run in read(path) for tick in (run.timestamps[0], run.timestamps[-1])]
    return float((ticks[-1] - ticks[0]) * info.time_base) + 1 / rate
