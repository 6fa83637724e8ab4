"""How a command speaks and ends: tables, errors in one line, an exit code."""

import os
import platform
import select
import shlex
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tubelet import __version__
from tubelet.cli.log import LOG, in_file, on_terminal
from tubelet.errors import DamageWarning, OptionError, TubeletError
from tubelet.files import printable
from tubelet.files.urls import without_secrets

DONE, FAILED, BAD_USAGE, INTERRUPTED, NOBODY_READS = 0, 1, 2, 130, 141
"""Exit codes; the last two are a shell's for what SIGINT and SIGPIPE end."""

_STOPPED = "interrupted; nothing half-written was kept."

_PACKAGE = Path(__file__).parents[1]

_ABOUT_CODE = (ResourceWarning, DeprecationWarning, PendingDeprecationWarning, ImportWarning)
"""Warnings that tell a programmer something, not who gave a command."""


class Manner(NamedTuple):
    """How much a command says.

    Attributes:
        quiet: warnings and errors alone.
        verbose: everything, and tracebacks.
        log_file: gets all of it; none for no file.
    """

    quiet: bool = False
    verbose: bool = False
    log_file: Path | None = None


_USUAL = Manner()


def guarded(
    run: Callable[[], None], manner: Manner = _USUAL, *, interrupted: Callable[[], bool] = lambda: False
) -> int:
    """Run a command; say what went wrong in one line on stderr, and give the exit code.

    Args:
        run: the command.
        manner: how much is said.
        interrupted: whether a signal to stop came. Modules that are just being imported may turn it into
            errors of their own.

    Raises:
        BrokenPipeError: nobody reads what the command says.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(on_terminal(quiet=manner.quiet, verbose=manner.verbose))
        damages = stack.enter_context(_warnings_said(with_place=manner.verbose))
        try:
            if manner.log_file is not None:
                stack.enter_context(in_file(manner.log_file))
            LOG.debug(
                "tubelet %s, Python %s, %s", __version__, platform.python_version(), platform.platform()
            )
            LOG.debug("command: %s", " ".join(map(without_secrets, sys.argv[1:])))
            _flushed(run)
            code = FAILED if damages else DONE
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error, BrokenPipeError) and nobody_reads():
                raise
            code = _code(error, interrupted=interrupted())
            text = _stopped_text(error) if code == INTERRUPTED else _text(error)
            LOG.error("%s", " ".join(text.split()), exc_info=error)
        LOG.debug("exit code %d after %.1f s%s", code, time.monotonic() - began, _peak_text())
    return code


@contextmanager
def going_on(*, force: bool = False) -> Iterator[None]:
    """Run work that the same command can resume; an interruption says so.

    Args:
        force: whether the command started over, as it would again.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        if stop.args:
            raise
        without = ", without --force," if force else ""
        raise KeyboardInterrupt(
            f"interrupted; nothing half-written was kept. Give the same command again{without} to go on: "
            "what is done is kept."
        ) from stop


def nobody_reads() -> bool:
    """Whether the reader of standard output or error is gone; then what is left for them is dropped."""
    gone = False
    for stream in (sys.stdout, sys.stderr):
        # Not every stream is a file, and a failed write leaves nothing behind to try again with.
        with suppress(AttributeError, OSError, ValueError):
            if _is_broken(stream.fileno()):
                gone = True
                _into_nothing(stream.fileno())
    return gone


def _is_broken(descriptor: int) -> bool:
    """Whether an open file is a pipe that nobody reads."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _code(error: BaseException, *, interrupted: bool) -> int:
    """The exit code for an error."""
    if isinstance(error, OptionError):
        return BAD_USAGE
    if isinstance(error, KeyboardInterrupt) or (interrupted and not isinstance(error, TubeletError)):
        return INTERRUPTED
    return FAILED


def _stopped_text(error: BaseException) -> str:
    """What is said after a signal; some commands know more about it than others."""
    return (str(error) if isinstance(error, KeyboardInterrupt) else "") or _STOPPED


def _text(error: BaseException) -> str:
    """What is said about an error."""
    text = str(error) or type(error).__name__
    if _is_lack_of_memory(error):
        return f"out of memory ({text}). Give --memory a smaller size, or free some."
    if isinstance(error, TubeletError | OSError):
        return text
    if isinstance(error, ImportError):
        return f"a package that tubelet needs cannot be loaded: {text}. Install tubelet again."
    return (
        f"a fault of tubelet itself: {type(error).__name__}: {text} ({_place(error)}). Please report it, and "
        "what --verbose says of it."
    )


def _is_lack_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; torch says so in errors of its own."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and ("not enough memory" in str(error) or type(error).__name__ == "OutOfMemoryError")
    )


def _place(error: BaseException) -> str:
    """Where in tubelet an error arose, or passed through last."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    return f"{Path(ours[-1].filename).relative_to(_PACKAGE)}, line {ours[-1].lineno}" if ours else "elsewhere"


@contextmanager
def _warnings_said(*, with_place: bool) -> Iterator[list[DamageWarning]]:
    """Say every warning in one line, and once; give a list of those of damage.

    Those about code, as of a file that an interrupted import left open, are said only with their place.
    """
    damages: list[DamageWarning] = []
    said: set[str] = set()

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object, **__: object
    ) -> None:
        if isinstance(message, DamageWarning):
            damages.append(message)
        if str(message) in said:
            # What is read twice, as the sound of a reconstruction, is not news the second time.
            return
        said.add(str(message))
        place = f" ({category.__name__}, {filename}, line {lineno})" if with_place else ""
        LOG.warning("%s", f"{message}{place}")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        if not with_place:
            for category in _ABOUT_CODE:
                warnings.simplefilter("ignore", category)
        warnings.showwarning = show
        yield damages


def _flushed(run: Callable[[], None]) -> None:
    """Run a command, and let all that it printed reach whoever reads it."""
    try:
        run()
    except SystemExit:
        _flush()
        raise
    _flush()


def _flush() -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            # Python would try once more at its end.
            _into_nothing(sys.stdout.fileno())
        raise


def _into_nothing(descriptor: int) -> None:
    """Let what is still written to an open file vanish."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def _peak_text() -> str:
    """How much memory was used at most, where the system tells it."""
    with suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return f", at most {peak * (1 if sys.platform == 'darwin' else 1024) / 2**20:.0f} MiB of memory"
    return ""


def as_word(name: object) -> str:
    """A name as a word of a command that is suggested: quoted for a shell, where it must be."""
    return shlex.quote(str(name))


def show_table(rows: list[tuple[str, ...]], *, header: tuple[str, ...] | None = None) -> None:
    """Print rows in columns, as wide as they need to be."""
    lines = [tuple(map(printable, line)) for line in ([header] if header else []) + rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for index, line in enumerate(lines):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        if header and index == 0:
            print("  ".join("─" * width for width in widths))
