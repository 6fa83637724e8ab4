"""Shards as WebDataset has them: tar files in which the members of a clip stand together.

The same records give the same bytes: times, owners and modes are constants. The first member,
``__tubelet__/shard.json``, says what the shard was made with; readers of WebDataset pass over such names.
"""

import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, final

from tubelet.data.shards.record import Record
from tubelet.errors import DatasetError
from tubelet.json_text import text_to_json

HEADER = "__tubelet__/shard.json"
"""The first member of a shard."""

SUFFIX = ".tar"

_BLOCK = 512
_LARGEST = 1 << 24
"""Bytes that are read of what a shard says of itself."""


@final
class TarShards:
    """Reads and writes shards that are tar files."""

    suffix = SUFFIX

    def write(
        self, target: Path, header: Mapping[str, Any], records: Iterable[Record]
    ) -> list[dict[str, int]]:
        """Write a shard; give for each record where it lies: ``offset`` and ``bytes``.

        Raises:
            OSError: the disk is full or refuses it.
        """
        places: list[dict[str, int]] = []
        with target.open("wb") as file:
            file.write(_member(HEADER, (json.dumps(header) + "\n").encode()))
            for record in records:
                data = record_to_tar(record.key, record.members())
                places.append({"offset": file.tell(), "bytes": len(data)})
                file.write(data)
            file.write(bytes(2 * _BLOCK))
        return places

    @contextmanager
    def opened(self, path: Path) -> Iterator["TarShard"]:
        """Open a shard for reading.

        Raises:
            DatasetError: it is missing, or no shard.
        """
        try:
            file = path.open("rb")
        except OSError as error:
            raise DatasetError(
                f"the shard {path} cannot be read: {error.strerror}. Encode the data set again: what is "
                "there is kept."
            ) from error
        with file:
            yield TarShard(path, file)


@final
class TarShard:
    """An open tar file of records.

    Args:
        path: is named in errors.
        file: open for reading.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    def header(self) -> dict[str, Any]:
        """What the shard says of itself.

        Raises:
            DatasetError: it is damaged, or no shard of ours.
        """
        head = os.pread(self._file.fileno(), _BLOCK, 0)
        try:
            member = tarfile.TarInfo.frombuf(head, "utf-8", "strict")
            size = member.size if member.name == HEADER else 0
            return text_to_json(os.pread(self._file.fileno(), min(size, _LARGEST), _BLOCK).decode("utf-8"))
        except (tarfile.TarError, ValueError) as error:
            raise DatasetError(
                f"{self._path} is not a shard of tubelet, or damaged: {error!s:.100}. Encode it again."
            ) from error

    def read(self, key: str, place: Mapping[str, int]) -> Record:
        """The record of a key, from the place that `TarShards.write` gave.

        Raises:
            DatasetError: it is damaged.
        """
        data = os.pread(self._file.fileno(), place["bytes"], place["offset"])
        return Record.from_members(key, tar_to_members(data, key, str(self._path)), str(self._path))


def record_to_tar(key: str, members: Mapping[str, bytes]) -> bytes:
    """The members of a clip as they stand in a tar file."""
    return b"".join(_member(f"{key}.{suffix}", data) for suffix, data in members.items())


def tar_to_members(data: bytes, key: str, where: str) -> dict[str, bytes]:
    """Undo `record_to_tar`.

    Raises:
        DatasetError: it is damaged.
    """
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                stem, _, suffix = member.name.partition(".")
                content = archive.extractfile(member)
                # What is missing or cut off, the digests of the record tell.
                if stem == key and content is not None:
                    members[suffix] = content.read()
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise DatasetError(f"{where}: clip {key} is damaged: {error!s:.100}. Encode it again.") from error
    return members


def _member(name: str, data: bytes) -> bytes:
    """A member of a tar file, of nobody and of no time."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(data), 0o644, 0
    head = info.tobuf(tarfile.USTAR_FORMAT if len(data) < 1 << 33 else tarfile.GNU_FORMAT)
    return head + data + bytes(-len(data) % _BLOCK)
