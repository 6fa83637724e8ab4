"""Several data sets to one: those that machines without a common disk made, or those of several sources."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, final

from tubelet.data.shards.description import (
    SHARDS,
    Description,
    check_shard,
    read_description,
    write_description,
)
from tubelet.data.shards.errors_file import write_errors
from tubelet.data.shards.formats import OpenShard
from tubelet.data.shards.index import Entry, Failure, read_index
from tubelet.data.shards.record import Record
from tubelet.data.shards.writing import write_shard
from tubelet.errors import DatasetError, OptionError, OutputError
from tubelet.files import locked, output_errors
from tubelet.files.names import real_path

_OPEN = 64
"""Shards that are open at a time."""


class _Place(NamedTuple):
    """Where a clip is: the shard, and what its index says of it."""

    path: Path
    entry: Entry


def merge_datasets(
    folders: Sequence[Path], target: Path, *, on_shard: Callable[[int, int], None] = lambda _done, _all: None
) -> Description:
    """Put the clips of several data sets into a new one; a clip that several hold is there once.

    Shares of one list (``--shard i/n``) give the bytes of one run. The order of the folders does not matter.

    Args:
        folders: of the data sets; they are read only.
        target: folder of the new one.
        on_shard: called with the number of shards that are written, and of all.

    Returns:
        What the new one is.

    Raises:
        DatasetError: they were made by several tokenizers or with several settings, hold one clip of two
            sources, or one is damaged.
        OptionError: the target is one of them, or there are none.
        OutputError: the target exists, or cannot be written.
    """
    if not folders or real_path(target) in map(real_path, folders):
        raise OptionError(f"{target} is made of other data sets; give one or more, and a new folder.")
    descriptions = [read_description(folder) for folder in folders]
    for folder, each in zip(folders, descriptions, strict=True):
        if differences := list(each.differences(descriptions[0])):
            raise DatasetError(
                f"{folder} and {folders[0]} cannot be one data set: {'; '.join(differences)}. Encode one of "
                "them again."
            )
    places, failures, used = _gather(folders, descriptions)
    merged = Description(
        tokenizer=descriptions[0].tokenizer,
        settings=descriptions[0].settings,
        shards=_shards(descriptions, used),
    )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OutputError(f"{target} exists; a merged data set gets a folder of its own. Name a new one.")
    with output_errors(target):
        (target / SHARDS).mkdir(parents=True, exist_ok=True)
    with locked(target):
        _write(target, merged, places, failures, on_shard)
        write_errors(target, merged)
        write_description(target, merged, force=False)
    return merged


def _gather(
    folders: Sequence[Path], descriptions: Sequence[Description]
) -> tuple[dict[str, _Place], dict[str, Failure], list[int]]:
    """Where each clip is, which failed, and the numbers of the shards that hold any."""
    places: dict[str, _Place] = {}
    failures: dict[str, Failure] = {}
    used: list[int] = []
    for folder, description in zip(folders, descriptions, strict=True):
        for number in range(description.shards):
            index = read_index(description.index_path(folder, number))
            if index is None:
                continue
            used += [number] if index.entries or index.failures else []
            path = description.shard_path(folder, number)
            for entry in index.entries:
                before = places.setdefault(entry.key, _Place(path, entry))
                same = (before.entry.source_sha256, before.entry.row) == (entry.source_sha256, entry.row)
                if not same:
                    raise DatasetError(
                        f"{before.path} and {path} hold {entry.source} in two versions: another video, or "
                        "another caption. Encode one of them again."
                    )
            failures |= {failure.key: failure for failure in index.failures}
    return places, {key: each for key, each in failures.items() if key not in places}, used


def _shards(descriptions: Sequence[Description], used: Sequence[int]) -> int:
    """How many shards the new one has: as many as each, if they are shares of one list; else all of them."""
    counts = {description.shards for description in descriptions}
    if len(counts) == 1 and len(used) == len(set(used)):
        return counts.pop()
    return max(1, len(used))


def _write(
    target: Path,
    merged: Description,
    places: dict[str, _Place],
    failures: dict[str, Failure],
    on_shard: Callable[[int, int], None],
) -> None:
    rows: list[dict[str, str]] = [{} for _ in range(merged.shards)]
    failed: list[list[Failure]] = [[] for _ in range(merged.shards)]
    for key, place in places.items():
        rows[merged.shard_of(key)][key] = place.entry.row
    for key, failure in failures.items():
        failed[merged.shard_of(key)].append(failure)
    with _Shards(merged) as shards:

        def record_of(key: str) -> Record:
            return shards.open(places[key].path).read(key, places[key].entry.place)

        for number in range(merged.shards):
            write_shard(target, merged, number, rows[number], record_of, failures=failed[number])
            on_shard(number + 1, merged.shards)


@final
class _Shards:
    """Shards that are open, the last few of them; a context manager."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self._open: dict[Path, tuple[OpenShard, ExitStack]] = {}

    def __enter__(self) -> "_Shards":
        return self

    def __exit__(self, *_: object) -> None:
        for _shard, stack in self._open.values():
            stack.close()

    def open(self, path: Path) -> OpenShard:
        """A shard, opened if it is not."""
        if path not in self._open:
            if len(self._open) >= _OPEN:
                self._open.pop(next(iter(self._open)))[1].close()
            stack = ExitStack()
            shard = stack.enter_context(self._description.shard_format.opened(path))
            self._open[path] = shard, stack
            check_shard(shard.header(), self._description, str(path))
        return self._open[path][0]
