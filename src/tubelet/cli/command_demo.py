"""Make a clip, reconstruct it, and show both side by side.

The clip is made on the spot from photographs that scikit-image carries, with the motion of a camera (pan,
zoom, rotation, layers at several depths). It is no recorded video; for that, `tubelet reconstruct my.mp4`.
"""

import argparse
from pathlib import Path

from tubelet.cli import options
from tubelet.cli.command_reconstruct import reconstruct

NAME = "demo"


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
    options.add_tokenizer(parser)
    options.add_channels(parser)
    options.add_step(parser)


def run(arguments: argparse.Namespace) -> None:
    """Make the clip, reconstruct it, and say where everything is."""
    from fractions import Fraction

    import numpy as np

    from tubelet.cli.console import progress
    from tubelet.data.photographs import DEMO_FRAMES, check_photographs, moving_photographs
    from tubelet.video.write import Writer

    folder = arguments.output
    check_photographs()
    folder.mkdir(parents=True, exist_ok=True)
    clip = folder / "made-from-photographs.mkv"
    with progress("making the clip", total=DEMO_FRAMES) as advance:
        frames = moving_photographs(DEMO_FRAMES, height=360, width=640)
        with Writer(clip, width=640, height=360, time_base=Fraction(1, 24), force=True) as writer:
            for index, frame in enumerate(frames):
                writer.write(frame[None], np.array([index]))
                advance(1)
    print("clip       made from scikit-image's photographs with camera-like motion; no recorded video")
    arguments.input = clip
    arguments.side_by_side, arguments.no_audio, arguments.force = True, False, True
    arguments.memory, arguments.json = 1 << 30, folder / "figures.json"
    reconstruct(arguments, output=folder / "side-by-side.mp4")
    print(f"\nplay {folder / 'side-by-side.mp4'}: the clip at the left, what came back at the right")
