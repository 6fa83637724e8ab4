"""Make a clip, reconstruct it, and show both side by side.

The clip is made on the spot from photographs that scikit-image carries, with the motion of a camera (pan,
zoom, rotation, layers at several depths). It is not a recorded video; for that, `tubelet reconstruct my.mp4`.
"""

import argparse
from pathlib import Path

from tubelet.cli import options
from tubelet.cli.command_reconstruct import reconstruct
from tubelet.files import output_errors, printable

NAME = "demo"

_FILES = ("made-from-photographs.mkv", "side-by-side.mp4", "figures.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("demo"),
        metavar="DIR",
        help="folder for the files (default: demo)",
    )
    parser.add_argument("--force", action="store_true", help="replace files of a demo in DIR")
    options.add_tokenizer(parser, default="tubelet-m-rate")
    options.add_channels(parser)
    options.add_step(parser)
    options.add_refine(parser)


def run(arguments: argparse.Namespace) -> None:
    """Make the clip, reconstruct it, and say where everything is."""
    from fractions import Fraction

    import numpy as np

    from tubelet.cli.progress import progress
    from tubelet.codec.options import seed_of
    from tubelet.codec.reconstruct import tube_beside
    from tubelet.data.photographs import DEMO_FRAMES, check_photographs, moving_photographs
    from tubelet.video.write import Writer

    folder = arguments.output
    check_photographs()
    seed_of(arguments.seed, refine=arguments.refine)
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    clip, output, figures = (folder / name for name in _FILES)
    options.check_outputs(
        [clip, output, tube_beside(output)],
        figures,
        inputs=[],
        tokenizer=arguments.tokenizer,
        force=arguments.force,
    )
    with progress("making the clip", total=DEMO_FRAMES) as advance:
        frames = moving_photographs(DEMO_FRAMES, height=360, width=640)
        with Writer(clip, width=640, height=360, time_base=Fraction(1, 24), force=arguments.force) as writer:
            for index, frame in enumerate(frames):
                writer.write(frame[None], np.array([index]))
                advance(1)
    print("clip       made from scikit-image's photographs with camera-like motion; no recorded video")
    arguments.input = clip
    arguments.side_by_side, arguments.no_audio = True, False
    arguments.memory, arguments.json = 1 << 30, figures
    reconstruct(arguments, output=output)
    print(f"\nplay {printable(output)}: the clip at the left, what came back at the right")
