"""The frames of a clip as a data set wants them: a range of a video, at a size and a rate, maybe mirrored."""

import math
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tubelet.codec.memory import frames_per_run
from tubelet.jobs.bulk.settings import BulkSettings
from tubelet.threads import ahead
from tubelet.video.info import USUAL_RATE, VideoInfo
from tubelet.video.ranges import range_runs
from tubelet.video.read import Run, open_video
from tubelet.video.resize import shrink_to_short_side, shrunk_size


class ClipFrames(NamedTuple):
    """A clip that is open.

    Attributes:
        info: what it is, with the size and the rate that its frames have here.
        runs: its frames, once; where they are many, read in a thread while those before are worked on.
    """

    info: VideoInfo
    runs: Iterator[Run]


@contextmanager
def open_clip_frames(
    path: Path, start: float | None, end: float | None, *, mirrored: bool, settings: BulkSettings
) -> Iterator[ClipFrames]:
    """Open a clip.

    Args:
        path: of the video.
        start: seconds after its first frame at which the clip begins; none for the beginning.
        end: seconds after its first frame at which it ends; none for the end.
        mirrored: whether frames are mirrored left to right.
        settings: size and rate.

    Raises:
        VideoError: the video cannot be read.
    """
    with open_video(path) as video:
        info, side = video.info, settings.short_side
        size = frames_per_run(info.height, info.width, settings.memory)
        height, width = (
            (info.height, info.width) if side is None else shrunk_size(info.height, info.width, side)
        )
        shown = replace(info, height=height, width=width)
        if start is None and end is None:
            runs = video.runs(run=size)
        else:
            runs = range_runs(video, start, end, run=size, on_show=settings.rate is not None)
        opening = _Opening.of(runs, size)
        runs = opening.runs
        if settings.rate is not None:
            runs = at_rate(runs, info, settings.rate)
            shown = replace(shown, time_base=1 / settings.rate, average_rate=settings.rate)
        given = _shown(runs, side, mirrored=mirrored)
        with closing(given if opening.is_all else ahead(given)) as given:
            yield ClipFrames(shown, given)


class _Opening(NamedTuple):
    """Runs of frames, the first of which is read.

    Attributes:
        runs: all of them.
        is_all: whether the first is the last, too. Then a thread would cost more than it saves.
    """

    runs: Iterator[Run]
    is_all: bool

    @classmethod
    def of(cls, runs: Iterator[Run], size: int) -> "_Opening":
        """Read the first run; `size` frames are what a run has that is not the last."""
        first = next(runs, None)
        if first is None:
            return cls(runs, is_all=True)
        return cls(chain([first], runs), is_all=len(first.frames) < size)


def _shown(runs: Iterator[Run], side: int | None, *, mirrored: bool) -> Generator[Run]:
    """Frames at their size, mirrored where they are to be."""
    for run in runs:
        frames = run.frames if side is None else shrink_to_short_side(run.frames, side)
        yield replace(run, frames=np.ascontiguousarray(frames[:, :, ::-1]) if mirrored else frames)


def at_rate(runs: Iterator[Run], info: VideoInfo, rate: Fraction) -> Iterator[Run]:
    """Frames at a constant rate: at each of its times the frame that is on show then.

    Frames are left out or repeated; none are made. Times count from the first frame, in ticks of the rate.

    Args:
        runs: with timestamps in ticks of `info`.
        info: the video.
        rate: frames per second.
    """
    origin: int | None = None
    gap = 1 / ((info.average_rate or USUAL_RATE) * info.time_base)

    def number(tick: int | Fraction) -> int:
        """How many of the new frames have their time before a tick, half a tick allowed for rounding."""
        return max(0, math.ceil((tick - (origin or 0) - Fraction(1, 2)) * info.time_base * rate))

    for run in runs:
        if origin is None:
            origin = int(run.timestamps[0])
        end = run.timestamps[-1] + gap if run.end is None else run.end
        bounds = [number(int(tick)) for tick in run.timestamps] + [number(Fraction(end))]
        repeats = np.diff(bounds)
        if repeats.sum():
            yield Run(
                frames=np.repeat(run.frames, repeats, axis=0),
                timestamps=np.arange(bounds[0], bounds[-1], dtype=np.int64),
                end=bounds[-1],
            )
