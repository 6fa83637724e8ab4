"""Say what a file or folder holds, without decoding it.

It knows videos, images and arrays of frames; .tube files; tokens as .npz and .parquet; folders of tokenizers,
exported tokenizers, training runs, prepared crops, data sets and results; files of figures; states of streams
and weights of networks.

Of a .tube file it says where the bytes went, and --map draws how many channels its positions have, where a
budget chose, and --motion how things move, where its tokenizer looks for motion (pip install
'tubelet[plots]').

for example:
  tubelet info my.mp4
  tubelet info my.mp4 --check
  tubelet info run --json
  tubelet info my.tube --map map.png
  tubelet info my.tube --motion field.png
"""

import argparse
import json
from pathlib import Path

from tubelet.cli import options
from tubelet.cli.console import show_table
from tubelet.errors import OptionError

NAME = "info"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("input", type=Path, metavar="FILE", help="a video, or any file or folder of tubelet")
    parser.add_argument(
        "--check", action="store_true", help="read all of a video or .tube file, and say what is damaged"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--map",
        type=Path,
        metavar="MAP.png",
        help="draw the map of counts of a .tube file: .png .svg .pdf",
    )
    parser.add_argument(
        "--motion",
        type=Path,
        metavar="FIELD.png",
        help="draw the motion that a .tube file holds as arrows: .png .svg .pdf",
    )
    parser.add_argument("--force", action="store_true", help="replace the picture if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Print what there is to know."""
    from tubelet.cli.contents import facts_of

    if arguments.map is not None:
        _check_picture(arguments, arguments.map, "a picture of a map", "have a map of counts")
    if arguments.motion is not None:
        _check_picture(arguments, arguments.motion, "a picture of motion", "hold motion")
    facts = facts_of(arguments.input, check=arguments.check)
    if arguments.map is not None:
        facts["map"] = str(arguments.map)
        _draw_map(arguments)
    if arguments.motion is not None:
        facts["motion"] = str(arguments.motion)
        _draw_motion(arguments)
    if arguments.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        show_table([(name, _text(value)) for name, value in facts.items()])


def _check_picture(arguments: argparse.Namespace, picture: Path, what: str, has: str) -> None:
    """Raise before any work is done if no picture can be drawn."""
    from tubelet.files import check_suffix
    from tubelet.report.plots import SUFFIXES

    if arguments.input.suffix.lower() != ".tube":
        raise OptionError(f"{arguments.input} is not a .tube file; only such files {has}.")
    check_suffix(picture, SUFFIXES, what)
    options.check_outputs([picture], None, inputs=[arguments.input], force=arguments.force)


def _draw_map(arguments: argparse.Namespace) -> None:
    """Write the picture of a file's map of counts."""
    from tubelet.cli.contents.tubes import open_reader
    from tubelet.report.counts_map import draw_maps, read_maps

    with open_reader(arguments.input) as reader:
        maps = read_maps(reader, arguments.input)
    draw_maps(maps, arguments.map, force=arguments.force)


def _draw_motion(arguments: argparse.Namespace) -> None:
    """Write the picture of a file's motion."""
    from tubelet.cli.contents.tubes import open_reader
    from tubelet.report.motion_field import draw_field, read_field

    with open_reader(arguments.input) as reader:
        field = read_field(reader, arguments.input)
    draw_field(field, arguments.motion, force=arguments.force)


def _text(value: object) -> str:
    match value:
        case {"bytes": int(count), "percent": float(percent)}:
            return f"{options.bytes_text(count)}, {percent:.2f} %"
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
