"""What there is to encode: folders, files, patterns, and lists of clips, as rows."""

import csv
import glob
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO, TextIOWrapper
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple

from tubelet.data.arrow import arrow_packages
from tubelet.data.clips import SUFFIXES, find_clips
from tubelet.errors import OptionError
from tubelet.files.names import text_name
from tubelet.files.urls import is_url, name_in, without_secrets
from tubelet.jobs.remote import LocalCopies, list_remote, read_remote
from tubelet.json_text import text_to_json
from tubelet.video.ranges import VideoRange, range_text

STANDARD_INPUT = "-"

LISTS = (".csv", ".jsonl", ".parquet", ".txt")
"""Suffixes of files that list clips."""

LONGEST_TIME = 1e9
"""Seconds; a time is below."""

_PATH_COLUMNS = ("path", "file", "video", "filename", "url")
_CAPTION_COLUMNS = ("caption", "description")
"""The first that says something counts; manifests of clips say ``description``."""

_BATCH = 1 << 14


class Row(NamedTuple):
    """A clip that is asked for.

    Attributes:
        name: what it is called, wherever the files lie: below the folder that was given, as it stands in a
            list, or as it was given.
        path: where the file is: a path, or a URL with all that opens it.
        start: seconds after the first frame at which the clip begins; none for the beginning.
        end: seconds after the first frame at which it ends; none for the end.
        caption: what is seen, in words; none if nobody said. One that no file holds fails its clip.
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
    def place(self) -> str:
        """Where the file is, without what opens doors: what is stored and shown."""
        return without_secrets(self.path)

    @property
    def shown(self) -> str:
        """The clip, as messages name it."""
        return f"{self.place}{range_text(self.start, self.end)}"

    @property
    def url(self) -> str | None:
        """The URL of a file that is not here; none of one that is."""
        return self.path if is_url(self.path) else None

    @property
    def video(self) -> Path | VideoRange:
        """What reads it: the file, or a range of it; of a URL, what `LocalCopies` knows its copy by."""
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
    if is_url(source):
        return not _is_remote_folder(source) and path.suffix.lower() not in LISTS
    if source == STANDARD_INPUT or path.is_dir() or path.suffix.lower() in LISTS:
        return False
    return path.exists() or not glob.has_magic(source)


class _MissingError(OptionError):
    """Nothing has this name."""


def _given(source: str) -> Row:
    """A file that was named by itself."""
    return _row({"path": source}, "", source)._replace(below=Path(source).name)


def _rows_of(source: str, lines: Iterable[str]) -> Iterable[Row]:
    path = Path(source)
    if source == STANDARD_INPUT:
        return _from_lines(lines, "", "standard input")
    if is_url(source):
        return _from_url(source)
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


def _from_url(url: str) -> Iterable[Row]:
    """The rows that a URL stands for: a file, all videos below a folder, those of a pattern, or a list.

    Raises:
        OptionError: the server does not list them, or the list cannot be read.
    """
    suffix = PurePosixPath(name_in(url)).suffix.lower()
    if _is_remote_folder(url):
        found = list_remote(url, SUFFIXES)
        if not found:
            raise OptionError(f"{without_secrets(url)} holds no clip; at least one is needed.")
        before = url.partition("*")[0].rpartition("/")[0] + "/" if "*" in url else url.rstrip("/") + "/"
        return [_row({"path": each}, "", url)._replace(below=_below(each, before)) for each in found]
    if suffix not in LISTS:
        return [_row({"path": url}, "", url)]
    folder, shown = url.rpartition("/")[0], without_secrets(url)
    content = BytesIO(read_remote(url))
    try:
        if suffix == ".parquet":
            return [_row(each, folder, shown) for each in _parquet_rows(content, shown)]
        lines = TextIOWrapper(content, encoding="utf-8-sig", newline="")
        if suffix == ".csv":
            return [_row(each, folder, shown) for each in csv.DictReader(lines)]
        return list(_from_lines(lines, folder, shown))
    except (UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"the list {shown} cannot be read: {error!s:.200}.") from error


def _is_remote_folder(url: str) -> bool:
    """Whether a URL stands for several files; one whose name has no suffix is taken for a folder."""
    return "*" in url or not PurePosixPath(name_in(url)).suffix


def _below(url: str, folder: str) -> str:
    """Where a file lies below a folder; its name if it does not."""
    return url[len(folder) :] if url.startswith(folder) else name_in(url)


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
                        yield _row(fields, str(path.parent), f"{path}, line {number}")
            case ".parquet":
                with path.open("rb") as table:
                    for number, fields in enumerate(_parquet_rows(table, str(path)), 1):
                        yield _row(fields, str(path.parent), f"{path}, row {number}")
            case _:
                with path.open(encoding="utf-8-sig") as file:
                    yield from _from_lines(file, str(path.parent), str(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"the list {path} cannot be read: {error!s:.200}.") from error


def _from_lines(lines: Iterable[str], folder: str, where: str) -> Iterator[Row]:
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
                raise OptionError(f"{place} is not JSON: {error!s:.200}.") from error
        if not isinstance(fields, dict):
            raise OptionError(f'{place} is not an object of JSON; it is like {{"path": "a.mp4"}}.')
        yield _row(fields, folder, place)


def _parquet_rows(file: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    arrow, parquet = arrow_packages(for_what="lists in .parquet", instead="give a .csv")
    try:
        table = parquet.ParquetFile(file)
        wanted = [*_PATH_COLUMNS, "start", "end", *_CAPTION_COLUMNS]
        columns = [each for each in table.schema_arrow.names if each in wanted]
        for batch in table.iter_batches(batch_size=_BATCH, columns=columns):
            yield from batch.to_pylist()
    except arrow.ArrowException as error:
        raise OptionError(f"the list {name} cannot be read: {error!s:.200}.") from error


def _row(fields: Mapping[str | Any, Any], folder: str, where: str) -> Row:
    """A row of a list whose relative paths begin at a folder, or at a URL.

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
    said = next((name for name in _CAPTION_COLUMNS if fields.get(name)), _CAPTION_COLUMNS[0])
    caption = fields.get(said)
    if caption is not None and not isinstance(caption, str):
        raise OptionError(f"{where}: {said} is {caption!r:.40}; it is text.")
    if is_url(path):
        return Row(without_secrets(path), path, start, end, caption or None, name_in(path))
    name = os.path.normpath(path)
    within = not (os.path.isabs(name) or name.startswith(".."))  # noqa: PTH117
    below = name if within else Path(name).name
    if is_url(folder) and within:
        return Row(text_name(name), f"{folder}/{name}", start, end, caption or None, below)
    return Row(text_name(name), str(Path(folder) / name), start, end, caption or None, below)


def local_copies(rows: Iterable[Row]) -> LocalCopies:
    """Local files of clips, whose videos are those of the rows."""
    return LocalCopies({row.video: row.path for row in rows if row.url is not None})


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
