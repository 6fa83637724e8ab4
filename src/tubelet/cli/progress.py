"""How far a command is: a bar on a terminal, a line a minute elsewhere and in a log file."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from tubelet.cli.log import LOG, ON_SCREEN, terminal_shows

_A_MINUTE = 60.0

_PATIENCE = 2.0
"""Seconds after which work gets a bar."""

_WEIGHT = 0.02
"""Of the newest figures in those that a run shows."""


class Progress:
    """Counts work, and shows how much is done. Call it with each amount.

    Args:
        doing: what is done, such as ``encoding``.
        total: how much there is; none if that is not known yet.
        unit: what is counted.

    Attributes:
        total: how much there is, as far as that is known.
    """

    def __init__(self, doing: str, *, total: int | None, unit: str) -> None:
        self.total = total
        self._doing, self._unit = doing, unit
        self._done = 0
        self._note = ""
        self._lines = _Lines(0.0)
        self._bar = _Bar(doing, unit)

    def expect(self, total: int | None) -> None:
        """Say how much there is, once that is known."""
        self.total = total

    def note(self, text: str) -> None:
        """Say something else about the work from now on, such as what failed."""
        self._note = text

    def __call__(self, amount: int) -> None:
        """Count what was done since the last call."""
        self._done += amount
        self._bar.show(self._done, self.total, f"{self._doing}, {self._note}" if self._note else None)
        if self._lines.are_due():
            of = f" of {self.total}" if self.total else ""
            text = f"{self._doing}: {self._done}{of} {self._unit}"
            rate = f"{self._done / self._lines.seconds():.3g} {self._unit}/s"
            rate += f", {self._note}" if self._note else ""
            share = min(1.0, self._done / self.total) if self.total else None
            self._lines.say(text, rate, share, on_screen=self._bar.is_shown)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()


@contextmanager
def progress(doing: str, *, total: int | None = None, unit: str = "frames") -> Iterator[Progress]:
    """Give what is called with each amount of work done; see `Progress`.

    Work that takes over two seconds gets a bar on a terminal; elsewhere there is a line a minute.
    """
    shown = Progress(doing, total=total, unit=unit)
    try:
        yield shown
    finally:
        shown.close()


@contextmanager
def run_progress() -> Iterator[Callable[[float, int, Mapping[str, float]], None]]:
    """Give a function to call after each step of a run, with its share done, its number and its figures."""
    bar = _Bar("training", "")
    usual: dict[str, float] = {}
    # The first step, and when it was done: a run that is taken up does not begin at zero.
    began: list[tuple[int, _Lines]] = []

    def show(share: float, step: int, figures: Mapping[str, float]) -> None:
        if not began:
            began.append((step, _Lines(share)))
        (first, lines) = began[0]
        for name, value in figures.items():
            usual[name] = usual.get(name, value) + _WEIGHT * (value - usual.get(name, value))
        text = f"step {step}  " + "  ".join(f"{name} {value:.4g}" for name, value in usual.items())
        bar.show(share, 1.0, text)
        if lines.are_due():
            rate = f"{(step - first) / lines.seconds():.3g} steps/s"
            lines.say(f"training: {text}", rate, share, on_screen=bar.is_shown)

    try:
        yield show
    finally:
        bar.close()


class _Lines:
    """Lines about work that goes on, one a minute.

    Args:
        share: how much of the work is done already.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._began = self._spoken = time.monotonic()

    def seconds(self) -> float:
        """How long the work takes so far."""
        return max(1e-9, time.monotonic() - self._began)

    def are_due(self) -> bool:
        """Whether the last line was a minute ago."""
        return time.monotonic() - self._spoken >= _A_MINUTE

    def say(self, text: str, rate: str, share: float | None, *, on_screen: bool) -> None:
        """Say what is done, how fast, which share of all it is, and how long the rest will take."""
        self._spoken = time.monotonic()
        parts = [text, rate]
        if share is not None:
            parts.insert(1, f"{share:.1%}")
            if share > self._share:
                left = self.seconds() * (1 - share) / (share - self._share)
                parts.append(f"{timedelta(seconds=round(left))} left")
        LOG.info("%s", ", ".join(parts), extra=ON_SCREEN if on_screen else None)


class _Bar:
    """A bar that appears on a terminal when work takes its time.

    Args:
        doing: what is done.
        unit: what is counted; empty where it is a share.
    """

    def __init__(self, doing: str, unit: str) -> None:
        self._doing, self._unit = doing, unit
        self._began = time.monotonic()
        self._wanted = sys.stderr is not None and sys.stderr.isatty() and terminal_shows(logging.INFO)
        self._rich: Any = None

    @property
    def is_shown(self) -> bool:
        """Whether somebody sees it."""
        return self._rich is not None

    def show(self, done: int | float, total: int | float | None, text: str | None = None) -> None:
        """Move it, and let it say something else."""
        if self._wanted and self._rich is None and time.monotonic() - self._began > _PATIENCE:
            self._rich = self._start()
        if self._rich is not None:
            said = {} if text is None else {"description": text}
            self._rich.update(self._rich.task_ids[0], completed=done, total=total, **said)

    def close(self) -> None:
        """Take it away."""
        if self._rich is not None:
            self._rich.stop()

    def _start(self) -> Any:  # noqa: ANN401  imported when it is needed
        from rich import progress as rich
        from rich.console import Console

        counted = rich.MofNCompleteColumn() if self._unit else rich.TaskProgressColumn()
        columns = (rich.TextColumn("{task.description}", markup=False), rich.BarColumn(), counted)
        columns += (rich.TextColumn(self._unit), rich.TimeRemainingColumn())
        bar = rich.Progress(*columns, console=Console(stderr=True), transient=True)
        bar.add_task(self._doing, total=None)
        bar.start()
        return bar
