"""The `tubelet` command: finds the subcommand, runs it, and turns its end into an exit code."""

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches

from tubelet import __version__
from tubelet.cli import (
    command_bench,
    command_compare,
    command_decode,
    command_demo,
    command_detokenize,
    command_encode,
    command_evaluate,
    command_export_checkpoint,
    command_fit_klt,
    command_info,
    command_models,
    command_prepare,
    command_reconstruct,
    command_report,
    command_tokenize,
    command_train,
)
from tubelet.cli.console import INTERRUPTED, guarded

COMMANDS = (
    command_reconstruct,
    command_encode,
    command_decode,
    command_tokenize,
    command_detokenize,
    command_info,
    command_compare,
    command_evaluate,
    command_report,
    command_bench,
    command_models,
    command_fit_klt,
    command_prepare,
    command_train,
    command_export_checkpoint,
    command_demo,
)

_DESCRIPTION = """\
Video to the compact latents and tokens that generative models work on, and back.

start here:
  tubelet demo                              see it work on a built-in clip
  tubelet reconstruct my.mp4                your own clip, there and back, with figures
  tubelet encode my.mp4 -o my.tube          store the latent
  tubelet decode my.tube -o back.mp4        and get the video again, or any part of it
"""

_EPILOG = """\
exit codes: 0 done; 1 the run failed, or its input was damaged and the result is incomplete; 2 bad usage
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give its exit code."""
    # A polite kill, or a terminal that is closed, takes the same way out as Ctrl-C, so that no half-written
    # file stays behind. What is ignored, as under nohup, stays ignored.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name of a file may hold what a terminal cannot show.
            stream.reconfigure(errors="backslashreplace")
    try:
        chosen = _chosen(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    if chosen.run is not command_train.run:
        # Reading and writing run beside the tokenizer and need the other half of the cores. Torch reads this
        # when it is first imported, which no other command has done yet.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))
    return guarded(lambda: chosen.run(chosen))


def _chosen(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    chosen, unknown = make_parser(arguments).parse_known_args(arguments)
    if unknown:
        chosen.parser.error(_unknown_text(chosen.parser, unknown))
    return chosen


def make_parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of the whole command line.

    Args:
        arguments: the command line, which decides what `tubelet train` takes: the fields of a recipe.
    """
    parser = argparse.ArgumentParser(
        prog="tubelet",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tubelet {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        text = (command.__doc__ or "").strip()
        sub = commands.add_parser(
            command.NAME,
            help=text.splitlines()[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run, parser=sub)
        if command is command_train and list(arguments[:1]) == [command_train.NAME]:
            command_train.add_recipe(sub, arguments[1:])
    return parser


def _unknown_text(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> str:
    """Say which arguments are not known, and which options are spelt nearly so or end in the same name."""
    names = parser._option_string_actions
    word = unknown[0].partition("=")[0]
    ending = [name for name in names if name.endswith(f".{word.lstrip('-')}")]
    near = dict.fromkeys(ending + get_close_matches(word, names, cutoff=0.75)) if word.startswith("-") else ()
    return f"unrecognized arguments: {' '.join(unknown)}" + (f"; near are {', '.join(near)}" if near else "")


if __name__ == "__main__":
    sys.exit(main())
