"""The formats of shards: what one is, and the table of them."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from tubelet.data.shards.parquet import ParquetShards
from tubelet.data.shards.record import Record
from tubelet.data.shards.tar import TarShards
from tubelet.data.shards.tubes import TubeShards

Format = Literal["webdataset", "parquet", "tube"]
"""How shards are stored."""

FORMAT_NAMES: tuple[Format, ...] = get_args(Format)


@runtime_checkable
class OpenShard(Protocol):
    """A shard that is read."""

    def header(self) -> dict[str, Any]:
        """What it says of itself.

        Raises:
            DatasetError: it is damaged, or no shard of ours.
        """
        ...

    def read(self, key: str, place: Mapping[str, int]) -> Record:
        """The record of a key, from the place that writing gave.

        Raises:
            DatasetError: it is damaged.
        """
        ...


@runtime_checkable
class ShardFormat(Protocol):
    """Reads and writes shards.

    Attributes:
        suffix: of their names; empty where a shard is a folder.
    """

    @property
    def suffix(self) -> str:
        """Of their names; empty where a shard is a folder."""
        ...

    def write(
        self, target: Path, header: Mapping[str, Any], records: Iterable[Record]
    ) -> list[dict[str, int]]:
        """Write a shard; give for each record where it lies.

        Args:
            target: a new file, or an empty folder.
            header: what the shard says of itself.
            records: in their order.

        Raises:
            OSError: the disk is full or refuses it.
        """
        ...

    def opened(self, path: Path) -> AbstractContextManager[OpenShard]:
        """Open a shard for reading.

        Raises:
            DatasetError: it is missing, or no shard.
        """
        ...


FORMATS: Mapping[Format, ShardFormat] = {
    "webdataset": TarShards(),
    "parquet": ParquetShards(),
    "tube": TubeShards(),
}
"""Every format, by its name."""
