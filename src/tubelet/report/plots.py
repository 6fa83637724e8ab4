"""Plots of an evaluation, for papers and pages: quality against rate or speed, and measures by system.

A plot is first a description, made from results alone; only drawing it needs matplotlib. The same
description gives the same bytes of SVG and PDF with one version of matplotlib.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tubelet.errors import OptionError
from tubelet.extras import extra_package
from tubelet.files import replacing
from tubelet.report.columns import cell, find_column, head, interval, rate_column
from tubelet.report.rate import Rate, drawn_curves, trade_off
from tubelet.report.read import Results
from tubelet.report.titles import shown_name, title_line

SUFFIXES = (".png", ".svg", ".pdf")

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F")
"""Told apart by the colour-blind, in this order (Okabe & Ito 2008, without their yellow, and a grey)."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

RATES: Mapping[Rate, str] = MappingProxyType(
    {"bits_per_pixel": "bits per pixel on disk", "numbers_per_pixel": "numbers per pixel, not quantised"}
)
"""What an axis of rates says."""

SIDE_BY_SIDE = ("psnr_db", "ms_ssim", "flicker_levels", "difference_psnr_db")
"""Measures that are drawn where no two systems differ in a rate that they share."""

WIDTH = 3.4
"""Inches of a column of a page with two."""


class Mark(NamedTuple):
    """A point of a plot.

    Attributes:
        x: across.
        y: up.
        low: lower end of the interval around its figure, which is y in curves; none for no interval.
        high: upper end.
    """

    x: float
    y: float
    low: float | None = None
    high: float | None = None


class Series(NamedTuple):
    """Points that belong together.

    Attributes:
        name: what the legend calls them.
        marks: the points, in the order in which a line goes through them.
        dashed: whether that line is dashed.
    """

    name: str
    marks: tuple[Mark, ...]
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Series over a logarithmic axis.

    Attributes:
        x: what the horizontal axis says.
        y: what the vertical axis says.
        series: what is drawn.
        log_y: whether the vertical axis is logarithmic too.
    """

    x: str
    y: str
    series: tuple[Series, ...]
    log_y: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Figures with their intervals, a row for each system and a panel for each measure.

    Drawn are dots: the length of a bar would count from a zero that means nothing for most measures.

    Attributes:
        names: of the rows, from the top.
        panels: by what each axis says: a mark for each row, whose x is the figure; none where it is absent.
    """

    names: tuple[str, ...]
    panels: Mapping[str, tuple[Mark | None, ...]]


def rate_distortion(results: Results, measure: str = "psnr_db", *, rate: Rate | None = None) -> Curves:
    """Quality against rate, a line for each thing that was measured at several rates.

    Args:
        results: of an evaluation.
        measure: one of which more, or less, is better.
        rate: bits of what went through a file, or numbers of what did not; bits for none, if there are any.

    Raises:
        OptionError: there is no such measure, or nothing has that rate.
    """
    if rate is None:
        rate = "bits_per_pixel" if drawn_curves(results, measure, "bits_per_pixel") else "numbers_per_pixel"
    curves = drawn_curves(results, measure, rate)
    if not curves:
        raise OptionError(
            f"no system has both {measure} and {rate.replace('_', ' ')}. Evaluate some that do."
        )
    return Curves(
        x=RATES[rate],
        y=head(results, find_column(measure)),
        series=tuple(
            Series(
                curve.name,
                tuple(Mark(point.rate, point.quality) for point in curve.points),
                dashed=curve.kind == "codec",
            )
            for curve in curves
        ),
    )


def speed_quality(
    results: Results, speeds: Mapping[str, float], measure: str = "psnr_db", *, says: str
) -> Curves:
    """Quality against speed, a point for each system whose speed is known.

    Args:
        results: of an evaluation.
        speeds: by text of a system, above 0. The times inside an evaluation are not a measurement of speed.
        measure: any.
        says: what the axis of speeds says, with its unit.

    Raises:
        OptionError: no system has both.
    """
    column = find_column(measure)
    found = {
        name: Series(name, (Mark(speeds[name], figure["mean"], figure["low"], figure["high"]),))
        for name in results.figures["systems"]
        if name in speeds and (figure := interval(results, name, column)) and figure["mean"] is not None
    }
    if not found:
        raise OptionError(f"no system has both a speed and {measure}. Measure some that do.")
    return Curves(x=says, y=head(results, column), series=tuple(found.values()))


def default_plot(results: Results, measure: str | None = None) -> Curves | Bars:
    """Quality against rate where systems differ in a rate that they share, else their figures side by side.

    Args:
        results: of an evaluation.
        measure: the quality; none for PSNR against rate, and for several measures side by side.

    Raises:
        OptionError: there is no such measure, or no system has it.
    """
    rate = trade_off(results, measure or SIDE_BY_SIDE[0])
    if rate is not None:
        return rate_distortion(results, measure or SIDE_BY_SIDE[0], rate=rate)
    systems = list(results.figures["systems"])
    plot = bars(results, systems, SIDE_BY_SIDE if measure is None else (measure,))
    return replace(plot, names=tuple(_with_rate(results, name) for name in systems))


def _with_rate(results: Results, system: str) -> str:
    """The name of a row, with what the system costs: figures at different costs are not to be compared."""
    column = rate_column(results, system)
    figure = interval(results, system, column)
    return f"{system}, {cell(figure, column).text} {column.head}" if figure else system


def bars(results: Results, systems: Sequence[str], measures: Sequence[str]) -> Bars:
    """Figures of some systems with their intervals, a panel for each measure that one of them has.

    Args:
        results: of an evaluation.
        systems: texts, the first one on top.
        measures: names of figures that tables show too.

    Raises:
        OptionError: none of the systems has any of them.
    """
    panels: dict[str, tuple[Mark | None, ...]] = {}
    for column in map(find_column, measures):
        marks: list[Mark | None] = []
        for place, name in enumerate(systems):
            figure = interval(results, name, column)
            marks.append(_bar(figure, column.times, place) if figure and figure["mean"] is not None else None)
        if any(marks):
            panels[head(results, column)] = tuple(marks)
    if not panels:
        raise OptionError(f"none of {', '.join(systems)} has any of {', '.join(measures)}. Name others.")
    return Bars(names=tuple(systems), panels=MappingProxyType(panels))


def _bar(figure: Mapping[str, Any], times: float, place: int) -> Mark:
    """A figure at its row; one of a whole set of clips has no interval."""
    if None in (figure["low"], figure["high"]):
        return Mark(times * figure["mean"], place)
    return Mark(times * figure["mean"], place, times * figure["low"], times * figure["high"])


def draw(plot: Curves | Bars, target: Path, *, title: str | None = None, force: bool = False) -> None:
    """Draw a plot into a file; the suffix chooses how.

    Args:
        plot: what.
        target: ``.png`` (300 dots per inch), ``.svg`` or ``.pdf``.
        title: what stands above it; none for nothing.
        force: whether a file of that name is replaced.

    Raises:
        OptionError: the suffix is another, the title is empty, there are over 100 systems, or matplotlib is
            not installed.
        OutputError: the file cannot be written.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise OptionError(f"{target} ends in {target.suffix!r}; plots are written as {', '.join(SUFFIXES)}.")
    if (count := len(plot.series if isinstance(plot, Curves) else plot.names)) > _MOST:
        raise OptionError(f"{count} systems are to be drawn; a plot shows at most {_MOST}. Evaluate fewer.")
    matplotlib = load_matplotlib()
    with replacing(target, force=force) as path, matplotlib.rc_context(STYLE):
        figure = _draw_curves(plot) if isinstance(plot, Curves) else _draw_bars(plot)
        if title is not None:
            above = 1 + 0.08 / figure.get_figheight()
            figure.suptitle(title_line(title), y=above, va="bottom", fontsize=9, parse_math=False)
        figure.savefig(path, dpi=300, bbox_inches="tight", pad_inches=0.03, metadata=METADATA[target.suffix])


def write_plot(
    results: Results,
    target: Path,
    *,
    measure: str | None = None,
    title: str | None = None,
    force: bool = False,
) -> None:
    """Draw the plot of an evaluation that says most into a file; see `default_plot` and `draw`.

    Raises:
        OptionError: nothing can be drawn, the suffix is none of a plot, the title is empty, or matplotlib is
            not installed.
        OutputError: the file cannot be written.
    """
    draw(default_plot(results, measure), target, title=title, force=force)


class Look(NamedTuple):
    """How a series is drawn."""

    colour: str
    marker: str


def look(place: int) -> Look:
    """The look of the series at a place; when the colours are used up, they come with other markers."""
    shift = place // len(COLOURS)
    return Look(COLOURS[place % len(COLOURS)], MARKERS[(place + shift) % len(MARKERS)])


_WIDE = 300.0
"""An axis whose end is more than so many times its begin has ticks at powers of ten alone."""

_LETTERS = 56
"""How many a legend has room for, side by side."""

_MOST = 100
"""Systems in one plot; more cannot be told apart, and make a picture that no program opens."""

STYLE = {
    "font.size": 8,
    "font.family": "DejaVu Sans",
    # Names of systems are not formulas, whatever signs they have.
    "text.parse_math": False,
    "text.usetex": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.linewidth": 0.6,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "figure.facecolor": "white",
    # Shapes of letters, for a page that shows a picture has no say in its fonts.
    "svg.fonttype": "path",
    # Names of parts of an SVG are hashes with a salt, which is random otherwise.
    "svg.hashsalt": "tubelet",
    # Letters as TrueType, which publishers ask for.
    "pdf.fonttype": 42,
}

METADATA: Mapping[str, Mapping[str, None]] = MappingProxyType(
    {
        ".png": {"Software": None},
        ".svg": {"Date": None, "Creator": None},
        ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
)
"""What would tell the time, or the version of matplotlib, is left out."""


def load_matplotlib() -> Any:  # noqa: ANN401  a module without types of ours
    """Matplotlib, with the modules that plots need; an extra of the package.

    Raises:
        OptionError: it is not installed.
    """
    for name in ("matplotlib.figure", "matplotlib.ticker"):
        extra_package(name, extra="plots", need="plots need it")
    return import_module("matplotlib")


def _draw_curves(plot: Curves) -> Any:  # noqa: ANN401  a figure of matplotlib
    """All series in one pair of axes, the legend below, where no curve can run into it."""
    matplotlib = load_matplotlib()
    figure = matplotlib.figure.Figure(figsize=(WIDTH, 2.3))
    axes = figure.add_subplot()
    lines: list[Any] = []
    for place, series in enumerate(plot.series):
        x, y = [mark.x for mark in series.marks], [mark.y for mark in series.marks]
        colour, marker = look(place)
        lines += axes.plot(x, y, linestyle="--" if series.dashed else "-", color=colour, marker=marker)
        for mark in series.marks:
            if None not in (mark.low, mark.high):
                axes.plot([mark.x] * 2, [mark.low, mark.high], color=colour, linewidth=0.8)
    axes.set_xscale("log")
    _name_ticks(axes.xaxis, [mark.x for series in plot.series for mark in series.marks])
    if plot.log_y:
        axes.set_yscale("log")
        _name_ticks(axes.yaxis, [mark.y for series in plot.series for mark in series.marks])
    else:
        axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.set_xlabel(plot.x)
    axes.set_ylabel(plot.y)
    names = [shown_name(series.name) for series in plot.series]
    longest = max(map(len, names))
    legend = axes.legend(
        lines,
        # Matplotlib leaves out what begins with an underscore, so names come in afterwards.
        ["-"] * len(names),
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        ncols=max(1, min(3, _LETTERS // (longest + 4))),
        columnspacing=1.2,
        handlelength=2.2,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)
    return figure


def _name_ticks(axis: Any, values: Sequence[float]) -> None:  # noqa: ANN401  an axis of matplotlib
    """Plain numbers along a logarithmic axis, in steps of 1, 2, 5 where there is room for them."""
    ticker = load_matplotlib().ticker
    wide = max(values) > _WIDE * min(values)
    axis.set_major_locator(ticker.LogLocator(subs=(1,) if wide else (1, 2, 5)))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(ticker.NullLocator())


def _draw_bars(plot: Bars) -> Any:  # noqa: ANN401  a figure of matplotlib
    """A panel for each measure, side by side, all with the same rows."""
    matplotlib = load_matplotlib()
    count, rows = len(plot.panels), range(len(plot.names))
    size = (WIDTH if count == 1 else 2.1 * WIDTH, 0.5 + 0.17 * len(rows))
    figure = matplotlib.figure.Figure(figsize=size)
    row = figure.subplots(1, count, sharey=True, squeeze=False, gridspec_kw={"wspace": 0.08})[0]
    for axes, (says, marks) in zip(row, plot.panels.items(), strict=True):
        for place, mark in enumerate(marks):
            if mark is not None and None not in (mark.low, mark.high):
                axes.plot([mark.low, mark.high], [place, place], color=COLOURS[0], linewidth=1.0)
            if mark is not None:
                axes.plot([mark.x], [place], color=COLOURS[0], marker="o")
        axes.set_title(says, fontsize=8)
        axes.tick_params(axis="y", length=0)
    row[0].set_yticks(rows, [shown_name(name) for name in plot.names])
    row[0].set_ylim(len(rows) - 0.5, -0.5)
    return figure
