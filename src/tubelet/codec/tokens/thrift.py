"""Records of Apache Thrift's compact protocol, as heads in Parquet files are: wanted fields alone are kept.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Mapping
from typing import Any

from tubelet.bitstream.fields import Cursor

Wanted = Mapping[int, Any]
"""The fields of a record to keep, by number, and the same for the records, or lists of them, in each."""

_DEPTH = 16
_MOST = (1 << 63) - 1


def read_record(cursor: Cursor, wanted: Wanted, depth: int = _DEPTH) -> dict[int, Any]:
    """The wanted fields of a record, by number.

    Raises:
        BitstreamError: it ends early, is nested too deep, or holds what no record holds.
    """
    if not depth:
        raise cursor.broken(f"its records are nested more than {_DEPTH} deep")
    found: dict[int, Any] = {}
    field = 0
    while head := cursor.take(1)[0]:
        field = field + (head >> 4) if head >> 4 else cursor.signed("a field", most=1 << 15)
        if field in wanted:
            found[field] = _value(cursor, head & 15, wanted[field], depth)
        else:
            _skip(cursor, head & 15, depth)
    return found


def _value(cursor: Cursor, kind: int, wanted: Wanted, depth: int) -> Any:  # noqa: ANN401  what the kind says
    match kind:
        case 4 | 5 | 6 if not wanted:
            return cursor.signed("a number", most=_MOST)
        case 8 if not wanted:
            return cursor.take(cursor.unsigned("bytes", most=cursor.remaining))
        case 9 | 10 if depth:
            size, kind = _list(cursor)
            return [_value(cursor, kind, wanted, depth - 1) for _ in range(size)]
        case 12 if wanted:
            return read_record(cursor, wanted, depth - 1)
        case _:
            raise cursor.broken(f"a field is of kind {kind}, which is none, or not here")


def _skip(cursor: Cursor, kind: int, depth: int) -> None:
    match kind:
        case 1 | 2:
            pass
        case 3:
            cursor.take(1)
        case 4 | 5 | 6:
            cursor.signed("a number", most=_MOST)
        case 7:
            cursor.take(8)
        case 8:
            cursor.take(cursor.unsigned("bytes", most=cursor.remaining))
        case 9 | 10 if depth:
            size, kind = _list(cursor)
            if kind in (1, 2):  # within lists they take a byte
                cursor.take(size)
                return
            for _ in range(size):
                _skip(cursor, kind, depth - 1)
        case 12:
            read_record(cursor, {}, depth - 1)
        case _:
            raise cursor.broken(f"a field is of kind {kind}, which is none, or not here")


def _list(cursor: Cursor) -> tuple[int, int]:
    """How many elements a list has, and their kind; each takes a byte at least."""
    head = cursor.take(1)[0]
    size = head >> 4
    if size == 15:
        size = cursor.unsigned("elements", most=cursor.remaining)
    if size > cursor.remaining:
        raise cursor.broken(f"it claims {size} elements and {cursor.remaining} bytes are left")
    return size, head & 15
