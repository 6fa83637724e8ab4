"""Compare any two videos by every measure that needs no weights.

The second is compared with the first, frame by frame. A measure that cannot be taken is absent, and why is
said.

for example:
  tubelet compare film.mp4 film.tubelet.mp4
  tubelet compare film.mp4 other.mp4 --frames 100 -o figures.json
"""

import argparse
import math
from pathlib import Path

from tubelet.cli import options
from tubelet.files.names import text_name
from tubelet.spelling import counted

NAME = "compare"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("reference", type=Path, metavar="A", help="the video that is right")
    parser.add_argument("other", type=Path, metavar="B", help="the video that is compared with it")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="REPORT",
        help="write figures and curves as JSON too; - is standard output",
    )
    parser.add_argument("--frames", type=int, metavar="N", help="compare the first N frames only")
    parser.add_argument("--force", action="store_true", help="replace REPORT if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Compare, print a table, and write the figures if asked to."""
    from tubelet.cli.console import show_table
    from tubelet.cli.progress import progress
    from tubelet.evaluate.compare import PROTOCOL, compare_files
    from tubelet.evaluate.measures import describe
    from tubelet.results import write_results
    from tubelet.video.probe import probe

    options.check_outputs(
        [], arguments.output, inputs=[arguments.reference, arguments.other], force=arguments.force
    )
    total = arguments.frames or probe(arguments.reference).frames
    with progress("comparing", total=total) as advance:
        found = compare_files(
            arguments.reference, arguments.other, frames=arguments.frames, on_frames=advance
        )
    measured = found.measured
    about = describe([*measured.figures, *measured.absent])
    rows = [
        (name, _text(value), about[name]["better"], about[name]["group"].replace("_", " "))
        for name, value in measured.figures.items()
    ]
    with options.tables_beside(arguments.output):
        print(f"{counted(found.frames, 'frame')} of {found.width}x{found.height}\n")
        show_table(rows, header=("measure", "figure", "better is", "of"))
        for name, why in measured.absent.items():
            print(f"{name} is absent: {why}")
    if arguments.output is not None:
        figures = {
            "reference": text_name(str(arguments.reference)),
            "other": text_name(str(arguments.other)),
            "frames": found.frames,
            "height": found.height,
            "width": found.width,
            "measures": about,
            "figures": measured.figures,
            "curves": measured.curves,
            "absent": measured.absent,
        }
        write_results(arguments.output, protocol=PROTOCOL, figures=figures, force=arguments.force)


def _text(value: float) -> str:
    return f"{value:.5g}" if math.isfinite(value) else "∞" if value > 0 else "-∞"
