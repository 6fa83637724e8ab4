"""Turn videos into tokens: whole numbers that a language model can be trained on.

The suffix of the output chooses the format: .tube (entropy-coded, with timestamps and audio, decoded from any
point), .npz (the digits of one clip, for numpy), .parquet (a table with a row for each clip, for data
loaders). Several inputs (also folders, patterns and lists) go into one .parquet file, or as .tube files into
a folder. What is done there already is not done again; what cannot be read is named and left out, and the
exit code is 1.

for example:
  tubelet tokenize holiday.mp4 -o holiday.tube
  tubelet tokenize holiday.mp4 -o holiday.npz --tokenizer runs/my-tokenizer
  tubelet tokenize clips/*.mp4 -o clips.parquet
  tubelet tokenize cat.mp4 -o cat.parquet --caption "a cat asleep on a chair"
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tubelet.cli import options, sources
from tubelet.cli.console import going_on, show_table
from tubelet.cli.losses import losses_summed
from tubelet.cli.progress import progress
from tubelet.errors import OptionError, TubeletError
from tubelet.files.names import text_name
from tubelet.spelling import counted

if TYPE_CHECKING:
    from tubelet.codec.tokens.tally import TokenReport
    from tubelet.jobs.rows import Row
    from tubelet.video.ranges import AnyVideo

NAME = "tokenize"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    sources.add_sources(parser, what=f"videos, images, GIFs, frames as .npy; also {sources.SOURCES}")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="file to write, or a folder"
    )
    sources.add_on_error(parser)
    parser.add_argument(
        "--caption",
        action="append",
        metavar="TEXT",
        help="what is seen, for .npz and .parquet; given once for each input, in their order",
    )
    sources.add_captions(parser)
    options.add_tokenizer(parser)
    options.add_json(parser)
    options.add_common(parser)


def run(arguments: argparse.Namespace) -> None:
    """Tokenize, then say what the files hold."""
    rows = sources.rows_of(arguments)
    table = arguments.output.suffix.lower() == ".parquet" and not arguments.output.is_dir()
    rows = _captioned(arguments, rows, has_room=table or arguments.output.suffix.lower() == ".npz")
    if table:
        _into_table(arguments, rows)
    elif sources.is_one_file(arguments, rows):
        _into_file(arguments, rows[0])
    else:
        _into_folder(arguments, rows)


def _into_file(arguments: argparse.Namespace, row: "Row") -> None:
    """One clip."""
    from tubelet.codec.tokens.tokenize import as_discrete, tokenize_file
    from tubelet.jobs.sources import local_copies

    _check_output(arguments, [row])
    checkpoint = as_discrete(arguments.tokenizer, arguments.device)
    with progress("tokenizing") as shown, local_copies([row]) as copies, copies.opened(row.video) as video:
        given = options.file_options(arguments, shown)
        report = tokenize_file(video, arguments.output, tokenizer=checkpoint, caption=row.caption, **given)
    _say(arguments, report, {})


def _into_table(arguments: argparse.Namespace, rows: "Sequence[Row]") -> None:
    """Clips into one table."""
    from tubelet.codec.tokens.tokenize import as_discrete, tokenize_files
    from tubelet.errors import VideoError
    from tubelet.jobs.sources import local_copies
    from tubelet.video.ranges import path_of

    several = len(rows) > 1 or not sources.is_one_file(arguments, rows)
    _check_output(arguments, rows, goes_on=several)
    checkpoint = as_discrete(arguments.tokenizer, arguments.device)
    failed: dict[str, str] = {}
    kept: list[Path] = []
    shown_names = {path_of(row.video): row.shown for row in rows}

    def skip(path: Path, error: TubeletError) -> None:
        if arguments.on_error == "stop" or not several:
            raise error if not several else VideoError(f"{shown_names[path]}: {error}")
        failed[text_name(shown_names[path])] = text_name(str(error))

    unit = "clips" if several else "frames"
    with (
        going_on() if several and not arguments.force else nullcontext(),
        losses_summed(len(rows)),
        progress("tokenizing", total=len(rows) if several else None, unit=unit) as shown,
        local_copies(rows) as copies,
    ):
        given = options.file_options(arguments, shown)
        report = tokenize_files(
            [row.video for row in rows],
            arguments.output,
            tokenizer=checkpoint,
            names=_names(rows),
            captions=[row.caption for row in rows],
            extend=several,
            opened=copies.opened,
            on_skip=skip,
            on_keep=kept.append,
            **given,
        )
    if kept:
        with options.tables_beside(arguments.json):
            show_table([("done before", f"{len(kept)} of {len(rows)} clips")])
    _say(arguments, report, failed)
    sources.warn_of_failures(failed, len(rows))


def _into_folder(arguments: argparse.Namespace, rows: "Sequence[Row]") -> None:
    """Clips into a folder, a .tube file each."""
    from tubelet.codec.tokens.tokenize import as_discrete, tokenize_file

    work = sources.FolderWork(arguments, rows, suffix=".tube")
    checkpoint = as_discrete(arguments.tokenizer, arguments.device)

    def make(video: "AnyVideo", target: Path) -> "TokenReport":
        return tokenize_file(
            video,
            target,
            tokenizer=checkpoint,
            audio=not arguments.no_audio,
            memory=arguments.memory,
            force=True,
        )

    work.do(
        "tokenizing",
        make,
        made_from={
            "content": "tokens",
            "tokenizer": checkpoint.name,
            "tokenizer_sha256": checkpoint.sha256,
            "audio": not arguments.no_audio,
        },
        figures=_figures,
        table=_rows,
        protocol="tubelet tokenize",
    )


def _check_output(arguments: argparse.Namespace, rows: "Sequence[Row]", *, goes_on: bool = False) -> None:
    options.check_outputs(
        [arguments.output],
        arguments.json,
        inputs=[Path(row.path) for row in rows],
        tokenizer=arguments.tokenizer,
        force=arguments.force or goes_on,
    )


def _say(arguments: argparse.Namespace, report: "TokenReport", failed: dict[str, str]) -> None:
    """Print what a file holds, and write its figures."""
    from tubelet.results import write_results

    with options.tables_beside(arguments.json):
        show_table(_rows(arguments.output, report))
    if arguments.json is not None:
        files = [{"file": text_name(str(arguments.output)), **_figures(report)}]
        write_results(
            arguments.json,
            protocol="tubelet tokenize",
            figures={"files": files, "skipped": failed},
            force=arguments.force,
        )


def _figures(report: "TokenReport") -> dict[str, Any]:
    rates = {"bits_per_pixel": report.bits_per_pixel, "nominal": report.nominal_bits_per_pixel}
    return asdict(report) | rates


def _names(rows: "Sequence[Row]") -> list[str]:
    """What clips are called in a table: by the file, or by all that names the clip where two share that."""
    from tubelet.codec.tokens.tokenize import name_of
    from tubelet.video.ranges import range_text

    short = [name_of(row.video) for row in rows]
    often = Counter(short)
    return [
        name if often[name] == 1 else f"{row.name}{range_text(row.start, row.end)}"
        for name, row in zip(short, rows, strict=True)
    ]


def _captioned(arguments: argparse.Namespace, rows: "list[Row]", *, has_room: bool) -> "list[Row]":
    """The clips with their captions; what has no room for them is refused before any work is done."""
    from tubelet.jobs.captions import with_captions

    captions: list[str] | None = arguments.caption
    if captions is not None and arguments.captions is not None:
        raise OptionError("--caption and --captions are both given; captions are of one kind. Give one.")
    if (captions is not None or arguments.captions is not None) and not has_room:
        raise OptionError(".tube has no room for captions; write .npz or .parquet, or leave them out.")
    if arguments.captions is not None:
        return with_captions(rows, arguments.captions)
    if captions is not None:
        if len(captions) != len(rows):
            raise OptionError(
                f"--caption is given {len(captions)} times for {len(rows)} inputs; each has one."
            )
        return [row._replace(caption=caption) for row, caption in zip(rows, captions, strict=True)]
    # Those of a list are for what has room.
    return rows if has_room else [row._replace(caption=None) for row in rows]


def _rows(path: Path, report: "TokenReport") -> list[tuple[str, str]]:
    """What a file of tokens holds, as rows of a table."""
    bases = ", ".join("x".join(map(str, token)) for token in report.bases)
    frames = counted(report.frames, "frame")
    clips = "" if report.clips == 1 else f"{report.clips} clips, "
    rows = [
        ("file", str(path)),
        (
            "clip" if report.clips == 1 else "clips",
            f"{clips}{frames}, {counted(report.steps, 'step')}",
        ),
        ("tokens", f"{report.tokens}, in digits of {bases}"),
        (
            "size",
            f"{options.bytes_text(report.bytes_total)}, {report.bits_per_pixel:.4f} bits per pixel; nominal "
            f"{report.nominal_bits_per_pixel:.4f}",
        ),
        ("entropy", f"{options.bytes_text(report.entropy_bytes)}, digit by digit"),
    ]
    for number, usage in enumerate(report.usage):
        place = "" if len(report.usage) == 1 else f" {number}"
        text = "too large to be counted"
        if usage is not None:
            text = f"{usage.used} of {usage.size} used ({usage.share:.1%}), perplexity {usage.perplexity:.0f}"
        rows.append((f"codebook{place}", text))
    return rows
