"""Say what a file or folder holds, without decoding it.

It knows videos, images and arrays of frames; .tube files; tokens as .npz and .parquet; folders of tokenizers,
training runs, prepared crops and results; files of figures; states of streams and weights of networks.

for example:
  tubelet info my.mp4
  tubelet info my.mp4 --check
  tubelet info run --json
"""

import argparse
import json
from pathlib import Path

from tubelet.cli.console import show_table

NAME = "info"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("input", type=Path, metavar="FILE", help="a video, or any file or folder of tubelet")
    parser.add_argument("--check", action="store_true", help="read all of a video, and say what is damaged")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> None:
    """Print what there is to know."""
    from tubelet.cli.contents import facts_of

    facts = facts_of(arguments.input, check=arguments.check)
    if arguments.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        show_table([(name, _text(value)) for name, value in facts.items()])


def _text(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
        case list():
            return "; ".join(_text(each) for each in value) or "none"
        case _:
            return str(value)
