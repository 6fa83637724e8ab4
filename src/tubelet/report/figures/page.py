"""Make docs/figures.md, docs/rate-distortion.md and their plots: `python -m tubelet.report.figures`, there.

Nothing is measured here: the pages are functions of the JSON in experiments/results. What is not there is
left out with a sentence. Plots need the extra `plots`.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tubelet.evaluate.results_file import RESULTS
from tubelet.files import replacing
from tubelet.report.figures.collapse import collapse
from tubelet.report.figures.cost import benches
from tubelet.report.figures.file_rates import file_rates
from tubelet.report.figures.parts import STORED, Page, Part
from tubelet.report.figures.quality import quality
from tubelet.report.figures.stored import deeper, laws, lookup, tokens
from tubelet.report.plots import Bars, Curves, draw
from tubelet.report.read import read_results

BEGIN = f"""\
# Figures

Made by `python -m tubelet.report.figures` from the files in `{STORED}`, not by hand. Figures under
different protocols are not to be compared. Words are those of the [glossary](glossary.md).
"""


def main() -> None:
    """Write the pages and their plots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path(STORED), metavar="FOLDER")
    parser.add_argument("--pages", type=Path, default=Path("docs"), metavar="FOLDER")
    arguments = parser.parse_args()
    for name, make in PAGES.items():
        page, target = make(arguments.results), arguments.pages / name
        with replacing(target, force=True) as path:
            path.write_text(page.text, encoding="utf-8")
        write_plots(page.plots, arguments.pages)
        sys.stderr.write(f"{target}, and {len(page.plots)} plots\n")


def make_page(stored: Path) -> Page:
    """The page that a folder of stored results makes, and the plots that it shows.

    Args:
        stored: where the results are; those of the evaluation are in the folder ``dev`` in it.
    """
    evaluation = stored / "dev" / RESULTS
    results = read_results(evaluation) if evaluation.exists() else None
    parts = [
        quality(results),
        tokens(stored),
        collapse(stored),
        lookup(stored),
        *benches(stored, results),
        deeper(stored),
        laws(stored),
    ]
    contents = "\n".join(f"- [{part.title}](#{anchor(part)})" for part in parts)
    blocks = [
        BEGIN.strip(),
        contents,
        *(block for part in parts for block in (f"## {part.title}", *part.blocks)),
    ]
    plots = {place: plot for part in parts for place, plot in part.plots.items()}
    return Page("\n\n".join(blocks) + "\n", plots)


PAGES: Mapping[str, Callable[[Path], Page]] = {"figures.md": make_page, "rate-distortion.md": file_rates}
"""The pages, and what makes each of a folder of stored results."""


def anchor(part: Part) -> str:
    """What GitHub makes of a heading for links."""
    return re.sub(r"[^\w -]", "", part.title.lower()).replace(" ", "-")


def write_plots(plots: Mapping[str, Curves | Bars], folder: Path) -> None:
    """Draw every plot at its place below a folder."""
    for place, plot in plots.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        draw(plot, target, force=True)
