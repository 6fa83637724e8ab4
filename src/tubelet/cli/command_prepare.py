"""Cut videos into crops, from which a tokenizer is trained without decoding video again.

Every clip gives the same number of crops, at random times, places, frame rates and sizes. An interrupted
preparation goes on when the same command is given again, and what failed is tried again.

for example:
  tubelet prepare clips/ -o data
  tubelet prepare clips/ -o data --per-clip 32 --exclude '*_val*'
  tubelet prepare index.csv -o data --per-clip 4 --compress        for tens of thousands of clips
"""

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli import options, sources
from tubelet.cli.console import as_word, going_on, show_table
from tubelet.cli.preparing import prepared, rows_outside
from tubelet.spelling import counted

if TYPE_CHECKING:
    from tubelet.data.crops import Crops

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
    parser.add_argument(
        "--compress", action="store_true", help="without loss: about a third of the bytes, slower to read"
    )
    options.add_json(parser)
    parser.add_argument("--force", action="store_true", help="replace another preparation in that folder")


def run(arguments: argparse.Namespace) -> None:
    """Cut the crops, and say what there is and what to do with it."""
    from tubelet.data.cutting import PrepareConfig

    config = PrepareConfig(
        crop=arguments.crop, frames=arguments.frames, per_clip=arguments.per_clip, seed=arguments.seed
    )
    rows = rows_outside(sources.rows_of(arguments), arguments.output, exclude=arguments.exclude)
    options.check_outputs([], arguments.json, inputs=[Path(row.path) for row in rows], force=arguments.force)
    with going_on(force=arguments.force):
        crops = prepared(
            rows,
            arguments.output,
            config,
            compressed=arguments.compress,
            on_error=arguments.on_error,
            force=arguments.force,
        )
    with options.tables_beside(arguments.json):
        show_table(_table(arguments, crops))
    if arguments.json is not None:
        from tubelet.cli.contents.folders import crops_facts
        from tubelet.results import write_results

        figures = crops_facts(arguments.output) | {"failed": [c.name for c in crops.skipped if c.damaged]}
        write_results(arguments.json, protocol="tubelet prepare", figures=figures, force=arguments.force)


def _table(arguments: argparse.Namespace, crops: "Crops") -> list[tuple[str, str]]:
    """What there is, as rows of a table."""
    reasons = Counter(clip.skipped for clip in crops.skipped)
    return [
        ("data", str(arguments.output)),
        ("crops", f"{len(crops)} of {counted(crops.frames, 'frame')}, {crops.side}x{crops.side}"),
        ("clips", f"{len(crops.clips)} used, {len(crops.skipped)} skipped"),
        *(("skipped", f"{count}: {reason}") for reason, count in reasons.most_common()),
        ("on disk", options.bytes_text(crops.size)),
        ("next", f"tubelet train m --data {as_word(arguments.output)} -o RUN"),
    ]
