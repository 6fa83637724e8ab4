"""Shards that are folders of ``.tube`` files, which every command of tubelet reads, with the facts beside."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from tubelet.data.shards.record import Record
from tubelet.errors import DatasetError
from tubelet.json_text import read_json

SUFFIX = ""

SHARD_FACTS = "shard.json"
"""The file in the folder of a shard that says what it was made with."""


@final
class TubeShards:
    """Reads and writes shards that are folders."""

    suffix = SUFFIX

    def write(
        self, target: Path, header: Mapping[str, Any], records: Iterable[Record]
    ) -> list[dict[str, int]]:
        """Fill the folder of a shard; give for each record where it lies: its names say it.

        Raises:
            OSError: the disk is full or refuses it.
        """
        places: list[dict[str, int]] = []
        (target / SHARD_FACTS).write_text(json.dumps(header) + "\n", encoding="utf-8")
        for record in records:
            for suffix, data in record.members().items():
                (target / f"{record.key}.{suffix}").write_bytes(data)
            places.append({})
        return places

    @contextmanager
    def opened(self, path: Path) -> Iterator["TubeShard"]:
        """Open a shard for reading.

        Raises:
            DatasetError: it is missing.
        """
        if not path.is_dir():
            raise DatasetError(
                f"the shard {path} is missing. Encode the data set again: what is there is kept."
            )
        yield TubeShard(path)


@final
class TubeShard:
    """A folder of records.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def header(self) -> dict[str, Any]:
        """What the shard says of itself.

        Raises:
            DatasetError: it is damaged, or no shard of ours.
        """
        try:
            return read_json(self._path / SHARD_FACTS, most=1 << 24)
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{self._path} is not a shard of tubelet, or damaged: {error!s:.100}. Encode it again."
            ) from error

    def read(self, key: str, place: Mapping[str, int]) -> Record:
        """The record of a key.

        Raises:
            DatasetError: it is missing or damaged.
        """
        members: dict[str, bytes] = {}
        try:
            for suffix in ("json", "tube"):
                members[suffix] = (self._path / f"{key}.{suffix}").read_bytes()
        except OSError as error:
            raise DatasetError(
                f"{self._path}: clip {key} cannot be read: {error.strerror}. Encode it again."
            ) from error
        return Record.from_members(key, members, str(self._path))
