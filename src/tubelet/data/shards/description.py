"""What a data set is: the tokenizer and the settings that all of its shards were made with."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tubelet.data.shards.formats import FORMATS, Format, ShardFormat
from tubelet.data.shards.index import ShardIndex, read_index
from tubelet.errors import DatasetError
from tubelet.files import replacing
from tubelet.json_text import of_kind, read_json

DESCRIPTION = "dataset.json"
"""Says what a folder is."""

SHARDS = "shards"
"""The folder of shards, below that of the data set."""

ERRORS = "errors.jsonl"
"""Clips that failed, a line each."""

VERSION = 1

MOST_SHARDS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What decides the bytes of a data set, apart from its clips.

    Attributes:
        tokenizer: facts of the tokenizer: ``name``, ``sha256``, ``gives`` (latents or tokens), ``stride``,
            ``lead_frame``, ``parts`` (name, channels and stride of each), and for tokens ``bases``.
        settings: how clips are encoded, as JSON holds it; ``format`` and ``dtype`` among them.
        shards: how many there are. Which clip goes into which is decided by its key alone.
    """

    tokenizer: Mapping[str, Any]
    settings: Mapping[str, Any]
    shards: int

    @property
    def format(self) -> Format:
        """How shards are stored."""
        return cast(Format, self.settings["format"])

    @property
    def shard_format(self) -> ShardFormat:
        """What reads and writes shards."""
        return FORMATS[self.format]

    def shard_of(self, key: str) -> int:
        """The number of the shard that a clip goes into."""
        return int(key[:16], 16) % self.shards

    def shard_path(self, folder: Path, number: int) -> Path:
        """Where a shard lies."""
        return folder / SHARDS / f"shard-{number:05d}{self.shard_format.suffix}"

    def index_path(self, folder: Path, number: int) -> Path:
        """Where the index of a shard lies."""
        return folder / SHARDS / f"shard-{number:05d}.json"

    def header(self) -> dict[str, Any]:
        """What every shard says of itself: everything but how many there are."""
        return {
            "format": f"tubelet dataset {VERSION}",
            "tokenizer": dict(self.tokenizer),
            "settings": dict(self.settings),
        }

    def differences(self, other: "Description") -> Iterator[str]:
        """Say in what another description differs, where bytes of clips depend on it."""
        if self.tokenizer.get("sha256") != other.tokenizer.get("sha256"):
            yield (
                f"its tokenizer is {self.tokenizer.get('name')} ({self.tokenizer.get('sha256', '')!s:.12}…), "
                f"not {other.tokenizer.get('name')} ({other.tokenizer.get('sha256', '')!s:.12}…)"
            )
        for name in sorted(set(self.settings) | set(other.settings)):
            mine, yours = self.settings.get(name), other.settings.get(name)
            if mine != yours:
                yield f"its {name} is {mine}, not {yours}"


def write_description(folder: Path, description: Description, *, force: bool) -> None:
    """Write ``dataset.json``.

    Raises:
        OutputError: it is there already and `force` is false, or cannot be written.
    """
    content = description.header() | {"shards": description.shards}
    with replacing(folder / DESCRIPTION, force=force, durable=True) as beside:
        beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_description(folder: Path) -> Description:
    """Read ``dataset.json``.

    Raises:
        DatasetError: the folder holds no data set, one that is damaged, or one of a newer program.
    """
    path = folder / DESCRIPTION
    try:
        content = read_json(path, most=1 << 24)
    except FileNotFoundError as error:
        raise DatasetError(
            f"{folder} holds no data set: there is no {DESCRIPTION}. Make one with `tubelet encode-dataset`."
        ) from error
    except NotADirectoryError as error:
        raise DatasetError(
            f"{folder} is a file; a data set is a folder with {DESCRIPTION} and {SHARDS}. Name that folder."
        ) from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error!s:.200}. Copy the data set again.") from error
    try:
        check_header(content, str(path))
        description = Description(
            tokenizer=of_kind(content["tokenizer"], dict, "tokenizer"),
            settings=of_kind(content["settings"], dict, "settings"),
            shards=of_kind(content["shards"], int, "shards"),
        )
        known = description.settings["format"] in FORMATS and 1 <= description.shards <= MOST_SHARDS
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is damaged: {error!s:.200}. Copy the data set again.") from error
    if not known:
        raise DatasetError(
            f"{path} says {description.shards} shards of {description.settings['format']!r:.40}; there are "
            f"at most {MOST_SHARDS}, of {', '.join(FORMATS)}. Copy the data set again."
        )
    return description


def check_header(header: Mapping[str, Any], where: str) -> None:
    """Raise unless this program reads what a shard or a data set says of itself.

    Raises:
        DatasetError: it is of another program.
    """
    found = header.get("format") if isinstance(header, dict) else None
    if found != f"tubelet dataset {VERSION}":
        newer = isinstance(found, str) and re.fullmatch(r"tubelet dataset \d{1,9}", found)
        cure = "Upgrade tubelet." if newer else "Name a folder that `tubelet encode-dataset` made."
        raise DatasetError(
            f"{where} is of format {found!r:.60}; this program reads version {VERSION}. {cure}"
        )


def check_shard(header: Mapping[str, Any], description: Description, where: str) -> None:
    """Raise unless a shard belongs to a data set.

    Raises:
        DatasetError: it was made by another tokenizer, or with other settings.
    """
    check_header(header, where)
    try:
        found = Description(tokenizer=header["tokenizer"], settings=header["settings"], shards=1)
        differences = list(found.differences(description))
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{where} is damaged: {error!r:.100}. Encode it again.") from error
    if differences:
        raise DatasetError(
            f"{where} does not belong to this data set: {'; '.join(differences)}. Take it out, and encode "
            "again."
        )


def needed_index(folder: Path, description: Description, number: int) -> ShardIndex:
    """The index of a shard that must have been made.

    Raises:
        DatasetError: it was not, or its index is damaged.
    """
    index = read_index(description.index_path(folder, number))
    if index is None:
        raise DatasetError(
            f"shard {number} of {description.shards} of {folder} was not made yet. Give the same "
            "`tubelet encode-dataset` again: it goes on from what is done."
        )
    return index
