"""Whether a data set is what it says: every shard whole, of this tokenizer, with the clips of its index."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tubelet.data.shards.description import SHARDS, Description, check_shard, needed_index, read_description
from tubelet.data.shards.index import ShardIndex, digest_of
from tubelet.errors import DatasetError


@dataclass(slots=True, kw_only=True)
class Verified:
    """What was found.

    Attributes:
        clips: that were read and are what was written.
        failed: clips that have no record, and a reason.
        shards: that are whole.
        bytes: of the shards.
        faults: what is wrong, a sentence each.
    """

    clips: int = 0
    failed: int = 0
    shards: int = 0
    bytes: int = 0
    faults: list[str] = field(default_factory=list)


def verify_dataset(folder: Path, *, on_shard: Callable[[int], None] = lambda _: None) -> Verified:
    """Read all of a data set: digests of shards and of arrays, counts, tokenizer, and what does not belong.

    Args:
        folder: of the data set.
        on_shard: called with 1 after each shard.

    Raises:
        DatasetError: the folder holds no data set.
    """
    description, found = read_description(folder), Verified()
    known: set[str] = set()
    for number in range(description.shards):
        index_path, path = description.index_path(folder, number), description.shard_path(folder, number)
        known |= {index_path.name, path.name}
        try:
            index = needed_index(folder, description, number)
            found.failed += len(index.failures)
            _verify_shard(path, description, number, index)
        except DatasetError as error:
            found.faults.append(str(error))
        else:
            found.shards += 1
            found.clips += len(index.entries)
            found.bytes += index.bytes
        on_shard(1)
    there = folder / SHARDS
    for each in sorted(there.iterdir()) if there.is_dir() else ():
        if each.name not in known and not each.name.startswith("."):
            found.faults.append(f"{each} belongs to no shard of this data set. Take it out.")
    return found


def _verify_shard(path: Path, description: Description, number: int, index: ShardIndex) -> None:
    """Raise unless a shard holds what its index says.

    Raises:
        DatasetError: it does not.
    """
    keys = [entry.key for entry in index.entries]
    if keys != sorted(set(keys)) or any(description.shard_of(key) != number for key in keys):
        raise DatasetError(f"the index of {path} lists clips of other shards. Encode the data set again.")
    if index.sha256 is None:
        if keys or path.exists():
            raise DatasetError(f"{path} is there, and its index says that there is no clip. Take it out.")
        return
    with description.shard_format.opened(path) as shard:
        header = shard.header()
        check_shard(header, description, str(path))
        if header.get("clips") != len(keys):
            raise DatasetError(
                f"{path} says {header.get('clips')} clips, and its index {len(keys)}. Encode it again."
            )
        for entry in index.entries:
            record = shard.read(entry.key, entry.place)
            if record.facts.get("source_sha256") != entry.source_sha256:
                raise DatasetError(f"{path}: clip {entry.key} is of another source than its index says.")
    if digest_of(path) != (index.sha256, index.bytes):
        raise DatasetError(
            f"{path} has SHA-256 {digest_of(path)[0]:.16}…, and its index says {index.sha256:.16}…. It was "
            "changed or damaged: remove it, and encode the data set again."
        )
