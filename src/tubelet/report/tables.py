"""The tables of an evaluation, as Markdown or LaTeX: figures of all clips and by tag, what curves save."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tubelet.errors import OptionError
from tubelet.evaluate.summary import failures
from tubelet.files import replacing
from tubelet.report.columns import GROUPS, Column, cells, find_column, head, parts, summary, used
from tubelet.report.markup import (
    Cell,
    Head,
    Row,
    Table,
    latex_table,
    latex_text,
    markdown_code,
    markdown_table,
    markdown_text,
)
from tubelet.report.rate import Comparison, bd_rates, has_bits, rate_curves
from tubelet.report.read import Results
from tubelet.report.titles import data_name, title_line

BY_TAG = ("psnr_db", "ms_ssim", "flicker_levels", "warping_error", "difference_psnr_db", "tof_px")
"""Figures that a document shows by tag."""


class Families(NamedTuple):
    """Systems that may stand in one table, in the order of the results.

    Attributes:
        latents: their latent is not quantised, so its size is a count of numbers and not of bits.
        files: what they cost is bytes on disk.
    """

    latents: tuple[str, ...]
    files: tuple[str, ...]


def families(results: Results) -> Families:
    """Tell the systems apart whose figures look alike, but whose costs cannot be compared."""
    systems = results.figures["systems"].items()
    return Families(
        latents=tuple(name for name, system in systems if not has_bits(system)),
        files=tuple(name for name, system in systems if has_bits(system)),
    )


def result_note(results: Results) -> str:
    """How to read a table of figures with intervals."""
    intervals = results.figures["intervals"]
    return (
        f"The mean over the clips and, behind ±, half of the interval that holds the means of "
        f"{100 * intervals['level']:g} % of {intervals['resamples']} samples of the clips, drawn with "
        "replacement. Bold is the best of the systems that have the same rate, for at more bits everything "
        "is better; where no two have the same, nothing is bold."
    )


def protocol(results: Results) -> str:
    """The protocol and the clips: to stand beside every table and plot."""
    count = len(results.figures["clips"])
    return f"{results.protocol} {count} clip{'s' if count > 1 else ''} of {data_name(results)}."


def result_table(
    results: Results, systems: Sequence[str], *, title: str, groups: Sequence[str] = tuple(GROUPS)
) -> Table:
    """A row for each system, a column for each figure that one of them has.

    Args:
        results: of an evaluation.
        systems: which, and in which order.
        title: a few words.
        groups: names from `GROUPS`.
    """
    columns = used(results, systems, groups)
    heads = tuple(Head(head(results, column), GROUPS[column.group]) for column in columns)
    found = [cells(results, systems, column) for column in columns]
    return _table(results, systems, title, heads, found)


def tag_table(results: Results, systems: Sequence[str], column: Column, *, title: str) -> Table:
    """A row for each system, a column for each value of each tag: one figure, of the clips that have it."""
    heads: list[Head] = []
    found: list[tuple[Cell, ...]] = []
    for part in parts(results):
        count = max(summary(results, name, part).get("clips", 0) for name in results.figures["systems"])
        shown = cells(results, systems, column, part)
        if any(cell != Cell() for cell in shown):
            heads.append(Head(f"{part.value} ({count})", part.tag))
            found.append(shown)
    table = _table(results, systems, f"{title}: {head(results, column)}", tuple(heads), found)
    return replace(table, note=f"{table.note} In brackets: how many clips.")


def bd_table(results: Results, measure: str, *, anchor: str) -> Table:
    """What every curve saves against the anchor, or why there is no such figure.

    Raises:
        OptionError: there is no curve `anchor`.
    """
    column = find_column(measure)
    found = bd_rates(results, measure, anchor=anchor)
    left_out = [
        f"{name} is not a point: {why}."
        for curve in rate_curves(results, measure)
        for name, why in curve.left_out.items()
    ]
    absent = [f"{each.curve.name} has none: {each.whole.why}" for each in found if each.whole.why]
    return Table(
        title=f"BD-rate against {anchor} at equal {column.head}",
        protocol=protocol(results),
        note=" ".join([_BD_NOTE, *absent, *left_out]),
        corner="curve",
        heads=(Head("points"), Head(f"from {column.head}"), Head("to"), Head("BD-rate"), Head("by clip")),
        rows=tuple(Row(each.curve.name, _comparison(each, column)) for each in found),
    )


_BD_NOTE = (
    "How many more bits on disk a curve needs than the anchor for the same quality; below zero, it saves. "
    "First that of the curves through the means over the clips, between the qualities that both of them "
    "reach; then the mean over the clips whose own two curves have qualities in common. Between points there "
    "are monotone cubics (HSTP-VID-WPOM)."
)


def reasons(results: Results) -> tuple[str, ...]:
    """Sentences on what is missing: clips that failed, and measures without a figure."""
    why: dict[tuple[str, str], int] = {}
    for system in results.figures["systems"].values():
        for found in system["clips"].values():
            for measure, reason in found.get("absent", {}).items():
                why[measure, reason] = why.get((measure, reason), 0) + 1
    absent = [
        f"{measure} is absent {count} time{'s' if count > 1 else ''}: {reason}"
        for (measure, reason), count in why.items()
    ]
    return (*failures(results.figures["systems"]), *absent)


def made_by(circumstances: Mapping[str, Any]) -> str:
    """The command, the commit and the day of figures, in one line."""
    return (
        f"{circumstances['command']} (commit {circumstances['commit'] or 'unknown'}, "
        f"{circumstances['date'][:10]})"
    )


def all_tables(results: Results, *, anchor: str | None = None) -> tuple[Table, ...]:
    """Every table of an evaluation.

    Args:
        results: of an evaluation.
        anchor: the curve that others are compared with, such as ``x264``; none for no comparison.

    Raises:
        OptionError: there is no such curve.
    """
    latents, files = families(results)
    titled = {"Latents as they are": latents, "Through a file": files}
    found = [result_table(results, systems, title=title) for title, systems in titled.items()]
    if anchor is not None:
        found.append(bd_table(results, "psnr_db", anchor=anchor))
    found += [
        tag_table(results, systems, find_column(name), title=title)
        for name in BY_TAG
        for title, systems in titled.items()
    ]
    return tuple(table for table in found if table.rows and table.heads)


def write_tables(
    results: Results,
    target: Path,
    *,
    anchor: str | None = None,
    title: str | None = None,
    force: bool = False,
) -> None:
    """Write every table of an evaluation; the suffix chooses how.

    Args:
        results: of an evaluation.
        target: a ``.md`` or ``.tex`` file; the latter is to be included and needs booktabs and graphicx.
        anchor: the curve that others are compared with, such as ``x264``; none for no comparison.
        title: what stands above them; none for the name of the folder of clips.
        force: whether a file of that name is replaced.

    Raises:
        OptionError: the suffix is another, the title is empty, or there is no such curve.
        OutputError: the file cannot be written.
    """
    text = tables_text(results, target.suffix.lower(), anchor=anchor, title=title)
    with replacing(target, force=force) as path:
        path.write_text(text, encoding="utf-8")


def tables_text(results: Results, suffix: str, *, anchor: str | None = None, title: str | None = None) -> str:
    """All tables as the text of a file of a suffix of `WRITERS`.

    Raises:
        OptionError: the suffix is another, the title is empty, or there is no such curve.
    """
    if suffix not in WRITERS:
        raise OptionError(f"tables are written as {', '.join(WRITERS)}, not as {suffix!r}.")
    named = f"Figures of {data_name(results)}" if title is None else title_line(title)
    return WRITERS[suffix](named, results, all_tables(results, anchor=anchor))


def _markdown(title: str, results: Results, tables: Sequence[Table]) -> str:
    """A page: the protocol once, and a note with the first of the tables that share it."""
    blocks = [
        f"# {markdown_text(title)}",
        markdown_text(protocol(results)),
        f"Made by {markdown_code(made_by(results.circumstances))}.",
    ]
    said: set[str] = set()
    for table in tables:
        note = [] if table.note in said else [markdown_text(table.note)]
        said.add(table.note)
        blocks += [f"## {markdown_text(table.title)}", *note, markdown_table(table).rstrip()]
    if missing := reasons(results):
        blocks += ["## What is missing", "\n".join(f"- {markdown_text(reason)}" for reason in missing)]
    return "\n\n".join(blocks) + "\n"


def _latex(title: str, results: Results, tables: Sequence[Table]) -> str:
    lines = (
        title,
        f"made by {made_by(results.circumstances)}",
        "needs booktabs and graphicx",
        *reasons(results),
    )
    comments = "".join(f"% {latex_text(line)}\n" for line in lines)
    return "\n".join([comments, *(latex_table(table) for table in tables)])


WRITERS: Mapping[str, Callable[[str, Results, Sequence[Table]], str]] = MappingProxyType(
    {".md": _markdown, ".tex": _latex}
)
"""What makes a text of tables, by suffix."""


def _table(
    results: Results,
    systems: Sequence[str],
    title: str,
    heads: tuple[Head, ...],
    columns: Sequence[tuple[Cell, ...]],
) -> Table:
    """The table of some columns."""
    rows = tuple(Row(name, tuple(column[place] for column in columns)) for place, name in enumerate(systems))
    return Table(title=title, protocol=protocol(results), note=result_note(results), heads=heads, rows=rows)


def _comparison(found: Comparison, column: Column) -> tuple[Cell, ...]:
    """The cells of a row of a BD-rate table."""
    points = Cell(str(len(found.curve.points)))
    clips = (
        Cell(note=f"of {found.clips}")
        if found.by_clip is None
        else Cell(f"{found.by_clip:+.1f} %", note=f"{found.clips_compared} of {found.clips}")
    )
    whole = found.whole
    if whole.percent is None:
        return points, Cell(), Cell(), Cell(), clips
    low, high = (f"{column.times * value:.{column.digits}f}" for value in (whole.low, whole.high))
    return points, Cell(low), Cell(high), Cell(f"{whole.percent:+.1f} %"), clips
