"""Timestamps that only ever grow, whatever the file says."""

import itertools
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Protocol, TypeVar, runtime_checkable

_AHEAD = 8
"""How many frames are looked at before a timestamp that does not fit is decided on."""

_WIDE = 8
"""A gap is wide if it is this many times the longest one so far."""


@runtime_checkable
class Timed(Protocol):
    """What has a place in time: a decoded frame, a packet of sound."""

    @property
    def pts(self) -> int | None:
        """When it is shown, in ticks; None if the file does not say."""
        ...

    @property
    def duration(self) -> int:
        """How long it is shown, in ticks; 0 or less if the file does not say."""
        ...


TimedT = TypeVar("TimedT", bound=Timed)


class Clock:
    """Gives every frame a timestamp after the one before, changing as few as possible.

    A timestamp that is missing, or that does not fit between those before and after it, is replaced by one
    that does: the time of the frame before and its duration. Where the file's clock starts again, as it does
    where two recordings were joined, all that follows is moved to after what was there.

    What is looked at are the next frame's timestamp, and up to eight where one does not fit or a gap is wide.

    Args:
        time_base: seconds per tick.
        rate: frames per second, if they have a rate.
        apart: ticks between two frames at least; with 0 several may have one time.
    """

    def __init__(self, *, time_base: Fraction, rate: Fraction | None, apart: int = 1) -> None:
        self._apart = apart
        self._nominal = max(1, round(1 / (rate * time_base))) if rate else None
        self._offset = 0
        self._last: int | None = None
        self._step = self._nominal or 1
        self._longest = self._step

    def stamp(self, frames: Iterator[TimedT]) -> Iterator[tuple[TimedT, int]]:
        """Yield each frame with its timestamp, in ticks."""
        waiting: deque[TimedT] = deque()
        while True:
            waiting.extend(itertools.islice(frames, max(0, 2 - len(waiting))))
            if not waiting:
                return
            if len(waiting) > 1 and not self._fits(waiting[0], waiting[1]):
                waiting.extend(itertools.islice(frames, max(0, _AHEAD - len(waiting))))
            frame = waiting.popleft()
            yield frame, self._time_of(frame, [self._claimed(each) for each in waiting])

    def _claimed(self, frame: Timed) -> int | None:
        return None if frame.pts is None else frame.pts + self._offset

    def _fits(self, frame: Timed, following: Timed) -> bool:
        """Whether two timestamps are plain: growing, without a wide gap before the first."""
        tick, after = self._claimed(frame), self._claimed(following)
        if tick is None or (after is not None and after < tick + self._apart):
            return False
        return self._last is None or self._apart <= tick - self._last <= _WIDE * self._longest

    def _time_of(self, frame: Timed, following: Sequence[int | None]) -> int:
        """Return a frame's timestamp, given those that follow; remember it."""
        tick = self._claimed(frame)
        if tick is not None and self._starts_again(tick, following):
            offset = self._expected() - tick
            self._offset += offset
            following = [None if each is None else each + offset for each in following]
            tick += offset
        if tick is None or not self._is_kept(tick, following):
            tick = self._between(following)
        elif self._last is not None:
            self._longest = max(self._longest, tick - self._last)
        if frame.duration and frame.duration > 0:
            self._step = frame.duration
        elif self._nominal is not None:
            self._step = self._nominal
        elif self._last is not None:
            self._step = tick - self._last
        self._last = tick
        return tick

    def _expected(self) -> int:
        return 0 if self._last is None else self._last + self._step

    def _is_after(self, tick: int, other: int) -> bool:
        return tick >= other + self._apart

    def _starts_again(self, tick: int, following: Sequence[int | None]) -> bool:
        """Whether the file's clock goes on from an earlier time, and does not come back."""
        known = [each for each in following if each is not None]
        if self._last is None or self._is_after(tick, self._last) or not known:
            return False
        if not self._is_after(known[0], tick) or self._is_after(known[0], self._last):
            return False
        for count, (before, after) in enumerate(itertools.pairwise([tick, *known]), start=2):
            due = self._last + count * self._step
            if after - before > _WIDE // 2 * self._step and abs(after - due) <= count * self._step:
                return False
        return True

    def _is_kept(self, tick: int, following: Sequence[int | None]) -> bool:
        """Whether a timestamp is among the most that can be kept."""
        if self._last is not None and not self._is_after(tick, self._last):
            return False
        known = [each for each in following if each is not None]
        later = known if self._last is None else [each for each in known if self._is_after(each, self._last)]
        with_it = 1 + self._longest_growing([each for each in known if self._is_after(each, tick)])
        without = self._longest_growing(later)
        if with_it == without:
            return self._is_near(tick, following)
        return with_it > without

    def _is_near(self, tick: int, following: Sequence[int | None]) -> bool:
        """Whether a timestamp is about where the last frame, or if there is none the next ones, put it."""
        if self._last is not None:
            if tick != self._expected() and following and following[0] == self._expected() + self._step:
                return False  # the next one is where it should be, and there is room before it
            return tick - self._last <= 2 * self._step
        return any(
            each is not None and abs(each - tick - frames * self._step) <= self._step
            for frames, each in enumerate(following, start=1)
        )

    def _between(self, following: Sequence[int | None]) -> int:
        """Return a time after the last frame's, and before the next that is kept, where there is room."""
        for frames, tick in enumerate(following, start=1):
            if tick is not None and self._is_kept(tick, following[frames:]):
                if self._last is None:
                    return tick - frames * self._step
                return self._last + max(self._apart, min(self._step, (tick - self._last) // (frames + 1)))
        return self._expected()

    def _longest_growing(self, ticks: Sequence[int]) -> int:
        """Return how many of the ticks, in their order, can be kept."""
        ends: list[int] = []
        for tick in ticks:
            place = bisect_left(ends, tick) if self._apart else bisect_right(ends, tick)
            ends[place : place + 1] = [tick]
        return len(ends)
