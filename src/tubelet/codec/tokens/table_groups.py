"""What a row group of a Parquet table claims to hold, bounded before any list or text of it is built."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tubelet.codec.room import check_room
from tubelet.codec.tokens.clip import LARGEST_POSITION
from tubelet.codec.tokens.table_claims import GroupClaim, check_pages
from tubelet.codec.tokens.table_rows import COLUMNS
from tubelet.errors import BitstreamError

GROUP_BYTES = 1 << 32
"""Bytes that a row group may claim to hold."""

CLIPS_AT_ONCE = 16
"""Clips that are read at a time, where they are small."""

_ROWS = 1 << 20
"""Clips of a row group at most."""

_TEXT_BYTES = 1 << 26
"""Bytes of a column of texts, in a row group."""

_SMALL = 1 << 22
"""Tokens, or bytes of texts, up to which a row group is small enough for several clips at once."""

_TOKEN_BYTES = 16
"""Bytes that a token takes while it is read: itself, twice, and where its list begins and ends."""

_SIZES = ("k", "t", "h", "w")


def check_groups(groups: Sequence[GroupClaim]) -> None:
    """Raise if a row group claims more than is ever read.

    Raises:
        BitstreamError: so it is.
    """
    for number, group in enumerate(groups):
        if group.bytes > GROUP_BYTES or group.rows > _ROWS:
            raise BitstreamError(
                f"row group {number} claims {group.bytes} bytes; at most {GROUP_BYTES} are read, and {_ROWS} "
                f"clips of its {group.rows}. Write it in smaller groups."
            )


def clips_at_once(source: Path, file: Any, number: int, group: GroupClaim, *, memory: int) -> int:  # noqa: ANN401  pyarrow has no types
    """How many clips of a row group are read at a time.

    Args:
        source: the file.
        file: the same, open as a ``ParquetFile``.
        number: of the row group.
        group: what the file claims of it.
        memory: bytes that its tokens may take.

    Raises:
        OSError: the file cannot be read.
        BitstreamError: it claims more values than its clips can have.
        RoomError: its tokens take more than memory allows.
    """
    check_pages(source, group)
    # Null counts as a value, and so does a list without any.
    most: dict[str, int] = dict.fromkeys(COLUMNS, group.rows)
    most |= dict.fromkeys(("stride", "bases", "codebook_sizes"), LARGEST_POSITION * group.rows)
    tokens = texts = 0
    for column in group.columns:
        if column.name == "tokens":
            tokens += column.values
        elif column.name in most:
            texts += column.bytes
            if column.values > most[column.name] or column.bytes > _TEXT_BYTES:
                raise BitstreamError(
                    f"row group {number} claims {column.values} values of {column.name} in {column.bytes} "
                    f"bytes, for {group.rows} clips. The file is damaged."
                )
    # By now these columns are small, and the lists of tokens are not built yet.
    sizes = file.read_row_group(number, columns=list(_SIZES), use_threads=False).to_pylist()
    expected = sum(_tokens(row) for row in sizes)
    # A few too many are built, and the clip is named that has them.
    if tokens > max(expected, _SMALL):
        raise BitstreamError(
            f"row group {number} holds {tokens} tokens; its clips have {expected} by their sizes. The "
            "file is damaged."
        )
    check_room(f"row group {number} of {tokens} tokens", _TOKEN_BYTES * tokens, memory)
    return CLIPS_AT_ONCE if max(tokens, texts) <= _SMALL else 1


def _tokens(row: dict[str, int | None]) -> int:
    """The tokens of a clip, by its sizes."""
    tokens = 1
    for name in _SIZES:
        tokens *= max(0, row[name] or 0)
    return tokens
