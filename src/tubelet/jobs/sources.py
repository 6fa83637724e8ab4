"""What there is to encode: folders, files, patterns, and lists of clips, as rows."""

import glob
import sys
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath

from tubelet.data.clips import SUFFIXES, find_clips
from tubelet.errors import OptionError
from tubelet.files.names import text_name
from tubelet.files.urls import is_url, name_in, without_secrets
from tubelet.jobs.lists import LISTS, line_rows, list_rows, sound_rows
from tubelet.jobs.remote import LocalCopies, list_remote, read_remote
from tubelet.jobs.rows import Row, row_of

STANDARD_INPUT = "-"

_OTHER_LISTS = (".json", ".tsv", ".xls", ".xlsx", ".yaml", ".yml")
"""Suffixes of what is a list elsewhere."""


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
        OptionError: a source is not there, or a list cannot be read, or none of its rows means anything. A
            single row that means nothing is a clip with a fault.
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
    return row_of({"path": source}, "", source)._replace(below=Path(source).name)


def _rows_of(source: str, lines: Iterable[str]) -> Iterable[Row]:
    path = Path(source)
    if source == STANDARD_INPUT:
        return sound_rows(line_rows(lines, "", "standard input"))
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
        try:
            with path.open("rb") as file:
                return list_rows(file, path.suffix.lower(), str(path.parent), str(path))
        except OSError as error:
            raise OptionError(f"the list {path} cannot be read ({error.strerror}).") from error
    if path.suffix.lower() in _OTHER_LISTS:
        raise OptionError(
            f"{source} is no video, and lists end in {', '.join(LISTS)}. Write it as one of them: .jsonl has "
            'an object a line, such as {"path": "a.mp4"}.'
        )
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
        return [row_of({"path": each}, "", url)._replace(below=_below(each, before)) for each in found]
    if suffix not in LISTS:
        return [row_of({"path": url}, "", url)]
    return list_rows(BytesIO(read_remote(url)), suffix, url.rpartition("/")[0], without_secrets(url))


def _is_remote_folder(url: str) -> bool:
    """Whether a URL stands for several files; one whose name has no suffix is taken for a folder."""
    return "*" in url or not PurePosixPath(name_in(url)).suffix


def _below(url: str, folder: str) -> str:
    """Where a file lies below a folder; its name if it does not."""
    return url[len(folder) :] if url.startswith(folder) else name_in(url)


def local_copies(rows: Iterable[Row]) -> LocalCopies:
    """Local files of clips, whose videos are those of the rows; opening one with a fault raises it."""
    rows = list(rows)
    return LocalCopies(
        {row.video: row.path for row in rows if row.url is not None},
        faults={row.video: row.fault for row in rows if row.fault is not None},
    )
