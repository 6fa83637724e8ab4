"""What a data set holds, read without the code that is tested for reading it."""

from pathlib import Path

from tubelet.data.shards.description import read_description
from tubelet.data.shards.index import read_index
from tubelet.data.shards.record import Record


class StoppedError(Exception):
    """Stands for a kill of the process that leads."""


def records_of(folder: Path) -> dict[str, Record]:
    """All records of a data set, by key."""
    description, found = read_description(folder), {}
    for number in range(description.shards):
        index = read_index(description.index_path(folder, number))
        if index is None or not index.entries:
            continue
        with description.shard_format.opened(description.shard_path(folder, number)) as shard:
            found |= {entry.key: shard.read(entry.key, entry.place) for entry in index.entries}
    return found
