"""Lists of clips: CSV, lines of JSON, Parquet, and plain paths, as rows."""

import re
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader, BytesIO, TextIOWrapper
from typing import Any

from tubelet.csv_text import read_csv
from tubelet.data.arrow import arrow_packages
from tubelet.errors import OptionError
from tubelet.jobs.rows import CAPTION_COLUMNS, PATH_COLUMNS, Row, faulty, row_of
from tubelet.json_text import text_to_json

LISTS = (".csv", ".jsonl", ".parquet", ".txt")
"""Suffixes of files that list clips."""

_BATCH = 1 << 14

_OBJECT = re.compile(r"""\s*\{\s*(["']|\w+\s*:|\}?\s*$)""")
"""How what is meant as an object of JSON begins; a path such as ``{0}.mp4`` begins otherwise."""


def list_rows(file: BufferedReader | BytesIO, suffix: str, folder: str, name: str) -> list[Row]:
    """The rows of a list; one that means nothing has a fault, and costs the others nothing.

    Args:
        file: the list.
        suffix: of its name, in lower case; one of `LISTS`.
        folder: where its relative paths begin: a folder, or a URL.
        name: of the list, as messages have it.

    Raises:
        OptionError: it cannot be read, or no row of it means anything.
    """
    if suffix == ".parquet":
        return sound_rows(_parquet_rows(file, folder, name))
    lines = TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        rows = list(_ROWS[suffix](lines, folder, name))
    except ValueError as error:
        cure = " Save it as UTF-8." if isinstance(error, UnicodeDecodeError) else ""
        raise OptionError(f"the list {name} cannot be read: {error!s:.300}.{cure}") from error
    finally:
        lines.detach()
    return sound_rows(rows)


def sound_rows(rows: Iterable[Row]) -> list[Row]:
    """The rows of one list.

    Raises:
        OptionError: each of them has a fault.
    """
    found = list(rows)
    if found and all(row.fault is not None for row in found):
        raise OptionError(str(found[0].fault))
    return found


def line_rows(lines: Iterable[str], folder: str, where: str) -> Iterator[Row]:
    """A path a line, or an object of JSON a line.

    Args:
        lines: of the list.
        folder: where relative paths begin.
        where: the list, as messages name it.
    """
    for number, line in enumerate(lines, 1):
        text, place = line.rstrip("\r\n"), f"{where}, line {number}"
        if _OBJECT.match(text):
            yield _object_row(text, folder, place)
        elif text.strip():
            yield row_of({"path": text}, folder, place)


def _json_rows(lines: Iterable[str], folder: str, where: str) -> Iterator[Row]:
    """An object of JSON a line."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _object_row(line, folder, f"{where}, line {number}")


def _object_row(text: str, folder: str, place: str) -> Row:
    """The row of an object of JSON."""
    try:
        fields = text_to_json(text)
    except ValueError as error:
        return faulty(place, f"{place} is not JSON: {error!s:.200}.")
    if not isinstance(fields, dict):
        return faulty(place, f'{place} is {text.strip():.60}; it is an object, such as {{"path": "a.mp4"}}.')
    return row_of(fields, folder, place)


def _csv_rows(lines: Iterable[str], folder: str, where: str) -> Iterator[Row]:
    """The rows of a table.

    Raises:
        ValueError: it is not one.
    """
    for row in read_csv(lines):
        place = f"{where}, line {row.line}"
        if row.more:
            fault = (
                f"{place} has {row.more} fields more than the first line of the list. A text with commas "
                'stands in quotes: "a cat, asleep".'
            )
            yield faulty(place, fault)
        else:
            yield row_of(row.fields, folder, place)


def _parquet_rows(file: BufferedReader | BytesIO, folder: str, name: str) -> Iterator[Row]:
    """The rows of a table in Parquet.

    Raises:
        OptionError: it cannot be read.
    """
    arrow, parquet = arrow_packages(for_what="lists in .parquet", instead="give a .csv")
    number = 0
    try:
        table = parquet.ParquetFile(file)
        wanted = [*PATH_COLUMNS, "start", "end", *CAPTION_COLUMNS]
        columns = [each for each in table.schema_arrow.names if each in wanted]
        for batch in table.iter_batches(batch_size=_BATCH, columns=columns):
            rows: list[dict[str, Any]] = batch.to_pylist()
            for number, fields in enumerate(rows, number + 1):  # noqa: B020  it counts on
                yield row_of(fields, folder, f"{name}, row {number}")
    except arrow.ArrowException as error:
        raise OptionError(f"the list {name} cannot be read: {str(error).rstrip('.'):.200}.") from error


_ROWS: dict[str, Callable[[Iterable[str], str, str], Iterator[Row]]] = {
    ".csv": _csv_rows,
    ".jsonl": _json_rows,
    ".txt": line_rows,
}
"""What reads the lines of a list, by the suffix of its name."""
