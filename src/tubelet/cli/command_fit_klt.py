"""Fit a linear tokenizer to a folder of clips, in minutes.

The result is a checkpoint: a folder with config.json, weights.safetensors and card.md. Use it wherever a
tokenizer is named: `tubelet reconstruct my.mp4 --tokenizer DIR`.

for example:
  tubelet fit-klt clips/ --stride 4x8x8 -o klt-mine
  tubelet fit-klt clips/ --stride 8x16x16 -o klt-deep --start klt-4x8x8
  tubelet fit-klt clips/ --stride 4x8x8 --motion -o klt-moving
  tubelet fit-klt clips/ --global tubelet-flow -o global-mine
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tubelet.cli import options
from tubelet.cli.console import as_word
from tubelet.cli.losses import losses_summed
from tubelet.cli.progress import progress
from tubelet.errors import OptionError
from tubelet.files.names import text_name

if TYPE_CHECKING:
    from tubelet.tokenizers.continuous import ContinuousTokenizer

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
        "--motion",
        action="store_true",
        help="move the frames of a group along what moves before they are coded",
    )
    parser.add_argument(
        "--global",
        dest="flow",
        metavar="NAME|DIR",
        help="split the latent of this tokenizer with a flow into a coarse global part and its detail",
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
    options.add_json(parser)
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Fit, write the checkpoint, and say where it is."""
    from tubelet import checkpoint
    from tubelet.data.clips import find_clips
    from tubelet.files import check_folder, printable
    from tubelet.tokenizers.save import FILES
    from tubelet.train.tokenizer.card import klt_card, levels_card
    from tubelet.train.tokenizer.fit_klt import Sampling

    _check_kind(arguments)
    given = [checkpoint.find(each) for each in (arguments.start, arguments.flow) if each is not None]
    sources = [arguments.data, *given]
    options.check_outputs([], arguments.json, inputs=[], force=arguments.force)
    check_folder(arguments.output, holds=FILES, sources=sources, force=arguments.force)
    clips = find_clips(arguments.data, exclude=arguments.exclude)
    sampling = Sampling(runs=arguments.runs, patches=arguments.patches, seed=arguments.seed)
    fit = (
        _levels(arguments)
        if arguments.flow
        else _motion(arguments)
        if arguments.motion
        else _plain(arguments)
    )
    skipped: list[Path] = []
    total = fit.levels * len(clips)
    with losses_summed(len(clips)), progress("fitting", total=total, unit="clips") as advance:
        tokenizer = fit.run(
            clips, sampling, on_clip=lambda _: advance(1), on_skip=lambda path, _: skipped.append(path)
        )
    command = printable(" ".join(["tubelet", *sys.argv[1:]]))
    write_card = levels_card if arguments.flow else klt_card
    card = write_card(tokenizer, clips=len(clips) - len(skipped), sampling=sampling, made_by=command)
    tokenizer.save(arguments.output, card=card, force=arguments.force)
    rows = [
        ("tokenizer", str(arguments.output)),
        ("clips", f"{len(clips) - len(skipped)} used, {len(skipped)} could not be read"),
        ("use it", f"tubelet reconstruct my.mp4 --tokenizer {as_word(arguments.output)}"),
    ]
    figures = {
        "tokenizer": text_name(str(arguments.output)),
        "clips": len(clips) - len(skipped),
        "unreadable": [text_name(str(each)) for each in skipped],
    }
    options.show_result(arguments, rows, figures)


def _check_kind(arguments: argparse.Namespace) -> None:
    """Raise `OptionError` for options that contradict one another."""
    if arguments.motion and arguments.start is not None:
        raise OptionError(
            "--motion fits all of a tokenizer; it has no level to take over. Leave --start out."
        )
    if arguments.flow is not None and (arguments.motion or arguments.start is not None):
        raise OptionError(
            "--global splits the latent of a tokenizer that is there already. Leave --motion and --start out."
        )


class _Fit(NamedTuple):
    """How a tokenizer is fitted, and how many times each clip is read."""

    run: Callable[..., "ContinuousTokenizer"]
    levels: int


def _plain(arguments: argparse.Namespace) -> _Fit:
    """A fit of every level of a KLT that is not taken over."""
    from tubelet import checkpoint
    from tubelet.files.names import text_name
    from tubelet.train.tokenizer.fit_klt import fit_klt, klt_config, klt_model
    from tubelet.types import Stride

    config = klt_config(Stride.parse(arguments.stride), channels=arguments.channels)
    config = replace(config, name=text_name(arguments.output.resolve().name))
    start = None if arguments.start is None else checkpoint.load(arguments.start)
    levels = len(config.patches) - (0 if start is None else len(klt_model(start).transform.patches))
    return _Fit(partial(fit_klt, config, start=start), levels)


def _motion(arguments: argparse.Namespace) -> _Fit:
    """A fit along motion."""
    from tubelet.files.names import text_name
    from tubelet.train.tokenizer.fit_motion import fit_motion, motion_config
    from tubelet.types import Stride

    config = motion_config(Stride.parse(arguments.stride), channels=arguments.channels)
    return _Fit(partial(fit_motion, replace(config, name=text_name(arguments.output.resolve().name))), 1)


def _levels(arguments: argparse.Namespace) -> _Fit:
    """A fit of a global part to the latents of a tokenizer."""
    from tubelet import checkpoint
    from tubelet.files.names import text_name
    from tubelet.train.tokenizer.fit_levels import fit_levels, levels_config

    start = checkpoint.load(arguments.flow)
    config = replace(
        levels_config(start, channels=arguments.channels), name=text_name(arguments.output.resolve().name)
    )
    return _Fit(partial(fit_levels, config, start=start), 1)
