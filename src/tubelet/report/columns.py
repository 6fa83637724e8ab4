"""What tables and plots of results show of a summary: which figures, called what, with how many digits."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from tubelet.errors import OptionError
from tubelet.evaluate.measures import MEASURES, Measure
from tubelet.report.markup import Cell
from tubelet.report.rate import has_bits
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
        digits: after the point; none for a figure of unknown size, of which `LOOSE` digits count.
        times: what figures are multiplied by; the head says so.
        measure: whose `better` counts, where it is not the figure's own name.
    """

    group: str
    name: str
    head: str
    digits: int | None
    times: float = 1.0
    measure: str = ""


def column_of(measure: Measure) -> Column:
    """The column of a measure."""
    return Column(
        measure.group, measure.name, measure.heading, measure.digits, measure.times, measure=measure.like
    )


def _columns(where: str) -> tuple[Column, ...]:
    return tuple(column_of(each) for each in MEASURES.values() if each.where == where)


COLUMNS = _columns("table")
"""Every column that a table or a plot may have; the other figures are on pages or in the results alone."""

PAGE_COLUMNS = _columns("page")
"""What a page shows beyond that."""

RATES = ("bits_per_pixel", "numbers_per_pixel")
"""What a system costs: bits of what went through a file, numbers of a latent that is not quantised."""

LOOSE = 4
"""Significant digits of a figure whose column does not know its size."""

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


def rate_column(results: Results, system: str) -> Column:
    """The column of a system's own rate: bits, or numbers where it makes none. The two are never compared."""
    return find_column(RATES[0 if has_bits(results.figures["systems"][system]) else 1])


def best(results: Results, column: Column, part: Part | None = None) -> frozenset[str]:
    """The systems whose figure is the best of a column, among all systems of the same rate.

    At more bits everything is better, so figures at different rates are not compared; nor is one of unknown
    rate. Rates are the same, and figures as good, where they look the same. A mean over fewer clips
    than another system's is never the best, for clips differ more than systems do. Nothing is the best where
    there is nothing else, or nothing worse.
    """
    way = better(results, column)
    if not way:
        return frozenset()
    found = {name: interval(results, name, column, part) for name in results.figures["systems"]}
    most = max((figure["clips"] for figure in found.values() if figure), default=0)
    rivals: dict[tuple[str, str], dict[str, float]] = {}
    for name, figure in found.items():
        costs = rate_column(results, name)
        rate = interval(results, name, costs, part)
        if rate and figure and figure["clips"] == most:
            at = rivals.setdefault((costs.name, cell(rate, costs).text), {})
            at[name] = _loss(figure["mean"], column, way)
    return frozenset(
        name
        for losses in rivals.values()
        for name, loss in losses.items()
        if loss == min(losses.values()) < max(losses.values())
    )


def cells(
    results: Results, systems: Sequence[str], column: Column, part: Part | None = None
) -> tuple[Cell, ...]:
    """A column of figures, those marked that are the `best` of their rate, in this table or not.

    A mean over fewer clips than another system's says over how many.
    """
    found = [interval(results, system, column, part) for system in systems]
    most = max((figure["clips"] for figure in found if figure), default=0)
    marked = best(results, column, part)
    return tuple(
        cell(figure, column, most=most)._replace(best=system in marked)
        for system, figure in zip(systems, found, strict=True)
    )


def _loss(mean: float | None, column: Column, way: str) -> float:
    """What is least where the figure, as it is shown, is best: figures that look the same are as good."""
    value = math.inf if mean is None else float(_shown(column.times * mean, column))
    return {"more": -value, "less": value, "0": abs(value), "1": abs(value - 1)}[way]


def _shown(value: float, column: Column) -> str:
    return f"{value:.{LOOSE}g}" if column.digits is None else f"{value:.{column.digits}f}"


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
    text = _shown(column.times * figure["mean"], column)
    if None in (figure["low"], figure["high"]) or figure["clips"] < 2:
        return Cell(text, note=note)
    half = _shown(column.times * (figure["high"] - figure["low"]) / 2, column)
    return Cell(text, half if float(half) else "", note)
