"""Cut videos into crops, from which a tokenizer is trained without decoding video again.

Every clip gives the same number of crops, at random times, places, frame rates and sizes. An interrupted
preparation goes on when the same command is given again, and what failed is tried again.

for example:
  tubelet prepare clips/ -o data
  tubelet prepare clips/ -o data --per-clip 32 --exclude '*_val*'
"""

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli import sources
from tubelet.cli.console import show_table
from tubelet.cli.options import bytes_text
from tubelet.cli.progress import progress
from tubelet.errors import DamageWarning, OptionError, VideoError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tubelet.data.crops import Clip
    from tubelet.jobs.sources import Row
    from tubelet.video.ranges import AnyVideo

NAME = "prepare"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    sources.add_sources(parser)
    sources.add_on_error(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DATA", help="folder to write")
    parser.add_argument("--crop", type=int, default=160, metavar="PX", help="rows and columns (default: 160)")
    parser.add_argument("--frames", type=int, default=33, help="of a crop (default: 33)")
    parser.add_argument("--per-clip", type=int, default=16, metavar="N", help="crops per clip (default: 16)")
    parser.add_argument("--seed", type=int, default=0, help="of the random choices (default: 0)")
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="PATTERN", help="leave out such names"
    )
    parser.add_argument("--force", action="store_true", help="replace another preparation in that folder")


def run(arguments: argparse.Namespace) -> None:
    """Cut the crops, and say what there is and what to do with it."""
    from collections import Counter

    from tubelet.data.cutting import PrepareConfig
    from tubelet.data.prepare import prepare_crops
    from tubelet.jobs.sources import local_copies

    config = PrepareConfig(
        crop=arguments.crop, frames=arguments.frames, per_clip=arguments.per_clip, seed=arguments.seed
    )
    clips = _clips(arguments)

    def on_skip(_video: "AnyVideo", clip: "Clip") -> None:
        if clip.damaged and arguments.on_error == "stop":
            raise VideoError(f"{clip.name}: {clip.skipped}")

    with progress("preparing", total=len(clips), unit="clips") as advance, local_copies(clips) as copies:
        crops = prepare_crops(
            [row.video for row in clips],
            arguments.output,
            config,
            force=arguments.force,
            on_clip=lambda _: advance(1),
            on_skip=on_skip,
            opened=copies.opened,
        )
    reasons = Counter(clip.skipped for clip in crops.skipped)
    show_table(
        [
            ("data", str(arguments.output)),
            ("crops", f"{len(crops)} of {crops.frames} frames, {crops.side}x{crops.side}"),
            ("clips", f"{len(crops.clips)} used, {len(crops.skipped)} skipped"),
            *(("skipped", f"{count}: {reason}") for reason, count in reasons.most_common()),
            ("on disk", bytes_text(crops.size)),
            ("next", f"tubelet train m --data {arguments.output} -o RUN"),
        ]
    )
    if cut_short := [clip.name for clip in crops.clips if clip.damaged]:
        warnings.warn(
            f"the end of {len(cut_short)} of {len(clips)} clips is missing, their crops are of what is left: "
            f"{', '.join(cut_short)}.",
            DamageWarning,
            stacklevel=1,
        )
    if unread := [clip.name for clip in crops.skipped if clip.damaged]:
        warnings.warn(
            f"{len(unread)} of {len(clips)} clips are damaged or cannot be read, and the data are without "
            f"them: {', '.join(unread)}.",
            DamageWarning,
            stacklevel=1,
        )


def _clips(arguments: argparse.Namespace) -> "Sequence[Row]":
    """The clips that are not left out.

    Raises:
        OptionError: all are.
    """
    crops = arguments.output.resolve()
    rows = sources.rows_of(arguments)
    clips = [
        row
        for row in rows
        if not any(Path(row.path).match(pattern) for pattern in arguments.exclude)
        # Crops are arrays, which are clips too, and may lie in the same folder.
        and not Path(row.path).resolve().is_relative_to(crops)
    ]
    if not clips:
        raise OptionError(
            f"none of {len(rows)} clips of {', '.join(arguments.sources)} is left; at least one is needed."
        )
    return clips
