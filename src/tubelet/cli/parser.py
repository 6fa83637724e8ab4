"""The command line: every command, its options, and what is said about a word that is none of them."""

import argparse
import os
from collections.abc import Sequence
from contextlib import redirect_stdout
from difflib import get_close_matches
from itertools import takewhile
from pathlib import Path
from typing import NoReturn

from tubelet import __version__
from tubelet.cli import (
    command_bench,
    command_compare,
    command_completion,
    command_continue,
    command_dataset,
    command_decode,
    command_demo,
    command_detokenize,
    command_encode,
    command_encode_dataset,
    command_evaluate,
    command_evaluate_generation,
    command_export,
    command_export_checkpoint,
    command_fit_gate,
    command_fit_klt,
    command_generate,
    command_info,
    command_models,
    command_prepare,
    command_reconstruct,
    command_report,
    command_scenes,
    command_serve,
    command_swap,
    command_tokenize,
    command_train,
    command_transcode,
    command_weights,
)
from tubelet.cli.heap import give_back_large_blocks
from tubelet.cores import cores
from tubelet.errors import OptionError
from tubelet.files import STANDARD_OUTPUT
from tubelet.spelling import did_you_mean

COMMANDS = (
    command_reconstruct,
    command_continue,
    command_encode,
    command_decode,
    command_transcode,
    command_tokenize,
    command_detokenize,
    command_swap,
    command_info,
    command_compare,
    command_evaluate,
    command_report,
    command_bench,
    command_models,
    command_fit_klt,
    command_fit_gate,
    command_scenes,
    command_prepare,
    command_encode_dataset,
    command_dataset,
    command_train,
    command_export_checkpoint,
    command_export,
    command_serve,
    command_generate,
    command_evaluate_generation,
    command_weights,
    command_demo,
    command_completion,
)

_ANSWERS = (command_info, command_models, command_compare, command_completion, command_dataset)
"""Commands whose result is what they print: they print it however quiet they are."""

_DESCRIPTION = """\
Video to the compact latents and tokens that generative models work on, and back.

start here:
  tubelet demo                              see it work on a built-in clip
  tubelet reconstruct my.mp4                your own clip, there and back, with figures
  tubelet encode my.mp4 -o my.tube          store the latent
  tubelet decode my.tube -o back.mp4        and get the video again, or any part of it
"""

_EPILOG = """\
every command takes --quiet, --verbose and --log-file FILE

exit codes: 0 done; 1 the run failed, or its input was damaged and the result is incomplete; 2 bad usage;
130 interrupted; 141 whoever read the output went away
"""


def parse(arguments: Sequence[str], into: argparse.Namespace) -> None:
    """Read the command line.

    Args:
        arguments: what stands behind `tubelet`.
        into: gets the values of the options, and `run` and `parser` of the command.

    Raises:
        OptionError: it means nothing.
        SystemExit: help was asked for, and printed.
    """
    arguments = _command_first(arguments)
    _check_dashes(arguments)
    chosen, unknown = make_parser(arguments).parse_known_args(arguments, into)
    if unknown:
        chosen.parser.error(_unknown_text(chosen.parser, unknown))


def run_command(chosen: argparse.Namespace) -> None:
    """Run the command that was chosen."""
    if chosen.run is not command_train.run:
        # Reading and writing run beside the tokenizer and need the other half of the cores. Torch reads this
        # when it is first imported, which no other command has done yet.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // 2)))
        give_back_large_blocks()
    asked = chosen.run in {command.run for command in _ANSWERS} or STANDARD_OUTPUT in vars(chosen).values()
    if not chosen.quiet or asked:
        chosen.run(chosen)
        return
    with Path(os.devnull).open("w") as nothing, redirect_stdout(nothing):
        chosen.run(chosen)


def make_parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of the whole command line.

    Args:
        arguments: the command line, which decides what `tubelet train` takes: the fields of a recipe.
    """
    parser = _Parser(
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
            help=text.partition("\n")[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        _add_manners(sub)
        sub.set_defaults(run=command.run, parser=sub, program=parser)
        if command is command_train and list(arguments[:1]) == [command_train.NAME]:
            command_train.add_recipe(sub, arguments[1:])
    return parser


_NUMBERS = {int: "no whole number; give one such as 4", float: "no number; give one such as 0.5"}
"""What is said of a text that is no number of a type."""


class _Parser(argparse.ArgumentParser):
    """One whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            OptionError: always.
        """
        place = self.prog.partition(" ")[2]
        end = message if message.endswith((".", "?")) else f"{message}."
        raise OptionError(f"{place}{': ' if place else ''}{end} See `{self.prog} --help`.")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Answer a word that is not a choice with the nearest ones; argparse lists all."""
        if action.choices is None or value in action.choices:
            return
        known = list(map(str, action.choices))
        what = "command" if isinstance(action, argparse._SubParsersAction) else "choice"
        raise argparse.ArgumentError(
            None if what == "command" else action,
            f"there is no {what} {value!r}; "
            + (did_you_mean(str(value), known) or f"there are {', '.join(known)}"),
        )

    def _get_value(self, action: argparse.Action, arg_string: str) -> object:
        """Say of what is no number which number there may be; argparse names the type of the language."""
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError:
            if action.type not in _NUMBERS:
                raise
            raise argparse.ArgumentError(action, f"{arg_string!r:.80} is {_NUMBERS[action.type]}") from None


def _add_manners(parser: argparse.ArgumentParser) -> None:
    """Add what every command takes: how much it says, and where."""
    parser.add_argument("--quiet", action="store_true", help="say nothing but warnings and errors")
    parser.add_argument("--verbose", action="store_true", help="say more, and where errors come from")
    parser.add_argument(
        "--log-file",
        type=Path,
        metavar="FILE",
        help="write warnings, errors and a line a minute about progress to the end of FILE (.log or .txt)",
    )


def _command_first(arguments: Sequence[str]) -> list[str]:
    """The same with what every command takes behind the command, if it stood before it."""
    rest = list(arguments)
    moved: list[str] = []
    while rest and rest[0].partition("=")[0] in {"--quiet", "--verbose", "--log-file"}:
        count = 2 if rest[0] == "--log-file" else 1
        moved, rest = moved + rest[:count], rest[count:]
    end = rest.index("--") if "--" in rest else len(rest)
    return rest[:end] + moved + rest[end:]


def _check_dashes(arguments: Sequence[str]) -> None:
    """Refuse a file whose name would be read as an option, as patterns of a shell give it.

    Raises:
        OptionError: there is one.
    """
    for word in takewhile(lambda each: each != "--", arguments):
        if word.startswith("-") and Path(word).suffix and os.path.lexists(word):
            raise OptionError(f"{word} is a file here, and its name begins as an option does: say ./{word}.")


def _unknown_text(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> str:
    """Say which arguments are not known, and which options are spelt nearly so or end in the same name."""
    names = parser._option_string_actions
    word = unknown[0].partition("=")[0]
    ending = [name for name in names if name.endswith(f".{word.lstrip('-')}")]
    near = dict.fromkeys(ending + get_close_matches(word, names, cutoff=0.75)) if word.startswith("-") else ()
    return f"unrecognized arguments: {' '.join(unknown)}" + (f"; near are {', '.join(near)}" if near else "")
