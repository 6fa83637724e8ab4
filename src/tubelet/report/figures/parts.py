"""What parts of the page of figures are made of: paragraphs, tables, plots, and where figures come from."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tubelet.report.markup import Cell, Head, Row, Table, markdown_code, markdown_table, markdown_text
from tubelet.report.plots import Bars, Curves
from tubelet.report.tables import made_by

WIDTH = 120

SCRIPTS = "experiments"
"""The folder of what made claims, in the repository that this page is of."""

STORED = f"{SCRIPTS}/results"
"""Where the page finds stored results, below the folder of the repository."""


class Page(NamedTuple):
    """A page, and its plots by their places below its folder."""

    text: str
    plots: dict[str, Curves | Bars]


@dataclass
class Part:
    """What is said under one protocol.

    Attributes:
        title: its heading.
        blocks: of Markdown.
        plots: by their places below the page's folder.
    """

    title: str
    blocks: list[str] = field(default_factory=list)
    plots: dict[str, Curves | Bars] = field(default_factory=dict)

    def say(self, *sentences: str) -> None:
        """Add a paragraph of Markdown, in lines of `WIDTH`."""
        text = " ".join(" ".join(sentences).split())
        self.blocks.append(textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False))

    def head(self, text: str) -> None:
        """Begin a section."""
        self.blocks.append(f"### {text}")

    def show(self, table: Table) -> None:
        """Add a table."""
        self.blocks.append(markdown_table(table).rstrip())

    def plot(self, name: str, plot: Curves | Bars, *, says: str) -> None:
        """Add a plot, as SVG."""
        place = f"figures/{name}.svg"
        self.plots[place] = plot
        self.blocks.append(f"![{markdown_text(says)}]({place})")

    def source(self, protocol: str, circumstances: Mapping[str, Any], name: str) -> None:
        """Say by which protocol and command figures were made, on what, and where all of them are.

        Args:
            protocol: in Markdown.
            circumstances: as stored; a script's command has its name alone.
            name: of the file in `STORED`.
        """
        command = made_by(circumstances)
        if command.partition(" ")[0].endswith(".py"):
            command = f"python {command}"
        self.say(f"**Protocol.** {protocol}")
        machine = circumstances["machine"]
        self.blocks.append(
            f"Made by {markdown_code(command)} on {machine['cores']} cores, {machine['cpu']}. "
            f"All figures: [{name}](../{STORED}/{name})."
        )
        if "parts" in circumstances:
            self.say(markdown_text(circumstances["parts"]))


def read_stored(folder: Path, name: str) -> dict[str, Any] | None:
    """Stored figures with their protocol and circumstances; none if they are not there."""
    path = folder / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def missing(part: Part, name: str, command: str) -> Part:
    """Say that a file is not there, and what makes it."""
    part.say(f"`{STORED}/{name}` is not there, so nothing is said here. `{command}` makes it.")
    return part


def begun(part: Part, folder: Path, name: str, command: str) -> dict[str, Any] | None:
    """Say where stored figures come from, and give them; none, and what makes them, where they are not."""
    stored = read_stored(folder, name)
    if stored is None:
        missing(part, name, command)
        return None
    part.source(stored["protocol"], stored["circumstances"], name)
    return stored["figures"]


def plain_table(
    corner: str, heads: Sequence[str], rows: Mapping[str, Sequence[str]], *, code: bool = True
) -> Table:
    """A table of texts."""
    return Table(
        title="",
        protocol="",
        note="",
        corner=corner,
        heads=tuple(map(Head, heads)),
        rows=tuple(Row(name, tuple(map(Cell, cells))) for name, cells in rows.items()),
        code=code,
    )


def spread(found: Mapping[str, float]) -> str:
    """Median, least and largest of the rounds."""
    return f"{found['median']:.3g} ({found['least']:.3g} to {found['largest']:.3g})"
