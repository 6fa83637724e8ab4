"""Encoded clips as batches for training: in any number of processes, from any place of any epoch."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from tubelet.data.batch_order import Order, batches_of
from tubelet.data.shards.description import Description, check_shard, needed_index, read_description
from tubelet.data.shards.formats import OpenShard
from tubelet.data.shards.index import Entry
from tubelet.data.shards.packed import latent_of
from tubelet.data.shards.record import Record, bytes_to_array
from tubelet.errors import DatasetError, OptionError

WINDOW = 4096
"""Clips that are shuffled with one another."""

_OPEN = 8
"""Shards that a process holds open."""


class Position(NamedTuple):
    """Where training is: an epoch, and a batch of it, both from 0."""

    epoch: int
    batch: int


class LatentBatch(NamedTuple):
    """Clips of one shape.

    Attributes:
        arrays: ``latent`` (or the name of each part) and perhaps ``log_variance``, ``b c t h w`` in float32;
            or ``tokens``, digits ``b d t h w`` in int64. Of a data set with a budget also ``counts``,
            ``b 1 t h w`` in int64: how many channels each position of the latent has; those beyond are zero.
        captions: what is seen in each clip; empty where nobody said.
        keys: that name the clips.
        facts: all that is known of each.
        position: of this batch; training goes on after it from ``position.batch + 1``.
    """

    arrays: dict[str, Tensor]
    captions: list[str]
    keys: list[str]
    facts: list[dict[str, Any]]
    position: Position

    @property
    def latent(self) -> Tensor:
        """The latents of a tokenizer of one part, ``b c t h w``.

        Raises:
            DatasetError: the data set holds tokens, or latents of several parts.
        """
        if "latent" not in self.arrays:
            raise DatasetError(
                f"the data set holds {', '.join(self.arrays)}, not one latent. Take them from batch.arrays."
            )
        return self.arrays["latent"]


@final
class LatentDataset(IterableDataset[LatentBatch]):
    """The batches of a data set that ``tubelet encode-dataset`` made, one epoch for each iteration.

    Give it to a ``DataLoader`` with ``batch_size=None``. The batches of an epoch and their order depend on
    `seed` and the epoch alone: whatever the number of the loader's workers, and whichever process of a
    distributed run takes which. Each of these gets as many batches; what is left over of fewer than all is
    left out of that epoch.

    Args:
        folder: of the data set.
        batch: clips of a batch; of each shape the last one may have fewer.
        shuffle: whether clips come at random.
        window: clips that are shuffled with one another; shards are taken at random, and read in turn.
        seed: of the random choices.
        rank: number of this process among those that train together; that of `torch.distributed` for none.
        world: how many they are; as `rank`.

    Attributes:
        description: tokenizer and settings.

    Raises:
        DatasetError: the folder holds no data set of latents or tokens, or a shard is missing.
        OptionError: a number has no meaning, or the data set is one of ``.tube`` files.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        batch: int = 1,
        shuffle: bool = True,
        window: int = WINDOW,
        seed: int = 0,
        rank: int | None = None,
        world: int | None = None,
    ) -> None:
        self._folder = Path(folder)
        self.description = read_description(self._folder)
        if min(batch, window) < 1 or seed < 0:
            raise OptionError(
                f"batch is {batch}, window is {window} and seed is {seed}; the first two start at 1, the "
                "seed at 0."
            )
        if self.description.format == "tube":
            raise OptionError(
                f"{folder} holds .tube files, which tubelet.open_tube reads one by one. To train on latents, "
                "encode with --format webdataset or parquet."
            )
        self._rank, self._world = _place(rank, world)
        self._order = Order(batch=batch, shuffle=shuffle, window=window, seed=seed)
        self._entries, self._shards, self._shapes = _listed(self._folder, self.description)
        self._where = _shared(Position(0, 0))

    @property
    def clips(self) -> int:
        """Clips of the data set."""
        return len(self._entries)

    def __len__(self) -> int:
        """Batches of this process that are left of the epoch."""
        return max(0, len(self._own()) - self._position().batch)

    def go_to(self, epoch: int, batch: int = 0) -> None:
        """Let the next iteration begin at a batch of an epoch.

        Args:
            epoch: from 0.
            batch: of this process, from 0: one more than the position of the last that was used.

        Raises:
            OptionError: a number is negative.
        """
        if min(epoch, batch) < 0:
            raise OptionError(f"epoch is {epoch} and batch is {batch}; both are counted from 0.")
        self._where.copy_(torch.tensor([epoch, batch]))

    def __iter__(self) -> Iterator[LatentBatch]:
        """The batches of the epoch from its position on; of them those of this worker of the loader."""
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        own, (epoch, begin) = self._own(), self._position()
        with _Reader(self._folder, self.description) as reader:
            for number in range(begin + first, len(own), step):
                records = [
                    reader.read(int(self._shards[clip]), self._entries[clip]) for clip in own[number].tolist()
                ]
                yield _batch(records, Position(epoch, number))

    def _own(self) -> list[Any]:
        """The batches of this process: as many as every other has."""
        batches = batches_of(self._shards, self._shapes, self._order, epoch=self._position().epoch)
        return batches[self._rank : len(batches) // self._world * self._world : self._world]

    def _position(self) -> Position:
        return Position(*self._where.tolist())


@final
class _Reader:
    """Shards that are open, the last few of them; a context manager."""

    def __init__(self, folder: Path, description: Description) -> None:
        self._folder = folder
        self._description = description
        self._open: dict[int, tuple[OpenShard, ExitStack]] = {}

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *_: object) -> None:
        for _shard, stack in self._open.values():
            stack.close()

    def read(self, number: int, entry: Entry) -> Record:
        """A record of a shard.

        Raises:
            DatasetError: the shard is missing, damaged, or of another tokenizer.
        """
        if number not in self._open:
            if len(self._open) >= _OPEN:
                self._open.pop(next(iter(self._open)))[1].close()
            path, stack = self._description.shard_path(self._folder, number), ExitStack()
            shard = stack.enter_context(self._description.shard_format.opened(path))
            self._open[number] = shard, stack
            check_shard(shard.header(), self._description, str(path))
        return self._open[number][0].read(entry.key, entry.place)


def _shared(position: Position) -> Tensor:
    """A position in memory that workers share, so that those of a loader that stay see it change."""
    numbers = torch.tensor(position)
    with suppress(RuntimeError, OSError):  # a machine may have no memory to share
        numbers.share_memory_()
    return numbers


def _place(rank: int | None, world: int | None) -> tuple[int, int]:
    """Which process this is, and of how many.

    Raises:
        OptionError: there is no such process.
    """
    distributed = torch.distributed
    if rank is None and world is None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    found = rank or 0, 1 if world is None else world
    if not 0 <= found[0] < found[1]:
        raise OptionError(f"rank is {found[0]} and world is {found[1]}; processes are counted from 0.")
    return found


def _listed(folder: Path, description: Description) -> tuple[list[Entry], np.ndarray, np.ndarray]:
    """All clips as they are stored, the shard of each, and the number of its shape.

    Raises:
        DatasetError: a shard is missing.
    """
    entries: list[Entry] = []
    shards: list[int] = []
    for number in range(description.shards):
        index, path = needed_index(folder, description, number), description.shard_path(folder, number)
        if index.sha256 is not None and not path.is_file():
            raise DatasetError(
                f"the shard {path} is missing. Encode the data set again: what is there is kept."
            )
        entries.extend(index.entries)
        shards.extend([number] * len(index.entries))
    if not entries:
        raise DatasetError(f"{folder} holds no clip. Encode some with `tubelet encode-dataset`.")
    shapes = [tuple(sorted(entry.shapes.items())) for entry in entries]
    numbers = {shape: number for number, shape in enumerate(dict.fromkeys(shapes))}
    return entries, np.array(shards, np.int64), np.array([numbers[shape] for shape in shapes], np.int64)


def _batch(records: list[Record], position: Position) -> LatentBatch:
    """Records of one shape as a batch."""
    arrays: dict[str, list[Tensor]] = {}
    for record in records:
        for name, tensor in _tensors(record).items():
            arrays.setdefault(name.removesuffix(".npy"), []).append(tensor)
    return LatentBatch(
        arrays={name: torch.stack(tensors) for name, tensors in arrays.items()},
        captions=[record.facts.get("caption") or "" for record in records],
        keys=[record.key for record in records],
        facts=[dict(record.facts) for record in records],
        position=position,
    )


def _tensors(record: Record) -> dict[str, Tensor]:
    """The arrays of a record: latents in float32, digits and counts in int64."""
    where = f"clip {record.key}"
    arrays = {name: bytes_to_array(data, f"{name} of {where}") for name, data in record.arrays.items()}
    return {
        name: latent_of(arrays, about, name, where)
        if "dtype" in about
        else torch.from_numpy(arrays[name].astype(np.int64))
        for name, about in record.facts["arrays"].items()
    }
