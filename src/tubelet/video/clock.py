"""Timestamps that only ever grow, whatever the file says."""

from fractions import Fraction


class Clock:
    """Gives every frame a timestamp after the one before, changing as few as possible.

    A missing timestamp, or one that is not later than the last, becomes the last one plus the nominal
    duration of a frame (at least one tick).

    Attributes:
        repaired: how many timestamps were missing or not increasing.
    """

    def __init__(self, *, time_base: Fraction, rate: Fraction | None) -> None:
        self._nominal = max(1, round(1 / (rate * time_base))) if rate else 1
        self._next: int | None = None
        self._last: int | None = None
        self.repaired = 0

    def stamp(self, tick: int | None, duration: int | None) -> int:
        """Return the timestamp of the next frame, in ticks.

        Args:
            tick: what the file says; None if nothing.
            duration: how long the frame is shown by the file's word, in ticks; None or 0 if it says nothing.
        """
        if tick is None or (self._last is not None and tick <= self._last):
            self.repaired += 1
            tick = 0 if self._next is None else self._next
        self._last = tick
        self._next = tick + (duration if duration and duration > 0 else self._nominal)
        return tick
