"""Encode a video into a .tube file.

The file holds the quantised latent, entropy-coded in chunks that each decode alone, and the audio as it was.
It is decoded by `tubelet decode`, from any point, at any smaller number of channels. With a budget, channels
go where they matter most.

for example:
  tubelet encode holiday.mp4 -o holiday.tube
  tubelet encode holiday.mp4 -o small.tube --channels 16 --step 2
  tubelet encode holiday.mp4 -o small.tube --budget 8
  tubelet encode holiday.mp4 -o small.tube --bits-per-pixel 0.05 --two-pass
  tubelet encode holiday.mp4 -o small.tube --bitrate 500k
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli import budgets, options
from tubelet.cli.console import show_table
from tubelet.cli.progress import progress

if TYPE_CHECKING:
    from tubelet.codec.report import TubeReport

NAME = "encode"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("input", type=Path, metavar="IN", help="a video, an image, a GIF, or frames as .npy")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.tube", help="file to write")
    options.add_tokenizer(parser)
    options.add_channels(parser)
    options.add_step(parser)
    budgets.add_budget(parser)
    budgets.add_prior(parser)
    options.add_json(parser)
    options.add_common(parser)


def run(arguments: argparse.Namespace) -> None:
    """Encode, then say what the file holds."""
    from tubelet.codec.encode import encode_file
    from tubelet.results import write_results

    options.check_outputs(
        [arguments.output],
        arguments.json,
        inputs=[arguments.input],
        tokenizer=arguments.tokenizer,
        force=arguments.force,
    )
    budget = budgets.budget_of(arguments)
    with progress("encoding") as shown:
        given = options.file_options(arguments, shown)
        given["prior"] = not arguments.no_prior
        report = encode_file(
            arguments.input,
            arguments.output,
            tokenizer=arguments.tokenizer,
            channels=arguments.channels,
            step=arguments.step,
            budget=budget,
            two_pass=arguments.two_pass,
            **given,
        )
    with options.tables_beside(arguments.json):
        show_table(tube_rows(arguments.output, report))
    if arguments.json is not None:
        figures = {name: getattr(report, name) for name in report.__slots__}
        write_results(arguments.json, protocol="tubelet encode", figures=figures, force=arguments.force)


def _mean(report: "TubeReport") -> str:
    """How many channels a position has, where that differs."""
    if report.mean_channels is None:
        return ""
    return f", {report.mean_channels:.2f} channels per position in the mean"


def tube_rows(path: Path, report: "TubeReport") -> list[tuple[str, str]]:
    """What a .tube file holds, as rows of a table."""
    coded = report.bytes_total - report.bytes_audio
    return [
        ("file", str(path)),
        ("clip", f"{report.frames} frames of {report.width}x{report.height}"),
        ("latent", f"{report.channels} channels, {report.steps} steps{_mean(report)}"),
        ("size", f"{options.bytes_text(report.bytes_total)}, {report.bits_per_pixel:.4f} bits per pixel"),
        (
            "of it",
            f"{options.bytes_text(report.bytes_symbols)} symbols, {options.bytes_text(report.bytes_tables)} "
            f"tables, {options.bytes_text(report.bytes_headers)} headers, "
            f"{options.bytes_text(report.bytes_audio)} audio",
        ),
        ("smaller by", f"{report.frames * report.height * report.width * 3 / coded:.1f}:1 in bytes"),
    ]
