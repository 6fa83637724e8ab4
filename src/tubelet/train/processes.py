"""Several processes that train one network together."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from tubelet.errors import OptionError, TrainingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """The processes that take part, seen from one of them.

    Attributes:
        rank: number of this process.
        count: how many there are.
        device: where this one computes.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and talks."""
        return self.rank == 0

    def share(self, batch: int) -> range:
        """Which items of a batch are this process's.

        Raises:
            OptionError: the batch does not split evenly.
        """
        if batch % self.count:
            raise OptionError(
                f"the batch has {batch} items for {self.count} processes; every process takes equally many. "
                f"Choose a multiple of {self.count}."
            )
        each = batch // self.count
        return range(self.rank * each, (self.rank + 1) * each)

    def agree(self, seconds: float, *, stop: bool) -> tuple[float, bool]:
        """The first process's time, and whether any wants to stop: the same answer everywhere."""
        if self.count == 1:
            return seconds, stop
        facts = torch.tensor([seconds if self.is_first else 0.0, float(stop)], dtype=torch.float64)
        facts = facts.to(self.device)
        dist.all_reduce(facts, op=dist.ReduceOp.MAX)
        return float(facts[0]), bool(facts[1])

    def mean(self, figures: dict[str, float]) -> dict[str, float]:
        """The mean of each figure over all processes."""
        if self.count == 1:
            return figures
        values = torch.tensor(list(figures.values()), dtype=torch.float64, device=self.device)
        dist.all_reduce(values)
        return dict(zip(figures, (values / self.count).tolist(), strict=True))


def is_first_process() -> bool:
    """Whether this process is the first that torchrun started, or the only one; known before `ranks` too."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def ranks() -> Iterator[Ranks]:
    """Join the other processes, if torchrun started this one; leave them in the end.

    Raises:
        TrainingError: another process ended, or does not answer any more.
    """
    if not dist.is_torchelastic_launched():
        yield Ranks(rank=0, count=1, device=_device(0))
        return
    device = _device(int(os.environ["LOCAL_RANK"]))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with _lost_processes():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        try:
            yield Ranks(rank=dist.get_rank(), count=dist.get_world_size(), device=device)
        finally:
            dist.destroy_process_group()


@contextmanager
def _lost_processes() -> Iterator[None]:
    """Call an answer that never came a process that ended; the fault is there, and is said there."""
    try:
        yield
    except RuntimeError as error:
        # Gloo has no error of its own; its messages begin with the file of its source that they come from.
        if not isinstance(error, dist.DistError) and "/gloo/" not in str(error):
            raise
        raise TrainingError(
            "another process of this run ended or does not answer; what it said last says why. Start all of "
            "them again; --resume goes on from the newest checkpoint."
        ) from error


def shard_weights(network: nn.Module, units: Sequence[nn.Module]) -> None:
    """Split the weights over all processes (FSDP2); those of a unit are gathered while it computes."""
    for unit in units:
        fully_shard(unit)
    fully_shard(network)


def wrap_ddp(network: nn.Module, rank: Ranks, *, shard: bool) -> nn.Module:
    """The module to call so that gradients are averaged over all processes."""
    if rank.count == 1 or shard:
        return network
    options: dict[str, Any] = {"device_ids": [rank.device.index]} if rank.device.type == "cuda" else {}
    return DistributedDataParallel(network, **options)


def _device(index: int) -> torch.device:
    return torch.device("cuda", index) if torch.cuda.is_available() else torch.device("cpu")
