"""Which clips there are, and what names them: by content, never by order or time."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from tubelet.errors import OptionError
from tubelet.jobs.rows import Row


class PlannedClip(NamedTuple):
    """One clip of a data set.

    Attributes:
        key: 32 hexadecimal digits: a digest of its name, range, and whether it is mirrored.
        row: digest of all that the list says of it: the same, its caption, and its fault if it has one.
        source: what is asked for.
        mirrored: whether it is stored mirrored left to right.
    """

    key: str
    row: str
    source: Row
    mirrored: bool

    def to_json(self) -> dict[str, Any]:
        """Everything, for another process."""
        return {"key": self.key, "row": self.row, "source": list(self.source), "mirrored": self.mirrored}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "PlannedClip":
        """What `to_json` gave."""
        return cls(content["key"], content["row"], Row(*content["source"]), content["mirrored"])


def plan_clips(rows: Iterable[Row], *, mirror: bool) -> list[PlannedClip]:
    """The clips of a data set in the order of their keys; a clip that is listed twice is there once.

    Args:
        rows: what is asked for.
        mirror: whether each is stored mirrored, too.

    Raises:
        OptionError: two rows of the same name and range are different files, or have different captions.
    """
    clips: dict[str, PlannedClip] = {}
    for row in rows:
        for mirrored in (False, True) if mirror else (False,):
            name = [row.name, row.start, row.end, mirrored]
            said = [row.caption] if row.fault is None else [row.caption, row.fault]
            key, digest = _digest(name), _digest([*name, *said])
            before = clips.setdefault(key, PlannedClip(key, digest, row, mirrored))
            if before.source[:5] != row[:5]:
                raise _conflict(before.source, row)
    return [clips[key] for key in sorted(clips)]


def _conflict(one: Row, other: Row) -> OptionError:
    if one.path != other.path:
        return OptionError(
            f"{one.place} and {other.place} are both called {one.name}. Give the folder above them or a list."
        )
    return OptionError(
        f"{one.name} is listed twice, with captions {one.caption!r:.60} and {other.caption!r:.60}. Give one."
    )


def _digest(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]
