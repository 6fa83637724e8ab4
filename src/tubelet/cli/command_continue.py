"""Continue a video: write it, and after it what a tokenizer predicts.

The source's frames are written as they are; those after them are the decoder's guess: sharp for a few frames,
and softer after that. The tokenizer must have learnt to predict (`tubelet train predictive` makes others).

for example:
  tubelet continue holiday.mp4 -o longer.mp4
  tubelet continue holiday.mp4 --seconds 0.5 -o longer.mp4
  tubelet continue holiday.mp4 --tokenizer my-predict -o longer.mp4
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from tubelet.cli import options
from tubelet.cli.progress import progress
from tubelet.files.names import text_name

NAME = "continue"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("input", type=Path, metavar="IN", help="a video, an image, a GIF, or frames as .npy")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="video to write")
    parser.add_argument(
        "--seconds", type=options.seconds, default=1.0, metavar="S", help="how much is predicted (default: 1)"
    )
    parser.add_argument(
        "--tokenizer",
        metavar="NAME|DIR",
        help="a tokenizer that predicts: a shipped one (default: tubelet-predict) or a checkpoint's folder",
    )
    options.add_device(parser)
    options.add_common(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Continue, and say by how much."""
    from tubelet.codec.continuation import continue_file

    options.check_outputs(
        [arguments.output],
        arguments.json,
        inputs=[arguments.input],
        tokenizer=arguments.tokenizer,
        force=arguments.force,
    )
    with progress("continuing") as shown:
        done = continue_file(
            arguments.input,
            arguments.output,
            seconds=arguments.seconds,
            tokenizer=arguments.tokenizer,
            **options.file_options(arguments, shown),
        )
    beyond = done.steps - done.learnt
    last = "last step is" if beyond == 1 else f"last {beyond} steps are"
    note = [("note", f"the {last} farther ahead than it has learnt")]
    rows = [
        ("video", str(arguments.output)),
        ("frames", f"{done.frames} of the source, {done.ahead} predicted"),
        ("steps", f"{done.steps} predicted; the tokenizer has learnt {done.learnt}"),
        *(note if beyond > 0 else []),
        ("tokenizer", done.tokenizer),
    ]
    options.show_result(arguments, rows, {"video": text_name(str(arguments.output))} | asdict(done))
