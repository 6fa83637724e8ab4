"""The figures of one system on one clip, each in a file of its own, so that an evaluation can go on.

A part says what it was made from; only an equal one is used again.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tubelet.files import output_errors, replacing
from tubelet.json_text import read_json, without_infinities

FORMAT = 1

FOLDER = "parts"


def part_path(folder: Path, *, clip: str, system: str) -> Path:
    """Where the part of a clip and a system lies; names are shortened and told apart by a digest."""
    digest = hashlib.sha256(f"{clip}\n{system}".encode(errors="surrogateescape")).hexdigest()[:12]
    return folder / FOLDER / f"{_short(clip)}--{_short(system)}--{digest}.json"


def read_part(path: Path, *, made_from: dict[str, Any]) -> dict[str, Any] | None:
    """A part, if it is there, whole, and made from the same."""
    part = _read(path)
    return part if part.get("made_from") == _plain(made_from) else None


def other_parts(path: Path, *, made_from: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of other systems on the clip of a part, made from the same but for the system."""
    wanted = _plain(made_from) | {"system": None}
    for other in sorted(path.parent.glob(f"{_short(made_from['clip']['name'])}--*.json")):
        part = _read(other)
        found = part.get("made_from")
        if other != path and isinstance(found, dict) and found | {"system": None} == wanted:
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


def _plain(value: dict[str, Any]) -> Any:  # noqa: ANN401  whatever JSON holds
    """The same as it comes back from a file."""
    return json.loads(json.dumps(value))
