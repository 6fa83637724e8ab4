"""Tables of comma-separated values, of unknown origin."""

import csv
from collections.abc import Iterable, Iterator
from typing import NamedTuple

LONGEST_FIELD = 1 << 24
"""Characters of a field at most. One that is longer is mostly a quote that nothing closes."""


class CsvRow(NamedTuple):
    """A row of a table.

    Attributes:
        line: of the text in which it begins, from 1 on.
        fields: what it says, by column; none where it ends before the column.
        more: how many fields it has beyond the columns, up to the last one that says something.
    """

    line: int
    fields: dict[str, str | None]
    more: int


def read_csv(lines: Iterable[str]) -> Iterator[CsvRow]:
    """The rows of a table whose first line names its columns; empty lines are passed over.

    Args:
        lines: of the text, with their ends.

    Raises:
        ValueError: two columns have one name; or a quote is not closed, or a field has more than
            `LONGEST_FIELD` characters; the message then has the line in which the row begins.
    """
    reader = csv.reader(lines, strict=True)
    columns: list[str] | None = None
    while True:
        line = reader.line_num + 1
        fields = _next(reader, line)
        if fields is None:
            return
        if columns is None:
            columns = _named_once(fields)
        elif fields:
            beyond = fields[len(columns) :]
            more = max((number for number, text in enumerate(beyond, 1) if text.strip()), default=0)
            padded = [*fields, *[None] * (len(columns) - len(fields))]
            yield CsvRow(line, dict(zip(columns, padded, strict=False)), more)


def _named_once(columns: list[str]) -> list[str]:
    """The names of columns.

    Raises:
        ValueError: two are the same.
    """
    twice = next((name for name in columns if name and columns.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two columns are called {twice!r:.60}; rename one")
    return columns


def _next(reader: Iterator[list[str]], line: int) -> list[str] | None:
    """The next row, which begins in a line; none behind the last one."""
    # The bound is one of the whole process, so it is lent for a row.
    before = csv.field_size_limit(LONGEST_FIELD)
    try:
        return next(reader, None)
    except csv.Error as error:
        raise ValueError(f"the row that begins in line {line} is not closed or not CSV ({error})") from error
    finally:
        csv.field_size_limit(before)
