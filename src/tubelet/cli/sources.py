"""What commands on many videos take alike: where the videos are, and what becomes of one that fails."""

import argparse
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tubelet.cli import options
from tubelet.cli.console import going_on, show_table
from tubelet.cli.losses import losses_summed
from tubelet.cli.progress import progress
from tubelet.errors import DamageWarning

if TYPE_CHECKING:
    from tubelet.jobs.files.plan import FileClip
    from tubelet.jobs.rows import Row
    from tubelet.video.ranges import AnyVideo

Report = TypeVar("Report")

_FILES = (".tube", ".npz", ".parquet")
"""Suffixes that no new folder is given by mistake."""

SOURCES = (
    "folders, videos, patterns, lists (.csv, .jsonl, .parquet, .txt), their URLs, or - for standard input"
)


def add_sources(parser: argparse.ArgumentParser, *, what: str = SOURCES) -> None:
    """Add the sources, one or more; `what` is their help."""
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help=what)


def add_on_error(parser: argparse.ArgumentParser) -> None:
    """Add ``--on-error``."""
    parser.add_argument(
        "--on-error",
        choices=["skip", "stop"],
        default="skip",
        help="what to do about a clip that fails: skip it (default), or stop",
    )


def add_captions(parser: argparse.ArgumentParser) -> None:
    """Add ``--captions``."""
    parser.add_argument(
        "--captions",
        metavar="FILE",
        help="a .csv or .jsonl with path and caption (or file and description); or sidecar: that of a.mp4 is "
        "in a.txt",
    )


def rows_of(arguments: argparse.Namespace) -> "list[Row]":
    """The clips that the sources stand for; a file that is missing is a clip that fails."""
    from tubelet.jobs.sources import read_sources

    return read_sources(arguments.sources, lines=sys.stdin, missing_fail=True)


def is_one_file(arguments: argparse.Namespace, rows: "Sequence[Row]") -> bool:
    """Whether one video, given by its name, goes into one file."""
    from tubelet.jobs.sources import is_file

    return len(rows) == 1 and is_file(arguments.sources[0]) and not arguments.output.is_dir()


def warn_of_failures(failed: Mapping[str, str], clips: int) -> None:
    """Say of each clip that failed why, and how many did; the command then ends with exit code 1.

    Args:
        failed: reasons by clip.
        clips: how many there are.
    """
    for name, reason in failed.items():
        warnings.warn(f"nothing of {name}: {reason}", DamageWarning, stacklevel=2)
    if failed and clips > 1:
        warnings.warn(f"{len(failed)} of {clips} clips failed.", DamageWarning, stacklevel=2)


class FolderWork:
    """Clips into a folder, a file each.

    Args:
        arguments: of the command, with `add_sources`, `add_on_error`, ``--output``, ``--json``,
            ``--tokenizer`` and ``--force``.
        rows: clips.
        suffix: of the files.

    Raises:
        OptionError: the output is named as a file, an input would be written, or two clips would be one file.
    """

    def __init__(self, arguments: argparse.Namespace, rows: "Sequence[Row]", *, suffix: str) -> None:
        from tubelet.errors import OptionError
        from tubelet.files import check_targets
        from tubelet.jobs.files.plan import plan_files

        self._arguments = arguments
        output: Path = arguments.output
        if not output.is_dir() and output.suffix.lower() in _FILES:
            raise OptionError(
                f"{len(rows)} inputs go to {output}, which is not a folder; several go into one, or tokens "
                "into one .parquet file. Create the folder, or name a .parquet file."
            )
        self._clips = plan_files(rows, output, suffix)
        inputs = [Path(row.path) for row in rows]
        options.check_outputs(
            [], arguments.json, inputs=inputs, tokenizer=arguments.tokenizer, force=arguments.force
        )
        there = [clip.target for clip in self._clips if clip.target.exists()]
        check_targets(there, sources=inputs, force=True)

    def do(
        self,
        doing: str,
        make: "Callable[[AnyVideo, Path], Report]",
        *,
        made_from: Mapping[str, Any],
        figures: "Callable[[Report], Mapping[str, Any]]",
        table: "Callable[[Path, Report], list[tuple[str, str]]]",
        protocol: str,
    ) -> None:
        """Make the files, print a table of each, write the figures, and say what failed.

        Args:
            doing: what is done, such as ``encoding``.
            make: makes a file of a video, and says what it holds.
            made_from: as `make_files` wants it.
            figures: what a file holds, as JSON has it.
            table: the same as rows of a table.
            protocol: of the figures.

        Raises:
            TubeletError: as `make_files`.
        """
        from tubelet.files.names import text_name
        from tubelet.jobs.files.run import FilesReport, make_files
        from tubelet.results import write_results

        arguments, clips = self._arguments, self._clips
        reports: list[Report] = []

        def make_one(video: "AnyVideo", target: Path) -> Mapping[str, Any]:
            reports[:] = [make(video, target)]
            return figures(reports[0])

        with losses_summed(len(clips)), progress(doing, total=len(clips), unit="clips") as shown:

            def on_clip(clip: "FileClip", report: FilesReport) -> None:
                if report.failed:
                    shown.note(f"{len(report.failed)} failed")
                shown(1)
                if clip.target in report.made:
                    with options.tables_beside(arguments.json):
                        show_table(table(clip.target, reports[0]))

            with going_on(force=arguments.force):
                report = make_files(
                    clips,
                    arguments.output,
                    make_one,
                    made_from=made_from,
                    on_error=arguments.on_error,
                    force=arguments.force,
                    on_clip=on_clip,
                )
        if report.kept:
            with options.tables_beside(arguments.json):
                show_table([("done before", f"{len(report.kept)} of {len(clips)} clips")])
        if arguments.json is not None:
            files = report.kept | report.made
            found = [
                {"file": text_name(str(clip.target)), **files[clip.target]}
                for clip in clips
                if clip.target in files
            ]
            content = {"files": found, "skipped": report.failed}
            write_results(arguments.json, protocol=protocol, figures=content, force=arguments.force)
        warn_of_failures(report.failed, len(clips))
