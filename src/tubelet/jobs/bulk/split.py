"""Long videos cut into ranges: several processes encode one, and clips are as long as training wants."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tubelet.errors import OptionError, TubeletError, VideoError
from tubelet.jobs.bulk.clip_frames import open_clip_frames
from tubelet.jobs.bulk.settings import BulkSettings
from tubelet.jobs.remote import LocalCopies
from tubelet.jobs.rows import Row
from tubelet.video.info import USUAL_RATE
from tubelet.video.probe import probe
from tubelet.video.read import read

LONGEST = 1e6
"""Seconds of a range at most."""

_READERS = 8


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

    A video that cannot be opened stays as it is: encoding it says why.

    Args:
        rows: clips.
        split: how.
        settings: how they are read; at a rate of its own a frame is in all ranges in which it is on show.
    """
    paths = sorted({row.path for row in rows})
    with ThreadPoolExecutor(_READERS) as pool:
        lengths = dict(zip(paths, pool.map(_seconds, paths), strict=True))
    found: list[Row] = []
    for row in rows:
        length = lengths[row.path]
        begin = row.start or 0.0
        end = length if row.end is None else row.end if length is None else min(row.end, length)
        if end is None or end - begin <= split.seconds:
            found.append(row)
            continue
        ranges = split.ranges(begin, end)
        # A file may claim to be longer than its frames are, as where its sound goes on.
        while len(ranges) > 1 and not _has_frames(row.path, ranges[-1][0], settings or BulkSettings()):
            ranges.pop()
        # The last range goes to the end, however exactly that is known.
        ends = [*(end for _, end in ranges[:-1]), row.end]
        found.extend(
            row._replace(start=begin or None, end=end) for (begin, _), end in zip(ranges, ends, strict=True)
        )
    return found


def _has_frames(path: str, start: float, settings: BulkSettings) -> bool:
    """Whether a video has a frame from a time on."""
    try:
        with (
            LocalCopies() as copies,
            open_clip_frames(copies.path(path), start, None, mirrored=False, settings=settings) as clip,
        ):
            return next(iter(clip.runs), None) is not None
    except VideoError:
        return False


def _seconds(path: str) -> float | None:
    """How long a video is; none if it cannot be opened."""
    try:
        with LocalCopies() as copies:
            return _length(copies.path(path))
    except (TubeletError, OSError):
        return None


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
