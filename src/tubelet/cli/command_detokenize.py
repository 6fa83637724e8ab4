"""Turn a file of tokens back into a video.

The suffix of the output chooses the format, as in `tubelet decode`, which decodes a part of a .tube file as
well. Audio and timestamps are in .tube files only; frames of others are shown at the rate that they name.

for example:
  tubelet detokenize holiday.tube -o holiday.mp4
  tubelet detokenize holiday.npz -o holiday.mp4 --tokenizer runs/my-tokenizer
  tubelet detokenize clips.parquet --clip 3 -o third.mkv
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from tubelet.cli import options
from tubelet.cli.progress import progress
from tubelet.files.names import text_name

NAME = "detokenize"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("input", type=Path, metavar="IN", help="a .tube, .npz or .parquet file of tokens")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="video to write")
    parser.add_argument(
        "--clip", type=int, metavar="N", help="which clip of a table, from 0 (default: the only one)"
    )
    options.add_tokenizer(parser)
    options.add_common(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Decode, then say what was written."""
    from tubelet.codec.tokens.detokenize import detokenize_file

    options.check_outputs([], arguments.json, inputs=[arguments.input], force=arguments.force)
    with progress("detokenizing") as shown:
        report = detokenize_file(
            arguments.input,
            arguments.output,
            clip=arguments.clip,
            tokenizer=arguments.tokenizer,
            **options.file_options(arguments, shown),
        )
    rows = [("file", str(arguments.output)), ("frames", f"0 to {report.frames - 1}")]
    options.show_result(arguments, rows, {"file": text_name(str(arguments.output))} | asdict(report))
