"""What a Parquet file claims of its columns, read from its footer and the heads of its pages.

pyarrow builds what a page claims, and ends the process at some damaged footers, so both are read here before.
Source: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tubelet.bitstream.fields import Cursor
from tubelet.codec.tokens.thrift import read_record
from tubelet.errors import BitstreamError

_MAGIC = b"PAR1"
_FOOTER_BYTES = 1 << 26
_HEAD_BYTES = 1 << 20
_FIRST_LOOK = 1 << 12
_COLUMN = {3: {3: {}, 5: {}, 6: {}, 7: {}, 9: {}, 11: {}}}
_FOOTER = {3: {}, 4: {1: _COLUMN, 2: {}, 3: {}}}
_PAGE = {1: {}, 2: {}, 3: {}, 5: {1: {}}, 7: {1: {}}, 8: {1: {}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnClaim:
    """What a file claims of one column of one row group.

    Attributes:
        name: of the column, or of the list that it is part of.
        values: how many it has, nulls and empty lists counted.
        bytes: what it takes once decompressed.
        pages: where its pages begin and end in the file.
    """

    name: str
    values: int
    bytes: int
    pages: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupClaim:
    """What a file claims of a row group: its clips, its bytes, its columns."""

    rows: int
    bytes: int
    columns: tuple[ColumnClaim, ...]


def read_claims(source: Path) -> tuple[GroupClaim, ...]:
    """What a file claims of its row groups.

    Raises:
        OSError: it cannot be read.
        BitstreamError: it is not a Parquet file, or what it says of its row groups has no meaning.
    """
    with source.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        end = file.read(8)
        length = int.from_bytes(end[:4], "little")
        if end[4:] != _MAGIC or not 0 < length <= min(size - 12, _FOOTER_BYTES):
            raise BitstreamError("it does not end as a Parquet file does")
        file.seek(size - 8 - length)
        cursor = Cursor(file.read(length), "the footer")
    try:
        footer = read_record(cursor, _FOOTER)
        groups = tuple(_group(each, size) for each in footer.get(4, []))
        if footer[3] != sum(group.rows for group in groups):
            raise cursor.broken(f"it claims {footer[3]} clips, and its row groups other numbers")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise cursor.broken(f"a number is missing, or none ({error!r})") from error
    return groups


def check_pages(source: Path, group: GroupClaim) -> None:
    """Raise unless the pages of a row group hold what is claimed of its columns, and no more.

    Raises:
        OSError: the file cannot be read.
        BitstreamError: a page claims more.
    """
    with source.open("rb") as file:
        for column in group.columns:
            values = unpacked = 0
            at, stop = column.pages
            while at < stop:
                head, page = _page(file, at, stop)
                at += head + page[3]
                values += next((page[kind][1] for kind in (5, 8) if kind in page), 0)
                unpacked += head + page[2]
                if at > stop or values > column.values or unpacked > column.bytes:
                    raise BitstreamError(
                        f"pages of {column.name} claim {values} values in {unpacked} bytes; the footer says "
                        f"{column.values} and {column.bytes}. The file is damaged."
                    )
                if page.get(7, {}).get(1, 0) > page[2]:
                    raise BitstreamError(
                        f"a dictionary of {column.name} claims {page[7][1]} values: damaged."
                    )


def _group(record: dict[int, Any], size: int) -> GroupClaim:
    columns = tuple(_column(each[3], size) for each in record[1])
    if record[3] < 0 or record[2] < 0:
        raise ValueError(f"{record[3]} clips in {record[2]} bytes")
    return GroupClaim(rows=record[3], bytes=record[2], columns=columns)


def _column(record: dict[int, Any], size: int) -> ColumnClaim:
    first = record[9] if record.get(11) in (None, 0) else min(record[9], record[11])
    if not 0 < first <= first + record[7] <= size or min(record[5], record[6]) < 0:
        raise ValueError(f"a column of {record[5]} values in bytes {first} to {first + record[7]} of {size}")
    return ColumnClaim(
        name=record[3][0].decode(), values=record[5], bytes=record[6], pages=(first, first + record[7])
    )


def _page(file: BinaryIO, at: int, stop: int) -> tuple[int, dict[int, Any]]:
    """The length of the head of a page, and what it says."""
    most = _FIRST_LOOK
    while True:
        file.seek(at)
        data = file.read(min(most, stop - at))
        cursor = Cursor(data, "the head of a page")
        try:
            page = read_record(cursor, _PAGE)
            _check_page(page)
        except BitstreamError:
            if most == _HEAD_BYTES or len(data) < most:
                raise
            most = _HEAD_BYTES
        except (KeyError, TypeError) as error:
            raise cursor.broken(f"a number is missing, or none ({error!r})") from error
        else:
            return len(data) - cursor.remaining, page


def _check_page(page: dict[int, Any]) -> None:
    numbers = [page[2], page[3], *(page[kind][1] for kind in (5, 7, 8) if kind in page)]
    if min(numbers) < 0:
        raise BitstreamError(f"the head of a page claims {min(numbers)} values or bytes. It is damaged.")
