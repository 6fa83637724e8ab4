"""Clips that are asked for, as rows of lists say it."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tubelet.errors import VideoError
from tubelet.files.names import text_name
from tubelet.files.urls import is_url, name_in, without_secrets
from tubelet.video.ranges import VideoRange, range_text

LONGEST_TIME = 1e9
"""Seconds; a time is below."""

PATH_COLUMNS = ("path", "file", "file_name", "video", "filename", "url")
"""Columns of a list that may name the file; the first that is there counts."""

CAPTION_COLUMNS = ("caption", "description", "text", "prompt")
"""The first that says something counts; manifests of clips say ``description``, other data sets the rest."""


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
        fault: why nothing can be made of it, known before it is read, such as a row of a list that names no
            path (whose `name` is then where it stands); none of a sound one. Whatever reads it raises it.
    """

    name: str
    path: str
    start: float | None = None
    end: float | None = None
    caption: str | None = None
    below: str = ""
    fault: str | None = None

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

    def check(self) -> None:
        """Raise if nothing can be made of it.

        Raises:
            VideoError: it has a fault.
        """
        if self.fault is not None:
            raise VideoError(self.fault)


def row_of(fields: Mapping[Any, Any], folder: str, where: str) -> Row:
    """A row of a list; one that means nothing has a fault.

    Args:
        fields: what it says, by column.
        folder: where relative paths begin: a folder, or a URL.
        where: the row, as messages name it.
    """
    try:
        return _row(fields, folder, where)
    except ValueError as error:
        return faulty(where, str(error))


def faulty(where: str, fault: str) -> Row:
    """A row that means nothing.

    Args:
        where: it stands.
        fault: what is wrong with it.
    """
    name = text_name(where)
    # The place of a list elsewhere is no URL of a clip, and a file is named by its row.
    return Row(name, name.replace("://", ":/"), below=name.translate({46: "_", 47: "_"}), fault=fault)


def _row(fields: Mapping[Any, Any], folder: str, where: str) -> Row:
    """A row that means something.

    Raises:
        ValueError: it does not.
    """
    column = next((name for name in PATH_COLUMNS if name in fields), None)
    path = None if column is None else fields[column]
    if column is None and fields:
        found = ", ".join(str(name) for name in fields)
        raise ValueError(
            f"{where} names no path: its columns are {found!r:.80}; lists have a column path, and CSV commas "
            "between columns."
        )
    if not isinstance(path, str) or not path.strip() or "\0" in path:
        raise ValueError(f"{where} names no path; lists have a column path.")
    start, end = (_time(fields.get(name), name, where) for name in ("start", "end"))
    if end is not None and end <= (start or 0.0):
        raise ValueError(f"{where}: end is {end:g} and start is {start or 0:g}; a clip ends after it begins.")
    said = next((name for name in CAPTION_COLUMNS if str(fields.get(name) or "").strip()), CAPTION_COLUMNS[0])
    caption = fields.get(said)
    if caption is not None and not isinstance(caption, str):
        raise ValueError(f"{where}: {said} is {caption!r:.40}; it is text.")
    if caption is not None and not caption.strip():
        caption = None
    if is_url(path):
        return Row(without_secrets(path), path, start, end, caption or None, name_in(path))
    name = os.path.normpath(path)
    within = not (os.path.isabs(name) or name.startswith(".."))  # noqa: PTH117
    below = name if within else Path(name).name
    if is_url(folder) and within:
        return Row(text_name(name), f"{folder}/{name}", start, end, caption or None, below)
    return Row(text_name(name), str(Path(folder) / name), start, end, caption or None, below)


def _time(value: object, name: str, where: str) -> float | None:
    """Seconds; none where nothing is said.

    Raises:
        ValueError: it is no time.
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds < LONGEST_TIME:
        raise ValueError(f"{where}: {name} is {value!r:.40}; it is seconds, from 0 on.")
    return seconds or None if name == "start" else seconds
