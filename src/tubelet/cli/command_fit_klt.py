"""Fit a linear tokenizer to a folder of clips, in minutes.

The result is a checkpoint: a folder with config.json, weights.safetensors and card.md. Use it wherever a
tokenizer is named: `tubelet reconstruct my.mp4 --tokenizer DIR`.

for example:
  tubelet fit-klt clips/ --stride 4x8x8 -o klt-mine
  tubelet fit-klt clips/ --stride 8x16x16 -o klt-deep --start klt-4x8x8
"""

import argparse
import sys
from pathlib import Path

from tubelet.cli.console import show_table
from tubelet.cli.progress import progress

NAME = "fit-klt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "data", type=Path, metavar="DATA", help="folder of clips; folders below it are searched"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="checkpoint to write")
    parser.add_argument(
        "--stride",
        default="4x8x8",
        metavar="TxHxW",
        help="frames x rows x columns per position (default: 4x8x8)",
    )
    parser.add_argument(
        "--channels", type=int, metavar="K", help="channels to keep (default: as the shipped one)"
    )
    parser.add_argument(
        "--start",
        metavar="NAME|DIR",
        help="take the levels of this tokenizer over instead of fitting them again",
    )
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="PATTERN", help="leave out such names"
    )
    parser.add_argument("--runs", type=int, default=8, help="places per clip (default: 8)")
    parser.add_argument("--patches", type=int, default=1024, help="patches per place (default: 1024)")
    parser.add_argument("--seed", type=int, default=0, help="of the random choices (default: 0)")
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Fit, write the checkpoint, and say where it is."""
    from dataclasses import replace

    from tubelet import checkpoint
    from tubelet.data.clips import find_clips
    from tubelet.files import check_folder, printable
    from tubelet.files.names import text_name
    from tubelet.tokenizers.save import FILES
    from tubelet.train.tokenizer.card import klt_card
    from tubelet.train.tokenizer.fit_klt import Sampling, fit_klt, klt_config, klt_model
    from tubelet.types import Stride

    sources = [arguments.data, *([] if arguments.start is None else [checkpoint.find(arguments.start)])]
    check_folder(arguments.output, holds=FILES, sources=sources, force=arguments.force)
    config = klt_config(Stride.parse(arguments.stride), channels=arguments.channels)
    config = replace(config, name=text_name(arguments.output.resolve().name))
    clips = find_clips(arguments.data, exclude=arguments.exclude)
    start = None if arguments.start is None else checkpoint.load(arguments.start)
    sampling = Sampling(runs=arguments.runs, patches=arguments.patches, seed=arguments.seed)
    levels = len(config.patches) - (0 if start is None else len(klt_model(start).transform.patches))
    skipped: list[Path] = []
    with progress("fitting", total=levels * len(clips), unit="clips") as advance:
        tokenizer = fit_klt(
            config,
            clips,
            sampling,
            start=start,
            on_clip=lambda _: advance(1),
            on_skip=lambda path, _: skipped.append(path),
        )
    command = printable(" ".join(["tubelet", *sys.argv[1:]]))
    card = klt_card(tokenizer, clips=len(clips) - len(skipped), sampling=sampling, made_by=command)
    tokenizer.save(arguments.output, card=card, force=arguments.force)
    show_table(
        [
            ("tokenizer", str(arguments.output)),
            ("clips", f"{len(clips) - len(skipped)} used, {len(skipped)} could not be read"),
            ("use it", f"tubelet reconstruct my.mp4 --tokenizer {arguments.output}"),
        ]
    )
