"""What a command says beside its results: on standard error, and in a log file where one is asked for.

Everything goes through `LOG`, or through the logger of a package below it, such as ``tubelet.train``, whose
name is shown: ``error`` and ``warning`` are always shown, ``info`` (progress) unless a command is quiet,
``debug`` if it is verbose. A log file gets all of it, with the time, and tracebacks.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tubelet.errors import OutputError
from tubelet.files import check_suffix, check_target, output_errors, printable

LOG = logging.getLogger("tubelet")
LOG.propagate = False
LOG.setLevel(logging.DEBUG)
LOG.addHandler(logging.NullHandler())

SUFFIXES = (".log", ".txt")
"""Of log files; no result of ours has one of these."""

_OURS = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [a-z]+ tubelet \d")
"""How a log file of ours begins."""

_LABELS = {logging.ERROR: "error: ", logging.WARNING: "warning: "}

ON_SCREEN = {"on_screen": True}
"""``LOG.info(…, extra=ON_SCREEN)``: a bar shows it on the terminal already."""


def _make_printable(record: logging.LogRecord) -> bool:
    """Let a message be one line that is safe to print, whichever handler takes it first."""
    record.msg, record.args = printable(record.getMessage()), ()
    if record.exc_info:
        record.exc_text = "\n".join(_trace(record))
    return True


# For the handlers of others too; what comes from loggers below passes those of ours alone.
LOG.addFilter(_make_printable)


def _package_text(record: logging.LogRecord) -> str:
    """Which package speaks, if it is not the command itself."""
    package = record.name.removeprefix(LOG.name).removeprefix(".")
    return f"{package}: " if package else ""


@contextmanager
def on_terminal(*, quiet: bool = False, verbose: bool = False) -> Iterator[None]:
    """Say on standard error what goes through `LOG` while the body runs.

    Args:
        quiet: warnings and errors alone.
        verbose: everything, and the traceback of an error.
    """
    handler = _Terminal(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
    handler.addFilter(_make_printable)
    LOG.addHandler(handler)
    try:
        yield
    finally:
        LOG.removeHandler(handler)


@contextmanager
def in_file(path: Path) -> Iterator[None]:
    """Write what goes through `LOG` to the end of a file while the body runs.

    Args:
        path: a new file, or a log of before.

    Raises:
        OptionError: it ends in no suffix of a log file.
        OutputError: it is another file, is none, or cannot be written.
    """
    check_suffix(path, SUFFIXES, "a log file")
    check_target(path, force=True)
    with output_errors(path):
        _check_ours(path)
        handler = _File(path)
        handler.addFilter(_make_printable)
    LOG.addHandler(handler)
    try:
        yield
    finally:
        LOG.removeHandler(handler)
        # What could not be written was said when it happened.
        with suppress(OSError):
            handler.close()


def terminal_shows(level: int) -> bool:
    """Whether standard error gets what is said at a level."""
    return any(isinstance(handler, _Terminal) and handler.level <= level for handler in LOG.handlers)


def _check_ours(path: Path) -> None:
    """Raise unless a file is new, empty, or a log; anything else could be somebody's only copy."""
    if not path.exists():
        return
    with path.open("rb") as file:
        begin = file.read(64)
    if begin and _OURS.match(begin) is None:
        raise OutputError(
            f"{path} exists and is not a log of tubelet; lines are added to nothing else. Name a new file."
        )


class _Terminal(logging.Handler):
    """One line for each message, on whatever standard error is just then."""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "on_screen", False):
            return
        text = f"{_LABELS.get(record.levelno, '')}{_package_text(record)}{record.getMessage()}"
        lines = [f"tubelet: {text}"]
        if record.exc_info and self.level <= logging.DEBUG:
            lines = [*_trace(record), *lines]
        print("\n".join(lines), file=sys.stderr, flush=True)


class _File(logging.FileHandler):
    """A line with the time for each message, and the traceback behind it."""

    def __init__(self, path: Path) -> None:
        super().__init__(os.fspath(path), mode="a", encoding="utf-8", errors="backslashreplace")

    def format(self, record: logging.LogRecord) -> str:
        time = logging.Formatter().formatTime(record, "%Y-%m-%d %H:%M:%S")
        line = f"{time} {record.levelname.lower()} {_package_text(record)}{record.getMessage()}"
        return "\n".join([line, *(f"  {each}" for each in _trace(record))])

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the library's name
        """A log that cannot be written is no reason to end hours of work."""
        LOG.removeHandler(self)
        LOG.warning("the log file cannot be written any more: %s.", sys.exc_info()[1])


def _trace(record: logging.LogRecord) -> list[str]:
    if not record.exc_info:
        return []
    return [printable(line) for line in logging.Formatter().formatException(record.exc_info).splitlines()]
