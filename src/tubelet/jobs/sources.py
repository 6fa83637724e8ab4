"""What there is to encode: folders, files, patterns, and lists of clips, as rows."""

import csv
import glob
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from tubelet.codec.tokens.clip import check_caption
from tubelet.data.clips import find_clips
from tubelet.errors import OptionError
from tubelet.files.names import text_name
from tubelet.json_text import text_to_json
from tubelet.video.ranges import VideoRange, range_text

STANDARD_INPUT = "-"

LISTS = (".csv", ".jsonl", ".parquet", ".txt")
"""Suffixes of files that list clips."""

LONGEST_TIME = 1e9
"""Seconds; a time is below."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_PATH_COLUMNS = ("path", "file", "video", "filename", "url")
_BATCH = 1 << 14


class Row(NamedTuple):
    """A clip that is asked for.

    Attributes:
        name: what it is called, wherever the files lie: below the folder that was given, as it stands in a
            list, or as it was given.
        path: where the file is.
        start: seconds after the first frame at which the clip begins; none for the beginning.
        end: seconds after the first frame at which it ends; none for the end.
        caption: what is seen, in words; none if nobody said.
        below: where it lies below the folder or list that it was found in; the name of the file where it was
            given by itself.
    """

    name: str
    path: str
    start: float | None = None
    end: float | None = None
    caption: str | None = None
    below: str = ""

    @property
    def shown(self) -> str:
        """The clip, as messages name it."""
        return f"{self.path}{range_text(self.start, self.end)}"

    @property
    def video(self) -> Path | VideoRange:
        """What reads it: the file, or a range of it."""
        whole = self.start is None and self.end is None
        return Path(self.path) if whole else VideoRange(Path(self.path), self.start, self.end)


def read_sources(
    sources: Sequence[str], *, lines: Iterable[str] | None = None, missing_fail: bool = False
) -> list[Row]:
    """The clips that sources stand for; no video is opened.

    Args:
        sources: folders, searched with all folders below; videos; patterns such as ``clips/**/*.mp4``; lists:
            ``.csv``, ``.jsonl`` and ``.parquet`` with a column ``path`` and perhaps ``start``, ``end`` and
            ``caption``, ``.txt`` with a path a line, whose relative paths begin at the list's folder; ``-``,
            the same as ``.txt`` or ``.jsonl`` from `lines`.
        lines: what ``-`` stands for; standard input for none.
        missing_fail: whether a name that nothing has is a clip, which fails when it is read; else it is
            refused here.

    Raises:
        OptionError: a source is not there, a list cannot be read, or a row means nothing.
    """
    rows: list[Row] = []
    for source in sources:
        try:
            rows.extend(_rows_of(source, sys.stdin if lines is None else lines))
        except _MissingError:
            if not missing_fail or glob.has_magic(source) or not Path(source).suffix:
                raise
            rows.append(_given(source))
    if not rows:
        raise OptionError(f"{', '.join(sources)} holds no clip; at least one is needed.")
    return rows


def is_file(source: str) -> bool:
    """Whether a source names a video itself, which need not be there, and stands for no others."""
    path = Path(source)
    if source == STANDARD_INPUT or path.is_dir() or path.suffix.lower() in LISTS:
        return False
    return path.exists() or not glob.has_magic(source)


class _MissingError(OptionError):
    """Nothing has this name."""


def _given(source: str) -> Row:
    """A file that was named by itself."""
    return _row({"path": source}, Path(), source)._replace(below=Path(source).name)


def _rows_of(source: str, lines: Iterable[str]) -> Iterable[Row]:
    path = Path(source)
    if source == STANDARD_INPUT:
        return _from_lines(lines, Path(), "standard input")
    if _URL.match(source):
        return [_row({"path": source}, Path(), source)]
    if path.is_dir():
        name = path.resolve().name
        return [
            Row(name=text_name(f"{name}/{below}"), path=str(each), below=below)
            for each in find_clips(path)
            for below in [each.relative_to(path).as_posix()]
        ]
    if path.suffix.lower() in LISTS:
        return _from_list(path)
    if path.exists():
        return [_given(source)]
    if glob.has_magic(source):
        matches = glob.glob(source, recursive=True)  # noqa: PTH207  a path has no patterns of its own folder
        found = sorted(each for each in matches if Path(each).is_file())
        if found:
            return [_given(each) for each in found]
    raise _MissingError(f"{source} is not there; give folders, videos, patterns or lists of clips.")


def _from_list(path: Path) -> Iterator[Row]:
    """The rows of a file that lists clips.

    Raises:
        OptionError: it cannot be read.
    """
    try:
        match path.suffix.lower():
            case ".csv":
                with path.open(encoding="utf-8-sig", newline="") as file:
                    for number, fields in enumerate(csv.DictReader(file), 2):
                        yield _row(fields, path.parent, f"{path}, line {number}")
            case ".parquet":
                for number, fields in enumerate(_parquet_rows(path), 1):
                    yield _row(fields, path.parent, f"{path}, row {number}")
            case _:
                with path.open(encoding="utf-8-sig") as file:
                    yield from _from_lines(file, path.parent, str(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"the list {path} cannot be read: {error!s:.200}.") from error


def _from_lines(lines: Iterable[str], folder: Path, where: str) -> Iterator[Row]:
    """A path a line, or an object of JSON a line."""
    for number, line in enumerate(lines, 1):
        text, place = line.rstrip("\r\n"), f"{where}, line {number}"
        if not text.strip():
            continue
        fields: object = {"path": text}
        if text.lstrip().startswith("{"):
            try:
                fields = text_to_json(text)
            except ValueError as error:
                raise OptionError(f"{place} is no JSON: {error!s:.200}.") from error
        if not isinstance(fields, dict):
            raise OptionError(f'{place} is no object of JSON; it is like {{"path": "a.mp4"}}.')
        yield _row(fields, folder, place)


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise OptionError(
            f"the package {error.name!r} is missing; lists in .parquet need it. Install it with "
            "`pip install 'tubelet[tokens]'`, or give a .csv."
        ) from error
    try:
        with path.open("rb") as file:
            table = parquet.ParquetFile(file)
            wanted = [*_PATH_COLUMNS, "start", "end", "caption"]
            columns = [name for name in table.schema_arrow.names if name in wanted]
            for batch in table.iter_batches(batch_size=_BATCH, columns=columns):
                yield from batch.to_pylist()
    except arrow.ArrowException as error:
        raise OptionError(f"the list {path} cannot be read: {error!s:.200}.") from error


def _row(fields: Mapping[str | Any, Any], folder: Path, where: str) -> Row:
    """A row of a list.

    Raises:
        OptionError: it means nothing.
    """
    column = next((name for name in _PATH_COLUMNS if name in fields), None)
    path = None if column is None else fields[column]
    if not isinstance(path, str) or not path.strip() or "\0" in path:
        raise OptionError(f"{where} names no path; lists have a column path.")
    start, end = (_time(fields.get(name), name, where) for name in ("start", "end"))
    if end is not None and end <= (start or 0.0):
        raise OptionError(
            f"{where}: end is {end:g} and start is {start or 0:g}; a clip ends after it begins."
        )
    caption = fields.get("caption")
    if caption is not None and not isinstance(caption, str):
        raise OptionError(f"{where}: caption is {caption!r:.40}; it is text.")
    try:
        check_caption(caption or None)
    except OptionError as error:
        raise OptionError(f"{where}: {error}") from error
    if _URL.match(path):
        return Row(path, path, start, end, caption or None, path.rpartition("/")[2])
    name = os.path.normpath(path)
    within = not (os.path.isabs(name) or name.startswith(".."))  # noqa: PTH117
    below = name if within else Path(name).name
    return Row(text_name(name), str(folder / name), start, end, caption or None, below)


def _time(value: object, name: str, where: str) -> float | None:
    """Seconds; none where nothing is said."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds < LONGEST_TIME:
        raise OptionError(f"{where}: {name} is {value!r:.40}; it is seconds, from 0 on.")
    return seconds or None if name == "start" else seconds
