"""Encode many videos into a data set of latents or tokens, to train on.

Sources are folders, videos, patterns, lists (.csv, .jsonl and .parquet with a column path and perhaps start,
end and caption; .txt with a path a line) and - for a list on standard input. The data set is a folder of
shards: tar files of WebDataset, tables of Parquet, or .tube files. When the same command is given again it
goes on where it ended, however that was; a clip that fails is listed in errors.jsonl, and the exit code is 1.

for example:
  tubelet encode-dataset clips/ -o latents
  tubelet encode-dataset index.csv -o latents --short-side 256 --fps 12 --format parquet
  tubelet encode-dataset clips/ -o latents --budget 8            channels per position, where they matter
  tubelet encode-dataset clips/ -o tokens --tokenizer tubelet-fsq
  tubelet encode-dataset index.jsonl -o latents --shard 3/16     one of 16 machines
"""

import argparse
import re
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli import budgets, options, sources
from tubelet.cli.console import going_on, show_table
from tubelet.cli.progress import progress
from tubelet.errors import DamageWarning, LossWarning, OptionError, TubeletWarning
from tubelet.spelling import counted

if TYPE_CHECKING:
    from tubelet.jobs.bulk.bulk import BulkEncoding, BulkReport, Share

NAME = "encode-dataset"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="folders, videos, patterns, lists, or -")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DATASET", help="folder of the data set"
    )
    parser.add_argument(
        "--format",
        choices=["webdataset", "parquet", "tube"],
        default="webdataset",
        help="of the shards (default: webdataset)",
    )
    parser.add_argument(
        "--dtype",
        choices=["float16", "bfloat16", "float32", "int8"],
        default="float16",
        help="of latents (default: float16)",
    )
    parser.add_argument(
        "--shard-size",
        type=options.size,
        default=256 * 10**6,
        metavar="SIZE",
        help="of a shard, about (default: 256MB)",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: as many as cores)")
    parser.add_argument(
        "--engine",
        choices=["local", "ray"],
        default="local",
        help="processes of this machine (default), or actors of Ray",
    )
    parser.add_argument(
        "--address", metavar="RAY", help="of a cluster of Ray, such as auto (default: Ray is begun here)"
    )
    parser.add_argument(
        "--shard",
        type=_share,
        default="0/1",
        metavar="I/N",
        help="make share I of N of the shards, I from 0 on: for N machines that write to one folder",
    )
    parser.add_argument(
        "--short-side", type=int, metavar="PX", help="shrink frames so that their short side has PX pixels"
    )
    parser.add_argument("--fps", metavar="R", help="frames per second, such as 12 or 30000/1001")
    sources.add_captions(parser)
    parser.add_argument(
        "--clip-seconds",
        type=options.seconds,
        metavar="S",
        help="cut videos that are longer into ranges of S",
    )
    parser.add_argument(
        "--overlap",
        type=options.seconds,
        metavar="S",
        help="what a range shares with the one before it (default: nothing)",
    )
    parser.add_argument(
        "--measure", choices=["psnr"], help="psnr: decode each clip again, and store how well it comes back"
    )
    parser.add_argument(
        "--augment", choices=["flip"], help="flip: store each clip mirrored left to right, too"
    )
    parser.add_argument(
        "--batch",
        type=int,
        default=1,
        metavar="N",
        help="encode N clips of one shape at once, for small frames and GPUs (default: 1)",
    )
    sources.add_on_error(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what there is to do, and do nothing")
    parser.add_argument(
        "--memory",
        type=options.size,
        default=1 << 30,
        metavar="SIZE",
        help="what the frames and networks of one process may take (default: 1GiB)",
    )
    options.add_channels(parser)
    options.add_step(parser)
    budgets.add_budget(parser, what="what a clip may take", psnr=False)
    options.add_tokenizer(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Encode, and say what the data set holds."""
    from dataclasses import asdict

    from tubelet.jobs.bulk.run import encode_dataset, prospect
    from tubelet.results import write_results

    options.check_outputs([], arguments.json, inputs=[], force=True)
    bulk = _bulk(arguments)
    began = time.monotonic()
    report = prospect(bulk).report if arguments.dry_run else _encode(bulk, encode_dataset)
    with options.tables_beside(arguments.json):
        show_table(_rows(arguments, report, time.monotonic() - began))
    if arguments.json is not None:
        figures = asdict(report) | {"seconds": round(time.monotonic() - began, 3)}
        write_results(arguments.json, protocol="tubelet encode-dataset", figures=figures, force=True)
    if report.dropped:
        are, were = ("is", "was") if report.dropped == 1 else ("are", "were")
        said = "would be" if arguments.dry_run else were
        clips = counted(report.dropped, "clip")
        text = f"{clips} of {arguments.output} {are} not listed any more and {said} dropped."
        warnings.warn(text, TubeletWarning, stacklevel=1)
    for loss in report.losses:
        warnings.warn(loss.said_of(report.clips), LossWarning, stacklevel=1)
    if report.failed:
        warnings.warn(
            f"{report.failed} of {report.clips} clips failed; {arguments.output / 'errors.jsonl'} says which "
            f"and why. The first, {report.first_failed}",
            DamageWarning,
            stacklevel=1,
        )


def _bulk(arguments: argparse.Namespace) -> "BulkEncoding":
    from tubelet.jobs.bulk.bulk import BulkEncoding
    from tubelet.jobs.bulk.plan import plan_clips
    from tubelet.jobs.bulk.settings import BulkSettings
    from tubelet.jobs.bulk.split import Split, split_rows
    from tubelet.jobs.captions import with_captions
    from tubelet.jobs.sources import read_sources

    settings = BulkSettings(
        tokenizer=arguments.tokenizer,
        format=arguments.format,
        dtype=arguments.dtype,
        channels=arguments.channels,
        step=arguments.step,
        budget=budgets.budget_of(arguments),
        two_pass=arguments.two_pass,
        contrast=arguments.contrast,
        short_side=arguments.short_side,
        fps=arguments.fps,
        mirror=arguments.augment == "flip",
        measure=arguments.measure,
        clip_seconds=arguments.clip_seconds,
        overlap=arguments.overlap or 0.0,
        batch=arguments.batch,
        device=arguments.device,
        memory=arguments.memory,
    )
    rows = with_captions(read_sources(arguments.sources, lines=sys.stdin), arguments.captions)
    if settings.clip_seconds is not None:
        rows = split_rows(rows, Split(seconds=settings.clip_seconds, overlap=settings.overlap), settings)
    elif arguments.overlap is not None:
        raise OptionError("--overlap is what ranges share; give --clip-seconds too, or leave it out.")
    return BulkEncoding(
        clips=plan_clips(rows, mirror=settings.mirror),
        folder=arguments.output,
        settings=settings,
        shard_bytes=arguments.shard_size,
        workers=arguments.workers,
        share=arguments.shard,
        on_error=arguments.on_error,
        engine=arguments.engine,
        address=arguments.address,
    )


def _encode(bulk: "BulkEncoding", encode_dataset: "Callable[..., BulkReport]") -> "BulkReport":
    """Encode, and show how far it is."""
    with progress("encoding", unit="clips") as shown:
        began, seen = time.monotonic(), 0

        def show(report: "BulkReport") -> None:
            nonlocal seen
            done = report.encoded + report.kept + report.failed
            speed = report.pixels / 1e6 / max(1e-9, time.monotonic() - began)
            shown.expect(report.clips)
            shown.note(f"{speed:.3g} Mpx/s, {report.failed} failed")
            shown(done - seen)
            seen = done

        with going_on():
            return encode_dataset(bulk, on_progress=show)


def _rows(arguments: argparse.Namespace, report: "BulkReport", seconds: float) -> list[tuple[str, str]]:
    left = report.clips - report.encoded - report.kept - report.failed
    rows = [
        ("data set", str(arguments.output)),
        ("clips", f"{report.clips} in {counted(report.shards, 'shard')}"),
        ("done before", str(report.kept)),
    ]
    if arguments.dry_run:
        return [*rows, ("to do", str(left))]
    speed = f"{report.encoded / seconds:.3g} clips/s, {report.pixels / 1e6 / seconds:.3g} Mpx/s"
    return [
        *rows,
        ("encoded", f"{report.encoded}, {counted(report.frames, 'frame')}, {speed}"),
        ("failed", str(report.failed)),
    ]


def _share(text: str) -> "Share":
    """Read ``3/16``."""
    from tubelet.jobs.bulk.bulk import Share

    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share; give one such as 0/16, the first of 16.")
    return Share(int(match[1]), int(match[2]))
