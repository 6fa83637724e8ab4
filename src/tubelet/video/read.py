"""Video files as runs of RGB frames, in bounded memory."""

import itertools
import math
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from av.video.frame import VideoFrame
from jaxtyping import Int64, UInt8

from tubelet.errors import DamageWarning, LossWarning, OptionError, VideoError
from tubelet.given import as_fraction, as_video, check_whole_numbers
from tubelet.spelling import counted
from tubelet.types import Frames
from tubelet.video.array import ARRAY_TIME_BASE, describe_array, open_array
from tubelet.video.clock import Clock
from tubelet.video.convert import ToRgb
from tubelet.video.ending import last_duration
from tubelet.video.info import VideoInfo
from tubelet.video.orientation import Layout
from tubelet.video.probe import describe, first_frame, orientation_of
from tubelet.video.source import Source, opened

# Containers with true timestamps and an index; in others a seek lands on frames whose time is a guess.
_SEEKABLE = {"mov", "matroska"}

_COUNTED = {"avi", "mpegvideo"}
"""Containers that only count packets. What FFmpeg says of when their frames are shown is a guess that is
wrong where frames are stored in another order; the time of the packet that let a frame out is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive frames.

    Attributes:
        frames: RGB, 0 to 255, upright. The memory is used again once nothing refers to it or to a view of it.
        timestamps: when each is shown, in ticks of `VideoInfo.time_base`; strictly increasing.
        end: when the last of them stops being shown, in the same ticks: the time of the frame that follows in
            the file, or, for the file's last frame, what the file says; None if nothing says it.
    """

    frames: UInt8[np.ndarray, "T H W 3"]
    timestamps: Int64[np.ndarray, " T"]
    end: int | None = None


class _Stamped(NamedTuple):
    """A decoded frame, and when its file says that it is shown: a time for the clock."""

    frame: VideoFrame
    pts: int | None

    @property
    def duration(self) -> int:
        """How long it is shown, in ticks; 0 if the file does not say."""
        return self.frame.duration


class _Shown(NamedTuple):
    """A decoded frame and the ticks at which it appears and disappears."""

    frame: VideoFrame
    tick: int
    end: int | None


def cut(runs: Iterable[Run], before: int, frames: int) -> Iterator[Run]:
    """Leave out the first so many frames of consecutive runs, and give so many of those that follow."""
    at = -before
    for run in runs:
        first, stop = max(0, -at), min(len(run.frames), frames - at)
        at += len(run.frames)
        if first < stop:
            end = run.end if stop == len(run.frames) else int(run.timestamps[stop])
            yield Run(frames=run.frames[first:stop], timestamps=run.timestamps[first:stop], end=end)
        del run


def every(runs: Iterable[Run], stride: int) -> Iterator[Frames]:
    """The first frame of consecutive runs and each that comes `stride` after one; the others are let go."""
    at = 0
    for run in runs:
        yield run.frames[-at % stride :: stride].copy()
        at += len(run.frames)
        del run


def read(source: Path | str, *, run: int = 16, start: int = 0, stop: int | None = None) -> Iterator[Run]:
    """Yield the frames of a video, an image or an array file, at most `run` at a time.

    Colours are converted by the matrix and range that the file names, without bias and with interpolated
    chroma; a file that names none is read as BT.601, limited range unless its format is ``yuvj``, as FFmpeg
    does. Chroma is taken from where the file, or else its codec, has it (`tubelet.video.chroma`). Frames are
    turned upright. Transparency is put on black. Memory holds two runs and the decoder, whatever the length.

    Args:
        source: the file.
        run: frames per run; the last may be shorter.
        start: index of the first frame; those before are decoded, but neither converted nor kept.
        stop: index after the last frame; None for all.

    Raises:
        OptionError: `run`, `start` or `stop` has no meaning.
        VideoError: nothing can be read, or the size changes (raised after the frames before are yielded).

    Warns:
        LossWarning: the file holds more than 8-bit RGB does, or timestamps were repaired.
        DamageWarning: parts of the file do not decode; what does was yielded.
    """
    _check_range(run, start, stop)
    with open_video(source) as video:
        yield from video.runs(run=run, start=start, stop=stop)


class OpenVideo:
    """A video, an image or an array file that is open: what it is, and its frames, once.

    Attributes:
        info: what `tubelet.video.probe` says of it.
    """

    def __init__(self, info: VideoInfo, runs: Callable[[int, int, int | None], Iterator[Run]]) -> None:
        self.info = info
        self._runs = runs

    def runs(self, *, run: int = 16, start: int = 0, stop: int | None = None) -> Iterator[Run]:
        """Yield its frames as `read` does; only once, because what is open is read from front to back."""
        _check_range(run, start, stop)
        return self._runs(run, start, stop)


@contextmanager
def open_video(source: Path | str) -> Iterator[OpenVideo]:
    """Open a file that `read` reads, to be described and read with one opening.

    Raises:
        VideoError: there is no such file, or nothing in it can be decoded; the message says why.
    """
    path = as_video(source, "source")
    if path.suffix.lower() == ".npy":
        array = open_array(path)
        yield OpenVideo(describe_array(path, array), partial(_array_runs, array))
        return
    with opened(path) as video:
        decoded = video.frames()
        first = first_frame(path, decoded, video)
        info = describe(path, video, first)

        def runs(run: int, start: int, stop: int | None) -> Iterator[Run]:
            reader = _Reader(info, video, run)
            yield from reader.runs(itertools.islice(reader.stamped(first, decoded), start, stop))
            reader.warn(to_the_end=stop is None)

        yield OpenVideo(info, runs)


def read_from(
    source: Path | str,
    seconds: float | Fraction,
    *,
    end: float | Fraction | None = None,
    run: int = 16,
    on_show: bool = False,
) -> Iterator[Run]:
    """Yield the frames of a video from a time on, the same frames as `read` gives from there.

    The first frame is the first whose time is not before `seconds`, half a tick allowed for rounding; so
    ranges that touch share no frame and lose none. Nothing is yielded if the video ends before. Files without
    trustworthy timestamps are read from their beginning.

    Args:
        source: the file.
        seconds: time in the file's own clock, in which the first frame may not be at 0.
        end: time in the same clock; the frames from there on are left out. None for all.
        run: frames per run; the last may be shorter.
        on_show: whether a frame that is shown before `seconds`, and still then, comes first, with that time.

    Raises:
        OptionError: `run`, `seconds` or `end` has no meaning.
        VideoError: see `read`.
    """
    _check_range(run, 0, None)
    for name, time in (("seconds", seconds), ("end", end)):
        if time is not None:
            as_fraction(time, name)
    path = as_video(source, "source")
    if path.suffix.lower() == ".npy":
        start = max(0, first_tick(seconds, ARRAY_TIME_BASE))
        stop = None if end is None else max(start, first_tick(end, ARRAY_TIME_BASE))
        yield from _array_runs(open_array(path), run, start, stop)
        return
    with ExitStack() as stack:
        video = stack.enter_context(opened(path))
        decoded = video.frames()
        first = first_frame(path, decoded, video)
        info = describe(path, video, first)
        target = first_tick(seconds, info.time_base)
        stop = math.inf if end is None else first_tick(end, info.time_base)
        if _is_seekable(video) and first.pts is not None and target > first.pts:
            sought = _seek(video, target, floor=first.pts)
            if sought is None:
                video = stack.enter_context(opened(path))
            decoded = video.frames() if sought is None else sought
            first = first_frame(path, decoded, video)
        reader = _Reader(info, video, run)
        stamped = reader.stamped(first, decoded)
        within = itertools.takewhile(lambda shown: shown.tick < stop, stamped)
        yield from reader.runs(_shown_from(target, within, on_show=on_show))
        reader.warn(to_the_end=False)


def _shown_from(target: int, shown: Iterator[_Shown], *, on_show: bool) -> Iterator[_Shown]:
    """The frames that begin at a tick or later; and before them that on show then, if it is wanted."""
    for each in shown:
        if each.tick >= target:
            yield each
        elif on_show and each.end is not None and each.end > target:
            yield each._replace(tick=target)


def first_tick(seconds: float | Fraction, time_base: Fraction) -> int:
    """The first tick that is not before a time, half a tick allowed for rounding."""
    return math.ceil(Fraction(seconds) / time_base - Fraction(1, 2))


def _check_range(run: int, start: int, stop: int | None) -> None:
    check_whole_numbers(run=run, start=start, stop=start if stop is None else stop)
    if run < 1:
        raise OptionError(f"run is {run}; a run has at least 1 frame.")
    if start < 0:
        raise OptionError(f"start is {start}; frames are counted from 0.")
    if stop is not None and stop < start:
        raise OptionError(f"stop is {stop} but start is {start}; stop must not be before start.")


def _array_runs(array: np.ndarray, run: int, start: int, stop: int | None) -> Iterator[Run]:
    stop = len(array) if stop is None else min(stop, len(array))
    for begin in range(start, stop, run):
        end = min(begin + run, stop)
        yield Run(
            frames=np.array(array[begin:end]), timestamps=np.arange(begin, end, dtype=np.int64), end=end
        )


def _is_seekable(video: Source) -> bool:
    return bool(_SEEKABLE & set(video.container.format.name.split(",")))


def _seek(video: Source, target: int, *, floor: int) -> Iterator[VideoFrame] | None:
    """Return the frames from a key frame at or before `target`, seeking again where a landing is too late.

    None if the index leads to no such frame, or the container cannot be seeked in: then the file is opened
    again and read from its beginning.

    With open groups of pictures the index leads to a key frame whose leading frames cannot be decoded; then
    the first frame that comes out is not a key frame, or is after the target. Half a second, one, two …
    earlier is tried.
    """
    second = round(1 / (video.stream.time_base or Fraction(1, 1000)))
    back = 0
    while True:
        goal = max(floor, target - back)
        if not video.seek(goal):
            return None
        decoded = video.frames()
        first = next(decoded, None)
        if first is not None and first.key_frame and first.pts is not None and first.pts <= target:
            return itertools.chain([first], decoded)
        if goal == floor:
            return None  # not even the first frame is where the index says
        back = max(second // 2, 2 * back)


class _Reader:
    """The state of reading one video: its clock, its converter, and what there is to warn of."""

    def __init__(self, info: VideoInfo, video: Source, run: int) -> None:
        self._info = info
        self._video = video
        self._run = run
        self._counted = bool(_COUNTED & set(video.container.format.name.split(",")))
        self._clock = Clock(time_base=info.time_base, rate=info.average_rate)
        self._memory = _Memory()
        self._read = self._repaired = 0
        self._transparent = False
        for loss in info.losses:
            warnings.warn(f"{info.path}: {loss}.", LossWarning, stacklevel=4)

    def stamped(self, first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[_Shown]:
        stamped = self._clock.stamp(map(self._stamped, itertools.chain([first], rest)))
        waiting, tick = next(stamped)
        for frame, following in stamped:
            self._count(waiting, tick)
            yield _Shown(waiting.frame, tick, following)
            waiting, tick = frame, following
        self._count(waiting, tick)
        duration = last_duration(self._video, waiting.frame, frames=self._read)
        yield _Shown(waiting.frame, tick, None if duration is None else tick + duration)

    def _stamped(self, frame: VideoFrame) -> _Stamped:
        return _Stamped(frame, frame.dts if self._counted else frame.pts)

    def _count(self, frame: _Stamped, tick: int) -> None:
        self._read += 1
        # The last frames come when there is no packet any more that would have a time.
        self._repaired += frame.pts != tick and not (self._counted and frame.pts is None)

    def runs(self, stamped: Iterator[_Shown]) -> Iterator[Run]:
        info = self._info
        to_rgb: ToRgb | None = None
        while batch := next(stamped, None):
            frames = self._memory.frames((self._run, info.height, info.width, 3))
            timestamps: list[int] = []
            problem, end = None, None
            for frame, tick, after in itertools.chain([batch], itertools.islice(stamped, self._run - 1)):
                if (frame.width, frame.height) != (info.coded_width, info.coded_height):
                    problem = frame
                    break
                if to_rgb is None:
                    to_rgb = ToRgb(Layout(self._video.crop, orientation_of(frame)))
                to_rgb.write(frame, frames[len(timestamps)])
                timestamps.append(tick)
                end = after
                self._transparent = to_rgb.saw_transparency
            if timestamps:
                yield Run(
                    frames=frames[: len(timestamps)], timestamps=np.array(timestamps, np.int64), end=end
                )
            if problem is not None:
                raise VideoError(
                    f"{info.path}: frame {self._read - 1} is {problem.width}x{problem.height}, those before "
                    f"are {info.coded_width}x{info.coded_height}; one clip has one size. Cut the file there."
                )
            del frames

    def warn(self, *, to_the_end: bool) -> None:
        """Say, once all is read, what was lost and what was damaged."""
        losses = []
        if self._transparent:
            losses.append("it has transparency, which was put on black")
        if self._repaired:
            losses.append(
                f"{self._repaired} of {self._read} timestamps were missing or not increasing; repaired"
            )
        for loss in losses:
            warnings.warn(f"{self._info.path}: {loss}.", LossWarning, stacklevel=3)
        damage = [str(self._video.damage)]
        if to_the_end:
            damage.append(self._video.cut_short() or self._video.unread_packets())
        if said := "; ".join(filter(None, damage)):
            were = "was" if self._read == 1 else "were"
            warnings.warn(
                f"{self._info.path} is damaged: {said}. {counted(self._read, 'frame')} {were} read.",
                DamageWarning,
                stacklevel=3,
            )


class _Memory:
    """Memory for runs, used again when the caller has let go of the frames.

    A fresh hundred megabytes per run costs more in page faults than their decoding. Each loan is an array of
    its own over the same memory, and every view of it keeps it alive; once its weak reference is dead, it
    can be used again.
    """

    def __init__(self) -> None:
        self._slots: list[tuple[np.ndarray, Callable[[], np.ndarray | None]]] = []

    def frames(self, shape: tuple[int, ...]) -> np.ndarray:
        for index, (memory, user) in enumerate(self._slots):
            if user() is None:
                return self._lend(index, memory, shape)
        self._slots.append((np.empty(math.prod(shape), np.uint8), lambda: None))
        if len(self._slots) > 2:
            # The caller keeps what it is given; then it may keep this memory too.
            self._slots.pop(0)
        return self._lend(len(self._slots) - 1, self._slots[-1][0], shape)

    def _lend(self, index: int, memory: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        # Views of an array refer to the deepest array below them: over a plain buffer, that is the loan.
        loan = np.frombuffer(memory.data, np.uint8)
        self._slots[index] = (memory, weakref.ref(loan))
        return loan.reshape(shape)
