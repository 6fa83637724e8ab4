"""What is done of some work, piece by piece, each in a file of its own, so that the work can go on.

A part says what it was made from; only an equal one is used again.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tubelet.files import output_errors, replacing
from tubelet.json_text import read_json, without_infinities

FOLDER = "parts"
"""Where parts lie, below the folder that the work is done in."""


def part_path(folder: Path, *names: str) -> Path:
    """Where the part of what these names say lies; they are shortened and told apart by a digest.

    Args:
        folder: that the work is done in.
        names: what the part is of; parts of the same first name are found by `parts_beside`.
    """
    digest = hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).hexdigest()[:12]
    return folder / FOLDER / f"{'--'.join([*map(_short, names), digest])}.json"


def read_part(path: Path, *, made_from: Mapping[str, Any]) -> dict[str, Any] | None:
    """A part, if it is there, whole, and made from the same."""
    part = _read(path)
    return part if part.get("made_from") == _plain(made_from) else None


def parts_beside(path: Path, *, made_from: Mapping[str, Any], apart_from: str) -> Iterator[dict[str, Any]]:
    """Other parts with the first name of this one, made from the same but for one thing.

    Args:
        path: of the part, as `part_path` gave it.
        made_from: what it is made from.
        apart_from: the name in there of what may differ.
    """
    wanted = _plain(made_from) | {apart_from: None}
    for other in sorted(path.parent.glob(f"{path.name.partition('--')[0]}--*.json")):
        part = _read(other)
        found = part.get("made_from")
        if other != path and isinstance(found, dict) and found | {apart_from: None} == wanted:
            yield part


def write_part(path: Path, part: dict[str, Any]) -> None:
    """Write a part; it appears when it is whole. Infinities are written as JSON has none: as text."""
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, force=True) as beside:
        beside.write_text(json.dumps(without_infinities(part, str), allow_nan=False) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    """What a file holds; nothing if it is not there, or not whole."""
    try:
        part = read_json(path)
    except (OSError, ValueError):
        return {}
    return part if isinstance(part, dict) else {}


def _short(name: str) -> str:
    """The end of a name, as a name of a file may have it."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name)[-40:]


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same as it comes back from a file."""
    return json.loads(json.dumps(value))
