"""A shard and its index, replaced together, so that whenever that is interrupted it is known what there is.

The new index is written beside the old one (``.pending``), the shard gets its name, the index gets its name.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tubelet.data.shards.description import Description
from tubelet.data.shards.index import Entry, Failure, ShardIndex, digest_of, read_index, write_index
from tubelet.data.shards.record import Record
from tubelet.data.shards.statistics import joined
from tubelet.data.shards.tubes import SHARD_FACTS
from tubelet.files import replacing, replacing_folder
from tubelet.files.leftovers import remove

_PENDING = ".pending"


def write_shard(
    folder: Path,
    description: Description,
    number: int,
    rows: Mapping[str, str],
    record_of: Callable[[str], Record],
    *,
    failures: Sequence[Failure] = (),
) -> None:
    """Write a shard with its index, in place of those that are there.

    Args:
        folder: of the data set.
        description: of the data set.
        number: of the shard.
        rows: for each key of a clip that goes into it, the digest of what its list says of it.
        record_of: gives the record of a key; called twice for each.
        failures: clips that belong into it and failed.

    Raises:
        OutputError: the disk is full or refuses it.
        DatasetError: a record cannot be read.
    """
    keys = sorted(rows)
    # Once for the facts, of which the shard's head says the sum, and once for the arrays.
    facts = [record_of(key).facts for key in keys]
    statistics = _statistics(facts)
    header = description.header() | {"clips": len(keys), "statistics": statistics}
    members = {f"{key}.{name}" for key, each in zip(keys, facts, strict=True) for name in each["arrays"]}
    members |= {f"{key}.json" for key in keys}
    pending = pending_path(folder, description, number)
    with _replaced(folder, description, number, members) as target:
        places: list[dict[str, int]] = []
        if target is not None:
            places = description.shard_format.write(target, header, map(record_of, keys))
        sha256, size = (None, 0) if target is None else digest_of(target)
        index = ShardIndex(
            entries=tuple(
                _entry(key, rows[key], each, place)
                for key, each, place in zip(keys, facts, places, strict=True)
            ),
            failures=tuple(sorted(failures, key=lambda failure: failure.key)),
            sha256=sha256,
            bytes=size,
            statistics=statistics,
            frames=sum(each["frames"] for each in facts),
        )
        write_index(pending, index)
    pending.replace(description.index_path(folder, number))


def pending_path(folder: Path, description: Description, number: int) -> Path:
    """Where the index of a shard lies while both are replaced."""
    return description.index_path(folder, number).with_suffix(_PENDING)


def end_replacement(folder: Path, description: Description, number: int) -> None:
    """Finish, or take back, a replacement that was interrupted.

    Raises:
        DatasetError: the new index is damaged.
    """
    pending = pending_path(folder, description, number)
    if not pending.exists():
        return
    index, path = read_index(pending), description.shard_path(folder, number)
    if index is not None and (digest_of(path)[0] if path.exists() else None) == index.sha256:
        pending.replace(description.index_path(folder, number))
    else:
        pending.unlink()


@contextmanager
def _replaced(
    folder: Path, description: Description, number: int, members: set[str]
) -> Iterator[Path | None]:
    """Where a shard is written, until it gets its name; none if there is nothing to write."""
    path = description.shard_path(folder, number)
    if not members:
        yield None
        remove(path)
    elif description.shard_format.suffix:
        with replacing(path, force=True, durable=True) as beside:
            yield beside
    else:
        before = {each.name for each in path.iterdir()} if path.is_dir() else set()
        with replacing_folder(path, holds=members | {SHARD_FACTS} | before, force=True) as beside:
            yield beside


def _entry(key: str, row: str, facts: Mapping[str, Any], place: Mapping[str, int]) -> Entry:
    return Entry(
        key=key,
        row=row,
        source=facts["source"],
        source_sha256=facts["source_sha256"],
        shapes={name: tuple(about["shape"]) for name, about in facts["arrays"].items() if "shape" in about},
        place=place,
        losses=tuple(facts.get("losses", ())),
    )


def _statistics(facts: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The moments of each array over several clips; none where they hold no latents."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for each in facts:
        for name, moments in each.get("statistics", {}).items():
            by_name.setdefault(name, []).append(moments)
    return {name: joined(moments) for name, moments in by_name.items()} or None
