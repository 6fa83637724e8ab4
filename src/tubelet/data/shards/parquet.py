"""Shards as Parquet tables, one clip a row: what ``datasets``, pandas, polars or pyarrow alone read.

Arrays are binary columns, each a ``.npy`` file, so that ``numpy.load(io.BytesIO(value))`` reads one.
``facts`` is the whole of what is known of a clip as JSON, and what is asked for most has a column of its own.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from tubelet.data.arrow import Arrow, arrow_packages
from tubelet.data.shards.record import FACTS, Record, facts_to_bytes
from tubelet.errors import DatasetError
from tubelet.json_text import text_to_json

SUFFIX = ".parquet"

_HEADER = b"tubelet"
_GROUP_BYTES = 1 << 24
_TEXTS = ("source", "source_sha256", "caption", "fps", "tokenizer", "tokenizer_sha256")
_INTEGERS = ("frames", "height", "width")
_NUMBERS = ("start", "end")


def shard_packages() -> Arrow:
    """Import pyarrow.

    Raises:
        OptionError: it is not installed.
    """
    return arrow_packages(for_what="shards in .parquet", instead="write --format webdataset")


@final
class ParquetShards:
    """Reads and writes shards that are Parquet tables; memory holds a row group of 16 MiB, or one clip."""

    suffix = SUFFIX

    def write(
        self, target: Path, header: Mapping[str, Any], records: Iterable[Record]
    ) -> list[dict[str, int]]:
        """Write a shard; give for each record where it lies: ``group`` and ``row``.

        Raises:
            OSError: the disk is full or refuses it.
        """
        arrow, places = shard_packages(), []
        group: list[Record] = []
        number = size = 0
        writer: Any = None
        with target.open("wb") as file:

            def flush() -> None:
                nonlocal group, number, size
                writer.write_table(_table(arrow.lib, writer.schema, group), row_group_size=len(group))
                group, number, size = [], number + 1, 0

            for record in records:
                if writer is None:
                    schema = _schema(arrow.lib, record, header)
                    writer = arrow.parquet.ParquetWriter(
                        file, schema, compression="zstd", write_page_checksum=True
                    )
                places.append({"group": number, "row": len(group)})
                group.append(record)
                size += sum(map(len, record.arrays.values()))
                if size >= _GROUP_BYTES:
                    flush()
            if group:
                flush()
            if writer is not None:
                writer.close()
        return places

    @contextmanager
    def opened(self, path: Path) -> Iterator["ParquetShard"]:
        """Open a shard for reading.

        Raises:
            DatasetError: it is missing, or no shard.
        """
        arrow = shard_packages()
        try:
            file = path.open("rb")
        except OSError as error:
            raise DatasetError(
                f"the shard {path} cannot be read: {error.strerror}. Encode the data set again: what is "
                "there is kept."
            ) from error
        with file:
            with _reading(path):
                table = arrow.parquet.ParquetFile(file, page_checksum_verification=True)
            yield ParquetShard(path, table)


@final
class ParquetShard:
    """An open table of records; keeps the row group that was read last.

    Args:
        path: is named in errors.
        file: pyarrow's ``ParquetFile``.
    """

    def __init__(self, path: Path, file: Any) -> None:  # noqa: ANN401  pyarrow has no types
        self._path = path
        self._file = file
        self._group: tuple[int, Any] | None = None

    def header(self) -> dict[str, Any]:
        """What the shard says of itself.

        Raises:
            DatasetError: it is damaged, or no shard of ours.
        """
        metadata = self._file.schema_arrow.metadata or {}
        try:
            return text_to_json(metadata[_HEADER].decode("utf-8"))
        except (KeyError, ValueError) as error:
            raise DatasetError(f"{self._path} is not a shard of tubelet. Encode it again.") from error

    def read(self, key: str, place: Mapping[str, int]) -> Record:
        """The record of a key, from the place that `ParquetShards.write` gave.

        Raises:
            DatasetError: it is damaged.
        """
        number, row = place["group"], place["row"]
        if self._group is None or self._group[0] != number:
            with _reading(self._path):
                self._group = number, self._file.read_row_group(number)
        values = {
            name: self._group[1].column(name)[row].as_py()
            for name in self._group[1].column_names
            if name == "facts" or name.endswith(("_npy", "_tube"))
        }
        members = {FACTS: values.pop("facts").encode()}
        members |= {_suffix_of(name): data for name, data in values.items() if data is not None}
        return Record.from_members(key, members, str(self._path))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the shard that pyarrow cannot read.

    Raises:
        DatasetError: it is damaged.
    """
    try:
        yield
    except (shard_packages().lib.ArrowException, OSError) as error:
        raise DatasetError(
            f"{path} is not a shard of tubelet, or damaged: {error!s:.100}. Encode it again."
        ) from error


def _schema(arrow: Any, record: Record, header: Mapping[str, Any]) -> Any:  # noqa: ANN401  pyarrow
    fields = [
        ("key", arrow.string()),
        *((_column_of(name), arrow.large_binary()) for name in record.arrays),
        *((name, arrow.string()) for name in _TEXTS),
        *((name, arrow.int64()) for name in _INTEGERS),
        *((name, arrow.float64()) for name in _NUMBERS),
        ("mirrored", arrow.bool_()),
        ("facts", arrow.string()),
    ]
    return arrow.schema(fields, metadata={_HEADER: json.dumps(header).encode()})


def _table(arrow: Any, schema: Any, records: list[Record]) -> Any:  # noqa: ANN401  pyarrow
    rows = [
        {name: record.facts.get(name) for name in schema.names}
        | {_column_of(name): data for name, data in record.arrays.items()}
        | {"facts": facts_to_bytes(record.facts).decode()}
        for record in records
    ]
    return arrow.Table.from_pylist(rows, schema=schema)


def _column_of(suffix: str) -> str:
    """The name of a column that holds an array."""
    return suffix.replace(".", "_") if "." in suffix else f"clip_{suffix}"


def _suffix_of(column: str) -> str:
    """Undo `_column_of`."""
    stem, _, kind = column.rpartition("_")
    return kind if stem == "clip" else f"{stem}.{kind}"
