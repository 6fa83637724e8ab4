"""Render clips of moving things, with captions and with the truth about them.

Shapes, letters, digits and emoji move over plain grounds, gradients and photographs: eight directions, three
speeds; they bounce, turn, grow and hide one another, and the camera pans. Beside each clip lie its caption
(.txt) and what is true of it (.json: what each thing is, and where it is in every frame); manifest.csv lists
them all. The same seed gives the same clips.

for example:
  tubelet scenes -o clips --count 100
  tubelet scenes -o clips --count 1000 --seed 7 --objects 1..3 --size 128x96 --frames 49 --kinds shape digit
  tubelet scenes -o unseen --count 100 --combinations held-out
"""

import argparse
import re
from pathlib import Path

from tubelet.cli.console import show_table
from tubelet.cli.progress import progress
from tubelet.spelling import counted

NAME = "scenes"

_KINDS = ("shape", "letter", "digit", "emoji")
_GROUNDS = ("plain", "gradient", "photograph")
_SHARES = {
    "still": "things that stay in place",
    "bounce": "things that turn back at the edges, at least",
    "spin": "things that turn",
    "grow": "things that grow or shrink",
    "pan": "clips in which the camera pans",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="CLIPS", help="folder to write")
    parser.add_argument("--count", type=int, required=True, metavar="N", help="clips to render")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the random choices (default: 0)")
    parser.add_argument(
        "--objects",
        type=_span,
        default=(1, 1),
        metavar="N|N..M",
        help="things in a clip, such as 1..3 (default: 1)",
    )
    parser.add_argument(
        "--size", type=_size, default=(64, 64), metavar="WxH", help="of the frames (default: 64x64)"
    )
    parser.add_argument("--frames", type=int, default=33, metavar="T", help="of a clip (default: 33)")
    parser.add_argument("--fps", type=float, default=24.0, help="frames per second (default: 24)")
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=_KINDS,
        default=["shape"],
        help="of things; emoji want the extra scenes and a colour font, such as the package "
        "fonts-noto-color-emoji, or the file that TUBELET_EMOJI_FONT names (default: shape)",
    )
    parser.add_argument(
        "--grounds",
        nargs="+",
        choices=_GROUNDS,
        default=["plain", "gradient"],
        help="behind the things; photographs come with the extra scenes (default: plain gradient)",
    )
    parser.add_argument(
        "--combinations",
        choices=("all", "seen", "held-out"),
        default="all",
        help="of colour, shape and direction: all, or without the tenth that is held out, or that alone",
    )
    for name, what in _SHARES.items():
        parser.add_argument(f"--{name}", type=float, metavar="SHARE", help=f"share of {what}, 0 to 1")
    parser.add_argument(
        "--format",
        choices=("mp4", "mkv", "npy"),
        default="mp4",
        help="mp4 is small, mkv and npy are without loss (default: mp4)",
    )
    parser.add_argument("--force", action="store_true", help="replace a folder of rendered clips")


def run(arguments: argparse.Namespace) -> None:
    """Render the clips, and say what there is."""
    from tubelet.data.scenes import SceneOptions
    from tubelet.data.scenes.write import MANIFEST, write_scenes

    width, height = arguments.size
    shares = {name: vars(arguments)[name] for name in _SHARES if vars(arguments)[name] is not None}
    options = SceneOptions(
        height=height,
        width=width,
        frames=arguments.frames,
        fps=arguments.fps,
        things=arguments.objects,
        kinds=tuple(dict.fromkeys(arguments.kinds)),
        grounds=tuple(dict.fromkeys(arguments.grounds)),
        combinations=arguments.combinations,
        **shares,
    )
    with progress("rendering", total=arguments.count, unit="clips") as advance:
        write_scenes(
            arguments.output,
            count=arguments.count,
            seed=arguments.seed,
            options=options,
            suffix=f".{arguments.format}",
            force=arguments.force,
            on_clip=advance,
        )
    frames = counted(options.frames, "frame")
    show_table(
        [
            ("clips", f"{arguments.count} of {frames}, {width}x{height}, in {arguments.output}"),
            ("beside each", "caption (.txt), scene and truth (.json)"),
            ("all captions", str(arguments.output / MANIFEST)),
        ]
    )


def _span(text: str) -> tuple[int, int]:
    """Read ``2`` or ``1..3``."""
    match = re.fullmatch(r"([1-9]\d?)(?:\.\.([1-9]\d?))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of things from 1 to 99; give one such as 2 or 1..3."
        )
    return int(match[1]), int(match[2] or match[1])


def _size(text: str) -> tuple[int, int]:
    """Read ``96x64``: columns and rows."""
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; give columns x rows, such as 96x64.")
    return int(match[1]), int(match[2])
