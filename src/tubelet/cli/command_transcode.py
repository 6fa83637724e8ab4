"""Write a .tube file of any version again, in the newest one.

Pixels are not decoded and no tokenizer is needed: the symbols, the timestamps and the audio are those of the
old file, and both decode to the same frames. With --channels, to those that the old file gives with so many.

for example:
  tubelet transcode old.tube -o new.tube
  tubelet transcode large.tube -o small.tube --channels 16
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli import budgets, options
from tubelet.cli.console import show_table
from tubelet.cli.progress import progress
from tubelet.spelling import counted

if TYPE_CHECKING:
    from tubelet.codec.transcode import TranscodeReport

NAME = "transcode"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("input", type=Path, metavar="OLD.tube", help="file to read")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="NEW.tube", help="file to write")
    parser.add_argument(
        "--channels",
        type=int,
        metavar="K",
        help="keep the K most important channels of a latent only (default: all)",
    )
    parser.add_argument(
        "--memory",
        type=options.size,
        default=1 << 30,
        metavar="SIZE",
        help="what a chunk of symbols may take, such as 512MiB (default: 1GiB)",
    )
    budgets.add_prior(parser)
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Transcode, then say what became of the file."""
    from tubelet.codec.models import prior_of_header
    from tubelet.codec.transcode import transcode_file
    from tubelet.results import write_results

    options.check_outputs([arguments.output], arguments.json, inputs=[arguments.input], force=arguments.force)
    with progress("transcoding") as shown:
        report = transcode_file(
            arguments.input,
            arguments.output,
            channels=arguments.channels,
            prior_for=None if arguments.no_prior else prior_of_header,
            memory=arguments.memory,
            force=arguments.force,
            on_total=shown.expect,
            on_frames=shown,
        )
    with options.tables_beside(arguments.json):
        show_table(_rows(arguments.output, report))
    if arguments.json is not None:
        figures = {name: getattr(report, name) for name in report.__slots__}
        write_results(arguments.json, protocol="tubelet transcode", figures=figures, force=arguments.force)


def _rows(path: Path, report: "TranscodeReport") -> list[tuple[str, str]]:
    """What became of a file, as rows of a table."""
    size, before = options.bytes_text(report.bytes_total), options.bytes_text(report.bytes_before)
    return [
        ("file", str(path)),
        ("version", f"{report.version}, before {report.version_before}"),
        ("clip", f"{counted(report.frames, 'frame')} of {report.width}x{report.height}"),
        ("content", f"{counted(report.channels, 'channel')}, {counted(report.steps, 'step')}"),
        ("size", f"{size}, before {before}: {100 * report.bytes_total / report.bytes_before:.2f} %"),
        (
            "of it",
            f"{options.bytes_text(report.bytes_symbols)} symbols, {options.bytes_text(report.bytes_tables)} "
            f"tables, {options.bytes_text(report.bytes_headers)} headers, "
            f"{options.bytes_text(report.bytes_audio)} audio",
        ),
    ]
