"""Print what lets a shell complete commands, options and files.

for example:
  tubelet completion bash > ~/.local/share/bash-completion/completions/tubelet
  tubelet completion zsh > ~/.zfunc/_tubelet          a folder of $fpath
"""

import argparse
from pathlib import Path

NAME = "completion"

SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"one of {', '.join(SHELLS)}")


def run(arguments: argparse.Namespace) -> None:
    """Print the script of a shell."""
    print(script(arguments.program, arguments.shell))


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """What a shell reads to complete the command line of a parser.

    Args:
        parser: of a program with commands; its actions that take paths are marked.
        shell: one of `SHELLS`.

    Raises:
        OptionError: shtab is not installed.
    """
    from tubelet.extras import extra_package

    shtab = extra_package("shtab", extra="completion", need="scripts for shells are made by it")
    for command in _commands(parser):
        for action in command._actions:
            if action.type is Path or action.metavar in {"IN", "DATA", "FILE", "NAME|DIR", "A", "B"}:
                action.complete = shtab.FILE  # pyright: ignore[reportAttributeAccessIssue]  shtab reads it there
    return shtab.complete(parser, shell=shell)


def _commands(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parsers of a program's commands."""
    return [
        command
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for command in dict.fromkeys(action.choices.values())
    ]
