"""Encode videos into .tube files.

The file holds the quantised latent, entropy-coded in chunks that each decode alone, and the audio as it was.
It is decoded by `tubelet decode`, from any point, at any smaller number of channels. With a budget, channels
go where they matter most. Several videos (also folders, patterns and lists) go into a folder, a file each;
the same command goes on where it ended, and a clip that fails is named and costs the others nothing.

for example:
  tubelet encode holiday.mp4 -o holiday.tube
  tubelet encode holiday.mp4 -o small.tube --channels 16 --step 2
  tubelet encode holiday.mp4 -o small.tube --budget 8
  tubelet encode holiday.mp4 -o small.tube --bits-per-pixel 0.05 --two-pass
  tubelet encode holiday.mp4 -o small.tube --bitrate 500k
  tubelet encode clips/ -o tubes
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli import budgets, options, sources
from tubelet.cli.console import show_table
from tubelet.cli.progress import progress
from tubelet.spelling import counted

if TYPE_CHECKING:
    from tubelet.codec.report import TubeReport
    from tubelet.jobs.rows import Row
    from tubelet.video.ranges import AnyVideo

NAME = "encode"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    sources.add_sources(parser, what=f"a video, an image, a GIF, or frames as .npy; or {sources.SOURCES}")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help=".tube file to write, or a folder"
    )
    sources.add_on_error(parser)
    options.add_tokenizer(parser, default="tubelet-m-rate")
    options.add_channels(parser)
    options.add_step(parser)
    budgets.add_budget(parser)
    budgets.add_prior(parser)
    options.add_json(parser)
    options.add_common(parser)


def run(arguments: argparse.Namespace) -> None:
    """Encode, then say what the files hold."""
    from tubelet.codec.encode import encode_file
    from tubelet.jobs.sources import local_copies
    from tubelet.results import write_results

    rows = sources.rows_of(arguments)
    if not sources.is_one_file(arguments, rows):
        _encode_several(arguments, rows)
        return
    options.check_outputs(
        [arguments.output],
        arguments.json,
        inputs=[Path(rows[0].path)],
        tokenizer=arguments.tokenizer,
        force=arguments.force,
    )
    budget = budgets.budget_of(arguments)
    with progress("encoding") as shown, local_copies(rows) as copies, copies.opened(rows[0].video) as video:
        given = options.file_options(arguments, shown)
        given["prior"] = not arguments.no_prior
        report = encode_file(
            video,
            arguments.output,
            tokenizer=arguments.tokenizer,
            channels=arguments.channels,
            step=arguments.step,
            budget=budget,
            two_pass=arguments.two_pass,
            contrast=budgets.contrast_of(arguments),
            **given,
        )
    with options.tables_beside(arguments.json):
        show_table(tube_rows(arguments.output, report))
    if arguments.json is not None:
        write_results(
            arguments.json, protocol="tubelet encode", figures=asdict(report), force=arguments.force
        )


def _encode_several(arguments: argparse.Namespace, rows: "Sequence[Row]") -> None:
    """Into a folder, file by file."""
    from tubelet.codec.encode import encode_file
    from tubelet.codec.open_clip import as_checkpoint

    budget = budgets.budget_of(arguments)
    contrast = budgets.contrast_of(arguments)
    work = sources.FolderWork(arguments, rows, suffix=".tube")
    checkpoint = as_checkpoint(arguments.tokenizer, arguments.device)
    settings = {
        "content": "a latent",
        "tokenizer": checkpoint.name,
        "tokenizer_sha256": checkpoint.sha256,
        "channels": arguments.channels,
        "step": arguments.step,
        "budget": None if budget is None else repr(budget),
        "two_pass": arguments.two_pass,
        "prior": not arguments.no_prior,
        "audio": not arguments.no_audio,
    }
    if budget is not None:
        # Not stated where there is none, so that such folders are what they were.
        settings["contrast"] = contrast

    def make(video: "AnyVideo", target: Path) -> "TubeReport":
        return encode_file(
            video,
            target,
            tokenizer=checkpoint,
            channels=arguments.channels,
            step=arguments.step,
            budget=budget,
            two_pass=arguments.two_pass,
            contrast=contrast,
            prior=not arguments.no_prior,
            audio=not arguments.no_audio,
            memory=arguments.memory,
            force=True,
        )

    work.do(
        "encoding",
        make,
        made_from=settings,
        figures=asdict,
        table=tube_rows,
        protocol="tubelet encode",
    )


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
        ("clip", f"{counted(report.frames, 'frame')} of {report.width}x{report.height}"),
        ("latent", f"{counted(report.channels, 'channel')}, {counted(report.steps, 'step')}{_mean(report)}"),
        ("size", f"{options.bytes_text(report.bytes_total)}, {report.bits_per_pixel:.4f} bits per pixel"),
        (
            "of it",
            f"{options.bytes_text(report.bytes_symbols)} symbols, {options.bytes_text(report.bytes_tables)} "
            f"tables, {options.bytes_text(report.bytes_headers)} headers, "
            f"{options.bytes_text(report.bytes_audio)} audio",
        ),
        ("smaller by", f"{report.frames * report.height * report.width * 3 / coded:.1f}:1 in bytes"),
    ]
