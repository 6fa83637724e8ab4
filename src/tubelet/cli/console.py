"""What all commands share on the terminal: progress, warnings, errors and exit codes."""

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tubelet.errors import DamageWarning, OptionError, TubeletError
from tubelet.files import printable

DONE, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130

_A_MINUTE = 60.0

_PATIENCE = 2.0
"""Seconds after which work gets a progress bar."""


def guarded(run: Callable[[], None]) -> int:
    """Run a command; say what went wrong in one line on stderr, and give the exit code."""
    damaged = False

    def show(message: Warning | str, *_: object, **__: object) -> None:
        nonlocal damaged
        damaged = damaged or isinstance(message, DamageWarning)
        print(f"tubelet: warning: {printable(message)}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        try:
            run()
        except OptionError as error:
            return _failed(error, BAD_USAGE)
        except (TubeletError, OSError, MemoryError) as error:
            return _failed(error, FAILED)
        except KeyboardInterrupt as stop:
            return _failed(str(stop) or "interrupted; nothing half-written was kept.", INTERRUPTED)
    return FAILED if damaged else DONE


def _failed(error: Exception | str, code: int) -> int:
    text = str(error) or type(error).__name__
    print(f"tubelet: error: {printable(' '.join(text.split()))}", file=sys.stderr)
    return code


@contextmanager
def progress(doing: str, *, total: int | None, unit: str = "frames") -> Iterator[Callable[[int], None]]:
    """Give a function to call with each amount of work done; shows a bar if the work takes over two seconds.

    Args:
        doing: what is done, such as ``encoding``.
        total: how much there is; none if nobody knows.
        unit: what is counted.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(doing, total=total)
    began = time.monotonic()

    def advance(amount: int) -> None:
        if not bar.live.is_started and time.monotonic() - began > _PATIENCE and bar.console.is_terminal:
            bar.start()
        bar.advance(task, amount)

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()


@contextmanager
def run_progress() -> Iterator[Callable[[float, int, dict[str, float]], None]]:
    """Give a function to call after each step of a long run with its share done, its number and its figures.

    On a terminal it moves a bar; elsewhere it prints a line a minute.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    spoken = time.monotonic()
    usual: dict[str, float] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=1.0)

        def show(share: float, step: int, figures: dict[str, float]) -> None:
            nonlocal spoken
            for name, value in figures.items():
                usual[name] = usual.get(name, value) + 0.02 * (value - usual.get(name, value))
            text = f"step {step}  " + "  ".join(f"{name} {value:.4g}" for name, value in usual.items())
            bar.update(task, completed=share, description=text)
            if not console.is_terminal and time.monotonic() - spoken > _A_MINUTE:
                spoken = time.monotonic()
                print(f"{share:.1%}  {text}", file=sys.stderr, flush=True)

        yield show


def show_table(rows: list[tuple[str, ...]], *, header: tuple[str, ...] | None = None) -> None:
    """Print rows in columns, as wide as they need to be."""
    lines = [tuple(map(printable, line)) for line in ([header] if header else []) + rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for index, line in enumerate(lines):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        if header and index == 0:
            print("  ".join("─" * width for width in widths))
