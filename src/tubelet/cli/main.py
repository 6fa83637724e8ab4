"""The `tubelet` command: from its first moment signals end it politely, and whatever happens is an exit code.

Nearly everything is imported inside, for a signal may come while it is.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType

_INTERRUPTED, _NOBODY_READS = 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give its exit code.

    Args:
        arguments: what stands behind `tubelet`; those of this process for none.
    """
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments, _stop_by_exception())
    except KeyboardInterrupt:
        print("tubelet: error: interrupted; nothing half-written was kept.", file=sys.stderr)
        code = _INTERRUPTED
    except BrokenPipeError:
        from tubelet.cli.console import nobody_reads

        # Python would try once more at its end, and give a code of its own.
        nobody_reads()
        code = _NOBODY_READS
    if arguments is None:
        # All is said and done, and the process is about to end: a signal may end it as it is.
        _on_signals(lambda number: signal.signal(number, signal.SIG_DFL))
    return code


def _run(arguments: Sequence[str], interrupted: Callable[[], bool]) -> int:
    """Read the command line, and run the command that it names."""
    import argparse
    import io

    from tubelet.cli.console import Manner, guarded
    from tubelet.cli.parser import parse, run_command

    _fill_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name of a file may hold what a terminal cannot show.
            stream.reconfigure(errors="backslashreplace")
    chosen = argparse.Namespace()
    code = guarded(lambda: parse(arguments, chosen), interrupted=interrupted)
    if code:
        return code
    manner = Manner(quiet=chosen.quiet, verbose=chosen.verbose, log_file=chosen.log_file)
    return guarded(lambda: run_command(chosen), manner, interrupted=interrupted)


def _fill_closed_streams() -> None:
    """Let no file that is opened take the number of a standard stream that was closed, and its output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _stop_by_exception() -> Callable[[], bool]:
    """Let signals to stop raise `KeyboardInterrupt`; give a function that tells whether one came.

    A polite kill, or a terminal that is closed, takes the same way out as Ctrl-C, so that no half-written
    file stays behind. What is ignored, as under nohup, stays ignored.
    """
    came = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        came = True
        raise KeyboardInterrupt

    _on_signals(lambda number: signal.signal(number, stop))
    return lambda: came


def _on_signals(do: Callable[[int], object]) -> None:
    """Do something for each signal to stop that is not ignored."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            # Only the first thread may; whoever runs commands in another one has signals in hand.
            with suppress(ValueError):
                do(number)


if __name__ == "__main__":
    sys.exit(main())
