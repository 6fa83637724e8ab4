"""Show what is seen in one video, moved as another video moves.

Needs a tokenizer whose latent has structure and dynamics (`tubelet train twin`). Both videos have the same
size; the result is as long as the shorter one.

for example:
  tubelet swap ball.mp4 star.mp4 -o swap.mp4           the ball, moving as the star does
  tubelet swap ball.mp4 star.mp4 --tokenizer mine -o swap.mkv
  tubelet swap ball.mp4 star.mp4 --panels -o four.mp4  both, and below each with the motion of the other
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from tubelet.cli import options
from tubelet.cli.progress import progress
from tubelet.files.names import text_name

NAME = "swap"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("structure", type=Path, metavar="A", help="video whose things are seen")
    parser.add_argument("dynamics", type=Path, metavar="B", help="video whose motion they have")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="video to write")
    parser.add_argument(
        "--panels", action="store_true", help="show four videos: both, and below each with the other's motion"
    )
    options.add_tokenizer(parser)
    options.add_memory(parser)
    options.add_json(parser)
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Swap, then say what was written."""
    from tubelet.codec.swap import swap_files

    options.check_outputs(
        [arguments.output],
        arguments.json,
        inputs=[arguments.structure, arguments.dynamics],
        tokenizer=arguments.tokenizer,
        force=arguments.force,
    )
    with progress("swapping") as shown:
        report = swap_files(
            arguments.structure,
            arguments.dynamics,
            arguments.output,
            tokenizer=arguments.tokenizer,
            panels=arguments.panels,
            memory=arguments.memory,
            device=arguments.device,
            force=arguments.force,
            on_total=shown.expect,
            on_frames=shown,
        )
    rows = [
        ("video", str(arguments.output)),
        ("frames", f"{report.frames} of {report.width}x{report.height}"),
        ("structure", str(arguments.structure)),
        ("dynamics", str(arguments.dynamics)),
        ("tokenizer", report.tokenizer),
    ]
    names = {name: text_name(str(getattr(arguments, name))) for name in ("structure", "dynamics")}
    figures = {"video": text_name(str(arguments.output))} | names | asdict(report)
    options.show_result(arguments, rows, figures)
