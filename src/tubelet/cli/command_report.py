"""Make a page, tables or a plot of the results of an evaluation; the suffix of the output chooses.

.html is one file with tables, plots, and kept clips to play side by side; .md and .tex are tables; .svg, .png
and .pdf draw quality against rate, or figures side by side where no two systems differ in a rate that they
share (pip install 'tubelet[plots]').

The page needs no network and no other file. Clips are on it as far as `tubelet evaluate --keep-videos N` kept
them, and as the budget allows: without loss, or as films that look alike with one still that is exact.

for example:
  tubelet report figures -o report.html
  tubelet report figures -o report.html --budget 200M      more clips without loss
  tubelet report figures -o report.html --title "Ours and x264"
  tubelet report figures -o tables.tex --anchor x264       with BD-rates over x264
  tubelet report generation.json -o gallery.html           clips of `tubelet evaluate-generation`
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli import options
from tubelet.files import STANDARD_OUTPUT, check_suffix, check_target, printable

if TYPE_CHECKING:
    from tubelet.report.read import Results

NAME = "report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "results",
        type=Path,
        metavar="RESULTS",
        help="folder that `tubelet evaluate` wrote, or file of `tubelet evaluate-generation`",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help=".html .md .tex .svg .png .pdf; - prints the tables",
    )
    parser.add_argument(
        "--budget",
        type=options.size,
        default=25_000_000,
        metavar="SIZE",
        help="what the page may take on disk, which decides how clips are shown (default: 25M)",
    )
    parser.add_argument("--anchor", metavar="NAME", help="in tables: BD-rates over this curve, such as x264")
    parser.add_argument("--measure", metavar="NAME", help="in a plot: the quality (default: psnr_db)")
    parser.add_argument(
        "--title", metavar="TEXT", help="what stands above it all (default: the name of the folder of clips)"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Write what the suffix asks for, and say what it is."""
    from tubelet.evaluate.results_file import RESULTS
    from tubelet.report import html, plots, tables
    from tubelet.report.generations import is_generations
    from tubelet.report.read import read_results

    target: Path = arguments.output
    if is_generations(arguments.results):
        _write_gallery(arguments.results, target, title=arguments.title, force=arguments.force)
        return
    results = read_results(arguments.results)
    if target == STANDARD_OUTPUT:
        text = tables.tables_text(results, ".md", anchor=arguments.anchor, title=arguments.title)
        print(text, end="")
        return
    check_suffix(target, (*html.SUFFIXES, *tables.WRITERS, *plots.SUFFIXES), "a report")
    check_target(target, sources=[results.folder / RESULTS], force=arguments.force)
    suffix = target.suffix.lower()
    if suffix in tables.WRITERS:
        tables.write_tables(
            results, target, anchor=arguments.anchor, title=arguments.title, force=arguments.force
        )
    elif suffix in plots.SUFFIXES:
        plots.write_plot(
            results, target, measure=arguments.measure, title=arguments.title, force=arguments.force
        )
    else:
        _write_page(results, target, budget=arguments.budget, title=arguments.title, force=arguments.force)
        return
    print(printable(target))


def _write_gallery(source: Path, target: Path, *, title: str | None, force: bool) -> None:
    """Write the page of an evaluation of generators, and say what is on it."""
    from tubelet.report.generations import read_generations, write_gallery
    from tubelet.report.html import SUFFIXES

    check_suffix(target, SUFFIXES, "a report of generators")
    check_target(target, sources=[source], force=force)
    shown = write_gallery(read_generations(source), target, title=title, force=force)
    print(f"{printable(target)}: {options.bytes_text(target.stat().st_size)}")
    print(
        f"clips: {shown}" if shown else "no strips were kept; `tubelet evaluate-generation --strips N` does."
    )


def _write_page(results: "Results", target: Path, *, budget: int, title: str | None, force: bool) -> None:
    """Write the page, and say what is on it."""
    from tubelet.cli.progress import progress
    from tubelet.report.html import write_page

    kept = len(results.figures.get("videos", {}))
    with progress("coding films", total=2 * kept, unit="steps") as advance:
        page = write_page(results, target, budget=budget, title=title, force=force, on_clip=advance)
    print(f"{printable(target)}: {options.bytes_text(page.bytes)}")
    if kept:
        missing = kept - page.lossless - page.lossy
        print(
            f"to play: {page.lossless} without loss, {page.lossy} with an exact still, {missing} not at all"
        )
    else:
        print("no clips were kept to play; `tubelet evaluate --keep-videos N` keeps the N worst.")
