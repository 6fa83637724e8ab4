"""The part of the page of figures that says which quantisers use their codebooks."""

import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tubelet.report.figures.parts import SCRIPTS, Part, begun, plain_table
from tubelet.report.markup import Table
from tubelet.report.plots import Curves, Mark, Series

_WITHOUT_CODEBOOK = ("LFQ", "BSQ", "FSQ")
"""How the names of quantisers begin that divide a latent channel by channel; their lines are dashed."""

Runs = dict[tuple[str, int], list[dict[str, Any]]]
"""The figures of all seeds, by quantiser and values of a token; sizes ascend, quantisers keep their order."""


def collapse(folder: Path) -> Part:
    """Usage, perplexity and quality of every quantiser on one backbone, at several sizes."""
    part = Part("Who uses a codebook")
    figures = begun(part, folder, "collapse.json", f"python {SCRIPTS}/collapse.py DATA")
    if figures is None:
        return part
    runs = _gathered(figures)
    part.say(
        "Means over the seeds, in brackets the least and the largest. After so few steps quality says how",
        "well a quantiser starts, not how well it may end.",
    )
    part.show(_table(runs))
    part.plot("collapse-usage", _plot(runs, _share, "codebook used, %", log=True), says="usage against size")
    part.plot("collapse-psnr", _plot(runs, _psnr, "PSNR, dB"), says="PSNR against size")
    part.head("The same after more steps")
    command = f"python {SCRIPTS}/collapse.py DATA --steps 1000 -o FILE"
    more = begun(part, folder, "collapse-long.json", command)
    if more is not None:
        part.show(_table(_gathered(more)))
    return part


def _gathered(figures: dict[str, Any]) -> Runs:
    """Runs are stored as ``quantiser | values of a token | seed``."""
    runs: Runs = {}
    for name, each in figures.items():
        method, size, _ = name.split(" | ")
        runs.setdefault((method, int(size)), []).append(each)
    return dict(sorted(runs.items(), key=lambda item: item[0][1]))


def _table(runs: Runs) -> Table:
    rows = {
        f"{method}, 2^{math.log2(size):.0f}": [
            _spread(each, _share, 1),
            _spread(each, _perplexity, 0),
            _spread(each, _psnr, 2),
            f"{statistics.median(one['step_cpu_seconds'] for one in each):.2f}",
            str(len(each)),
        ]
        for (method, size), each in runs.items()
    }
    heads = ["used, %", "perplexity", "PSNR dB", "a step, CPU seconds", "runs"]
    return plain_table("quantiser, values of a token", heads, rows, code=False)


def _plot(runs: Runs, figure: Callable[[dict[str, Any]], float], says: str, *, log: bool = False) -> Curves:
    """A line for each quantiser: the mean over the seeds, with the least and the largest."""
    series = []
    for method in dict.fromkeys(method for method, _ in runs):
        marks = []
        for size in (size for each, size in runs if each == method):
            values = [figure(one) for one in runs[method, size]]
            marks.append(Mark(size, statistics.fmean(values), min(values), max(values)))
        series.append(Series(method, tuple(marks), dashed=method.startswith(_WITHOUT_CODEBOOK)))
    return Curves(x="values of a token", y=says, series=tuple(series), log_y=log)


def _share(one: dict[str, Any]) -> float:
    return 100 * one["tokens"]["share"]


def _perplexity(one: dict[str, Any]) -> float:
    return one["tokens"]["perplexity"]


def _psnr(one: dict[str, Any]) -> float:
    return one["psnr_db"]


def _spread(each: list[dict[str, Any]], figure: Callable[[dict[str, Any]], float], digits: int) -> str:
    values = [figure(one) for one in each]
    mean = f"{statistics.fmean(values):,.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"
