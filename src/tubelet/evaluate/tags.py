"""What is known of clips, from a manifest: figures are split by it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tubelet.csv_text import read_csv
from tubelet.errors import OptionError
from tubelet.json_text import read_json

TAGS = ("motion", "kind")
"""Columns of a manifest that split figures; ``motion`` is low, mid or high."""

NAMES = ("manifest.csv", "manifest.json")
"""What a manifest in the folder of the clips is called."""

_MOST_BYTES = 1 << 26

Tags = Mapping[str, dict[str, str]]
"""By name of the clip, what each tag says."""


def find_manifest(folder: Path) -> Path | None:
    """The manifest in a folder of clips, if there is one."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def read_tags(path: Path) -> Tags:
    """Read a manifest: a table with a row, or a list with an object, for each clip.

    The column ``file`` names the clip, below the folder of the clips; columns of `TAGS` are kept, all others
    are not looked at.

    Raises:
        OptionError: it cannot be read, or names no clips.
    """
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise OptionError(f"{path} has {size} bytes; a manifest has at most {_MOST_BYTES}.")
        rows = _rows(path)
        tags = {str(row["file"]): {tag: str(row[tag]) for tag in TAGS if row.get(tag)} for row in rows}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, OptionError):
            raise
        raise OptionError(
            f"{path} is not a manifest ({error!r}); it is a CSV table with a column file, or a JSON list of "
            f"objects with a file, and {' and '.join(TAGS)} beside it."
        ) from error
    return tags


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix.lower() == ".json":
        return list(read_json(path))
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row.fields for row in read_csv(file)]
