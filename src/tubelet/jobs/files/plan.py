"""Which clip becomes which file."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tubelet.errors import OptionError
from tubelet.files import fitted_name
from tubelet.jobs.rows import Row


class FileClip(NamedTuple):
    """A clip, and the file that it becomes.

    Attributes:
        row: what is asked for.
        target: the file, inside the folder that all go into.
    """

    row: Row
    target: Path


def plan_files(rows: Sequence[Row], folder: Path, suffix: str) -> list[FileClip]:
    """The file of each clip: below `folder` as the clip lies below the folder or list that it was found in.

    A clip that was named by itself lies at the top. A range has its seconds in its name.

    Args:
        rows: clips; one that is listed twice is there once.
        folder: that files go into.
        suffix: of their names.

    Raises:
        OptionError: two clips would be one file.
    """
    planned: dict[Path, FileClip] = {}
    for row in rows:
        below = PurePosixPath(row.below)
        times = "" if row.start is None and row.end is None else f".{_times(row)}"
        target = folder / below.parent / fitted_name(f"{below.stem}{times}", suffix)
        before = planned.setdefault(target, FileClip(row, target))
        if before.row != row:
            raise OptionError(
                f"{before.row.shown} and {row.shown} are both called {below.stem!r}, and {target} is one "
                "file. Give the folder above them, or another name."
            )
    return list(planned.values())


def _times(row: Row) -> str:
    """A range as a name of a file may have it."""
    return f"{row.start or 0:.12g}-{'' if row.end is None else f'{row.end:.12g}'}"
