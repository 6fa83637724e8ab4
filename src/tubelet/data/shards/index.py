"""The index of a shard: which clips are in it and where, which failed, and what its bytes are."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tubelet.errors import DatasetError
from tubelet.files import replacing
from tubelet.json_text import of_kind, read_json

LARGEST_INDEX = 1 << 30
"""Bytes of an index that is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A clip in a shard.

    Attributes:
        key: of the clip.
        row: digest of what the list of clips said of it: name, range, caption.
        source: name of the video.
        source_sha256: digest of the video file.
        shapes: of its arrays, by suffix, where they have one.
        place: where it lies in the shard.
        losses: sentences that name what its source holds and the clip does not.
    """

    key: str
    row: str
    source: str
    source_sha256: str
    shapes: Mapping[str, tuple[int, ...]]
    place: Mapping[str, int]
    losses: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        content: dict[str, Any] = {
            "key": self.key,
            "row": self.row,
            "source": self.source,
            "source_sha256": self.source_sha256,
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "place": dict(self.place),
        }
        # Left out where there is none, so that indices of such shards are what they were.
        return content | ({"losses": list(self.losses)} if self.losses else {})

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Entry":
        """Undo `to_json`.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        texts = {
            name: of_kind(content[name], str, name) for name in ("key", "row", "source", "source_sha256")
        }
        place = of_kind(content["place"], dict, "place")
        if any(of_kind(value, int, name) < 0 for name, value in place.items()):
            raise ValueError("a place is below zero")
        shapes = {
            name: tuple(of_kind(side, int, "a side") for side in of_kind(shape, list, "a shape"))
            for name, shape in of_kind(content["shapes"], dict, "shapes").items()
        }
        losses = of_kind(content.get("losses", []), list, "losses")
        said = tuple(of_kind(each, str, "a loss") for each in losses)
        return cls(**texts, shapes=shapes, place=place, losses=said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A clip that failed.

    Attributes:
        key: of the clip.
        source: name of the video.
        path: where it was looked for.
        start: seconds at which its range begins; none for the beginning.
        end: seconds at which it ends; none for the end.
        reason: why, in words.
    """

    key: str
    source: str
    path: str
    start: float | None
    end: float | None
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        return {
            "path": self.path,
            "reason": self.reason,
            "source": self.source,
            "start": self.start,
            "end": self.end,
            "key": self.key,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Failure":
        """Undo `to_json`.

        Raises:
            KeyError, TypeError: it is something else.
        """
        texts = {name: of_kind(content[name], str, name) for name in ("key", "source", "path", "reason")}
        times = {name: of_kind(content[name], (int, float, type(None)), name) for name in ("start", "end")}
        return cls(**texts, **times)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardIndex:
    """What a shard holds.

    Attributes:
        entries: its clips, in the order of their keys.
        failures: clips that belong to it and failed, in the order of their keys.
        sha256: of the shard; none where it holds no clip, and so is not there.
        bytes: of the shard.
        statistics: see `tubelet.data.shards.statistics`; none where it holds tokens.
        frames: of its clips.
    """

    entries: tuple[Entry, ...]
    failures: tuple[Failure, ...]
    sha256: str | None
    bytes: int
    statistics: Mapping[str, Any] | None
    frames: int


def write_index(path: Path, index: ShardIndex) -> None:
    """Write the index of a shard, a clip a line.

    Raises:
        OutputError: it cannot be written.
    """
    head = {
        "sha256": index.sha256,
        "bytes": index.bytes,
        "frames": index.frames,
        "statistics": index.statistics,
    }
    lists = {"clips": index.entries, "failed": index.failures}
    text = json.dumps(head, allow_nan=False)[:-1]
    for name, items in lists.items():
        rows = ",\n".join(json.dumps(item.to_json(), allow_nan=False) for item in items)
        text += f',\n"{name}": [\n{rows}\n]'
    with replacing(path, force=True, durable=True) as beside:
        beside.write_text(text + "}\n", encoding="utf-8")


def read_index(path: Path) -> ShardIndex | None:
    """The index of a shard; none if it is not there.

    Raises:
        DatasetError: it is damaged.
    """
    try:
        content = read_json(path, most=LARGEST_INDEX)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is damaged: {error!s:.200}. Encode the data set again.") from error
    try:
        return ShardIndex(
            entries=tuple(Entry.from_json(each) for each in of_kind(content["clips"], list, "clips")),
            failures=tuple(Failure.from_json(each) for each in of_kind(content["failed"], list, "failed")),
            sha256=of_kind(content["sha256"], (str, type(None)), "sha256"),
            bytes=of_kind(content["bytes"], int, "bytes"),
            statistics=of_kind(content["statistics"], (dict, type(None)), "statistics"),
            frames=of_kind(content["frames"], int, "frames"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{path} is damaged: {error!r:.200}. Encode the data set again.") from error


def digest_of(path: Path) -> tuple[str, int]:
    """The SHA-256 and the size of a shard; of a folder, over the names and bytes of its files in order."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
    whole, size = hashlib.sha256(), 0
    for each in sorted(path.iterdir()):
        with each.open("rb") as file:
            whole.update(f"{each.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
        size += each.stat().st_size
    return whole.hexdigest(), size
