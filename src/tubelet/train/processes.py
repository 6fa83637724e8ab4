"""Several processes that train one network together."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from tubelet.errors import OptionError
from tubelet.nn.blocks import Block
from tubelet.train.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """Who takes part.

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
        """Which clips of a batch are this process's.

        Raises:
            OptionError: the batch does not split evenly.
        """
        if batch % self.count:
            raise OptionError(
                f"the batch has {batch} clips for {self.count} processes; every process takes equally many. "
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


@contextmanager
def processes() -> Iterator[Processes]:
    """Join the other processes, if torchrun started this one; leave them in the end."""
    if not dist.is_torchelastic_launched():
        yield Processes(rank=0, count=1, device=_device(0))
        return
    device = _device(int(os.environ["LOCAL_RANK"]))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(rank=dist.get_rank(), count=dist.get_world_size(), device=device)
    finally:
        dist.destroy_process_group()


def sharded(network: Network) -> None:
    """Split the weights over all processes, block by block (FSDP2); each is gathered while it is used."""
    # The latent and the video are views, and nobody writes into them.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")
    for module in network.modules():
        if isinstance(module, Block):
            fully_shard(module)
    fully_shard(network)


def together(network: Network, who: Processes, *, shard: bool) -> nn.Module:
    """The module to call so that gradients are averaged over all processes."""
    if who.count == 1 or shard:
        return network
    options: dict[str, Any] = {"device_ids": [who.device.index]} if who.device.type == "cuda" else {}
    return DistributedDataParallel(network, **options)


def _device(index: int) -> torch.device:
    return torch.device("cuda", index) if torch.cuda.is_available() else torch.device("cpu")
