"""Tables of a report on a terminal."""

from typing import TYPE_CHECKING

from tubelet.cli.console import show_table
from tubelet.files import printable

if TYPE_CHECKING:
    from tubelet.report.markup import Cell, Table


def show(table: "Table") -> None:
    """Print a table, below its title if it has one."""
    if table.title:
        print(f"\n{printable(table.title)}")
    rows = [(row.name, *map(_text, row.cells)) for row in table.rows]
    show_table(rows, header=(table.corner, *(head.text for head in table.heads)))


def _text(cell: "Cell") -> str:
    """A figure, half the width of its interval, and what else must be known of it."""
    half = f" ±{cell.half}" if cell.half else ""
    return f"{cell.text}{half}{f' ({cell.note})' if cell.note else ''}"
