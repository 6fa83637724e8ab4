"""What tables and plots of results show of a summary: which figures, called what, with how many digits."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from tubelet.errors import OptionError
from tubelet.report.markup import Cell
from tubelet.report.read import Results

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "detail": "detail",
        "temporal_consistency": "temporal consistency",
        "motion_fidelity": "motion fidelity",
        "rate": "rate",
    }
)
"""Groups of a summary that are shown, in this order, and what they are called."""


class Column(NamedTuple):
    """A column.

    Attributes:
        group: of the summary.
        name: of the figure in that group.
        head: what it is called.
        digits: after the point.
        times: what figures are multiplied by; the head says so.
        measure: whose `better` counts, where it is not the figure's own name.
    """

    group: str
    name: str
    head: str
    digits: int
    times: float = 1.0
    measure: str = ""


COLUMNS: tuple[Column, ...] = (
    Column("detail", "psnr_db", "PSNR dB", 2),
    Column("detail", "pooled_psnr_db", "pooled dB", 2, measure="psnr_db"),
    Column("detail", "ssim", "SSIM", 4),
    Column("detail", "ms_ssim", "MS-SSIM", 4),
    Column("detail", "vmaf", "VMAF", 2),
    Column("detail", "lpips", "LPIPS", 4),
    Column("detail", "dists", "DISTS", 4),
    Column("temporal_consistency", "flicker_levels", "flicker levels", 3),
    Column("temporal_consistency", "warping_error", "warping 10⁻⁴", 2, times=1e4),
    Column("temporal_consistency", "ends_gap_db", "ends gap dB", 2),
    Column("temporal_consistency", "rfvd_i3d", "rFVD I3D", 2),
    Column("temporal_consistency", "rfvd_videomae", "rFVD VideoMAE", 2),
    Column("motion_fidelity", "difference_psnr_db", "motion dB", 2),
    Column("motion_fidelity", "tof_px", "tOF px", 3),
    Column("rate", "numbers_per_pixel", "numbers/px", 4),
    Column("rate", "bits_per_pixel", "bits/px", 4),
)
"""Every column that a table may have; the other figures are in the results alone."""

_ARROWS = {"more": "↑", "less": "↓", "0": "→ 0", "1": "→ 1"}


class Part(NamedTuple):
    """The clips that share a tag, such as ``motion`` and ``high``."""

    tag: str
    value: str


def find_column(name: str) -> Column:
    """The column of a figure.

    Raises:
        OptionError: tables and plots do not show it.
    """
    found = {column.name: column for column in COLUMNS}
    if name not in found:
        raise OptionError(f"tables and plots show no {name!r}; they show {', '.join(found)}.")
    return found[name]


def better(results: Results, column: Column) -> str:
    """Which way is better: ``more``, ``less``, ``0`` or ``1``; an empty text for rates."""
    return str(results.figures["measures"].get(column.measure or column.name, {}).get("better", ""))


def head(results: Results, column: Column) -> str:
    """What a column is called, with an arrow to what is better."""
    return f"{column.head} {_ARROWS.get(better(results, column), '')}".rstrip()


def parts(results: Results) -> tuple[Part, ...]:
    """Every value of every tag that a clip has, in the order of the results."""
    found = {
        Part(tag, value): None
        for system in results.figures["systems"].values()
        for tag, values in system["summary"]["by_tag"].items()
        for value in values
    }
    return tuple(found)


def summary(results: Results, system: str, part: Part | None = None) -> Mapping[str, Any]:
    """The summary of a system: of all clips, or of a part of them. Empty where it has no figures."""
    whole = results.figures["systems"][system]["summary"]
    return whole["all"] if part is None else whole["by_tag"].get(part.tag, {}).get(part.value, {})


def interval(results: Results, system: str, column: Column, part: Part | None = None) -> Mapping[str, Any]:
    """Mean, ends of the interval and number of clips of a figure; empty where it was not measured."""
    return summary(results, system, part).get(column.group, {}).get(column.name, {})


def used(results: Results, systems: Sequence[str], groups: Sequence[str]) -> tuple[Column, ...]:
    """The columns of some groups in which some system has a figure; numbers count where there are no bits."""
    found = {
        column.name: column
        for group in groups
        for column in COLUMNS
        if column.group == group and any(interval(results, system, column) for system in systems)
    }
    if "bits_per_pixel" in found:
        found.pop("numbers_per_pixel", None)
    return tuple(found.values())


def cells(
    results: Results, systems: Sequence[str], column: Column, part: Part | None = None
) -> tuple[Cell, ...]:
    """A column of figures, the best of them marked.

    A mean over fewer clips than another system's says over how many, and is never the best, for clips differ
    more than systems do. Rates have no best: fewer bits are better only at equal quality.
    """
    found = [interval(results, system, column, part) for system in systems]
    most = max((figure["clips"] for figure in found if figure), default=0)
    shown = [cell(figure, column, most=most) for figure in found]
    way = better(results, column)
    losses = {
        place: _loss(figure["mean"], column, way)
        for place, figure in enumerate(found)
        if way and figure and figure["clips"] == most
    }
    if len(set(losses.values())) < 2:
        return tuple(shown)
    least = min(losses.values())
    return tuple(each._replace(best=losses.get(place) == least) for place, each in enumerate(shown))


def _loss(mean: float | None, column: Column, way: str) -> float:
    """What is least where the figure, as it is shown, is best: figures that look the same are as good."""
    value = math.inf if mean is None else round(column.times * mean, column.digits)
    return {"more": -value, "less": value, "0": abs(value), "1": abs(value - 1)}[way]


def cell(figure: Mapping[str, Any], column: Column, *, most: int = 0) -> Cell:
    """The mean, half the width of its interval, and a note if it is over fewer clips than the `most`.

    Infinite is the figure of clips without error; a mean of others does not count them, and its note does.
    """
    if not figure:
        return Cell()
    fewer = [f"of {figure['clips']}"] if figure["clips"] < most else []
    if figure["mean"] is None:
        return Cell("∞", note=" ".join(fewer))
    exact = [f"{figure['exact']} exact"] if figure.get("exact") else []
    note = ", ".join([*fewer, *exact])
    text = f"{column.times * figure['mean']:.{column.digits}f}"
    if None in (figure["low"], figure["high"]) or figure["clips"] < 2:
        return Cell(text, note=note)
    half = f"{column.times * (figure['high'] - figure['low']) / 2:.{column.digits}f}"
    return Cell(text, half if float(half) else "", note)
