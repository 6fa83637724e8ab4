"""Tables as Markdown (of GitHub) and as LaTeX (with booktabs), with every text escaped."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from tubelet.files.names import text_name

ABSENT = "-"
"""Stands where nothing was measured."""


class Head(NamedTuple):
    """The head of a column.

    Attributes:
        text: what the column holds.
        group: what it shares with its neighbours; an empty text for nothing.
    """

    text: str
    group: str = ""


class Cell(NamedTuple):
    """A figure, as it is shown.

    Attributes:
        text: the figure.
        half: half the width of its interval; an empty text for none.
        note: what else must be known of it, in brackets behind it; an empty text for nothing.
        best: whether it is the best of its column.
    """

    text: str = ABSENT
    half: str = ""
    note: str = ""
    best: bool = False


class Row(NamedTuple):
    """A row, by name."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        title: a few words.
        protocol: what was measured, and how; it must stand with the figures.
        note: what else must be known to read them.
        corner: head of the column of names.
        heads: of the other columns.
        rows: as many cells each as there are heads.
        code: whether names are set as code is.
    """

    title: str
    protocol: str
    note: str
    corner: str = "system"
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    code: bool = True


def markdown_table(table: Table) -> str:
    """The table alone, without title, protocol and note; ends with a line break.

    Markdown has one row of heads, so a group stands above the first head of its columns.
    """
    heads: list[str] = []
    grouped = any(head.group for head in table.heads)
    for group, members in groupby(table.heads, key=lambda head: head.group):
        texts = [markdown_text(head.text) for head in members]
        if grouped:
            above = [markdown_text(group)] + [""] * (len(texts) - 1)
            texts = [f"{word}<br>{text}" for word, text in zip(above, texts, strict=True)]
        heads += texts
    lines = [
        _markdown_line([markdown_text(table.corner), *heads]),
        _markdown_line(["---"] + ["---:"] * len(heads)),
    ]
    for row in table.rows:
        name = markdown_code(row.name) if table.code else markdown_text(row.name)
        lines.append(_markdown_line([name, *(_markdown_cell(cell) for cell in row.cells)]))
    return "\n".join(lines) + "\n"


def latex_table(table: Table) -> str:
    """The table over both columns of a page, with a caption; shrunk where it would be wider than the page.

    Needs the packages booktabs and graphicx.
    """
    names = "\n".join(
        "    " + " & ".join([_latex_name(table, row), *(_latex_cell(cell) for cell in row.cells)]) + r" \\"
        for row in table.rows
    )
    heads = " & ".join(latex_text(head) for head in (table.corner, *(head.text for head in table.heads)))
    return "\n".join(
        [
            r"\begin{table*}[t]",
            r"  \centering",
            rf"  \caption{{{latex_text(f'{table.title}. {table.protocol} {table.note}')}}}",
            r"  \resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
            rf"  \begin{{tabular}}{{l{'r' * len(table.heads)}}}",
            r"    \toprule",
            *_latex_groups(table.heads),
            rf"    {heads} \\",
            r"    \midrule",
            names,
            r"    \bottomrule",
            r"  \end{tabular}}",
            r"\end{table*}",
            "",
        ]
    )


def markdown_text(text: str) -> str:
    """A text that Markdown shows as it is, in a table or outside, in one line."""
    return re.sub(r"([\\`*_\[\]<>|~&#$])", r"\\\1", _one_line(text))


def markdown_code(text: str) -> str:
    """A text as code. A bar is escaped, which a table needs, so outside tables none may be in it."""
    text = _one_line(text).replace("|", r"\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    # A space keeps a backtick at either end from the fence; Markdown takes it away again.
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def latex_text(text: str) -> str:
    """A text that LaTeX shows as it is, in one line."""
    return "".join(_LATEX.get(letter, letter) for letter in _one_line(text))


_LATEX: Mapping[str, str] = MappingProxyType(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "`": r"\textasciigrave{}",
        "∞": r"$\infty$",
        "±": r"$\pm$",
        "\N{MULTIPLICATION SIGN}": r"$\times$",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "→": r"$\rightarrow$",
        "²": r"\textsuperscript{2}",
        "⁴": r"\textsuperscript{4}",
        "⁻": r"\textsuperscript{-}",
    }
    | {letter: f"\\{letter}" for letter in "{}$&#_%"}
)


def _one_line(text: str) -> str:
    """Valid Unicode without line breaks; names of files are bytes, and JSON holds others than letters."""
    return " ".join(text_name(text).split())


def _markdown_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(cell: Cell) -> str:
    text = markdown_text(cell.text)
    text = f"**{text}**" if cell.best else text
    text += f" ±{markdown_text(cell.half)}" if cell.half else ""
    return text + (f" ({markdown_text(cell.note)})" if cell.note else "")


def _latex_cell(cell: Cell) -> str:
    text = latex_text(cell.text)
    text = rf"\textbf{{{text}}}" if cell.best else text
    text += rf"\,{{\scriptsize$\pm${latex_text(cell.half)}}}" if cell.half else ""
    return text + (f" ({latex_text(cell.note)})" if cell.note else "")


def _latex_name(table: Table, row: Row) -> str:
    return rf"\texttt{{{latex_text(row.name)}}}" if table.code else latex_text(row.name)


def _latex_groups(heads: Sequence[Head]) -> Iterator[str]:
    """A row of groups above the heads, and a line below each group."""
    if not any(head.group for head in heads):
        return
    cells, rules, column = [""], [], 2
    for group, members in groupby(heads, key=lambda head: head.group):
        count = len(list(members))
        cells.append(rf"\multicolumn{{{count}}}{{c}}{{{latex_text(group)}}}")
        if group:
            rules.append(rf"\cmidrule(lr){{{column}-{column + count - 1}}}")
        column += count
    yield f"    {' & '.join(cells)} \\\\"
    yield f"    {' '.join(rules)}"
