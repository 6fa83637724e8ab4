"""Decode a .tube file, or a part of it, into a video.

The suffix of the output chooses the format: .mp4 .mov (H.264), .webm (VP9), .mkv (lossless), .npy (an array
of frames), .png .jpg .webp (exactly one frame). A part may start at any frame and is the same as in a full
decode.

for example:
  tubelet decode holiday.tube -o holiday.mp4
  tubelet decode holiday.tube -o detail.mkv --start 1:30 --end 1:35.5
  tubelet decode holiday.tube -o coarse.webm --channels 8
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from tubelet.cli import options
from tubelet.cli.progress import progress
from tubelet.files.names import text_name

NAME = "decode"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("input", type=Path, metavar="IN.tube", help="file to decode")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="file to write")
    parser.add_argument(
        "--start",
        type=options.seconds,
        metavar="S",
        help="first moment: seconds, or h:m:s (default: the beginning)",
    )
    parser.add_argument(
        "--end",
        type=options.seconds,
        metavar="S",
        help="moment to stop before: seconds, or h:m:s (default: the end)",
    )
    options.add_channels(parser)
    options.add_refine(parser)
    options.add_tokenizer(parser)
    options.add_common(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Decode, then say what was written."""
    from tubelet.codec.decode import decode_file

    options.check_outputs([], arguments.json, inputs=[arguments.input], force=arguments.force)
    with progress("decoding") as shown:
        report = decode_file(
            arguments.input,
            arguments.output,
            start=arguments.start,
            end=arguments.end,
            channels=arguments.channels,
            refine=arguments.refine,
            seed=arguments.seed,
            tokenizer=arguments.tokenizer,
            **options.file_options(arguments, shown),
        )
    last = report.first_frame + report.frames - 1
    rows = [("file", str(arguments.output)), ("frames", f"{report.first_frame} to {last}")]
    options.show_result(arguments, rows, {"file": text_name(str(arguments.output))} | asdict(report))
