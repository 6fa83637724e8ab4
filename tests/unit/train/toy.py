"""The smallest task: two layers learn a function of noise. As a script, it is one of several processes."""

import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from tubelet.train.config import LoopConfig, Optimizer
from tubelet.train.loop import RunOptions, run_task
from tubelet.train.task import Outcome, Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    until: float
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyConfig(LoopConfig):
    width: int = 8


class Noise:
    """Batches that follow from the seed, the iteration and the items that are asked for."""

    waited_seconds = 0.0

    def __init__(self, seed, iteration, indices):
        self.seed, self.iteration, self.indices = seed, iteration, indices

    def __next__(self):
        rows = []
        for index in self.indices:
            generator = torch.Generator().manual_seed(self.seed + 1000 * self.iteration + index)
            rows.append(torch.randn(4, generator=generator))
        self.iteration += 1
        return torch.stack(rows)


class Toy:
    """Learns the hyperbolic tangent of the sum of four numbers."""

    STAGES = (Stage(until=0.5, batch=4), Stage(until=1.0, batch=8))

    def __init__(self, config):
        self.config = config

    def facts(self):
        return {"data": "noise"}

    def start(self):
        network = self.build()
        generator = torch.Generator().manual_seed(self.config.seed)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 3)
        return network

    def build(self):
        return nn.Sequential(nn.Linear(4, self.config.width), nn.SiLU(), nn.Linear(self.config.width, 1))

    def discriminator(self):
        return None

    def hidden_matrices(self, network):
        return [network[0].weight]

    def shard_units(self, network):
        return [network[0]]

    def stage_at(self, progress):
        return next((stage for stage in self.STAGES if progress < stage.until), self.STAGES[-1])

    def set_trainable(self, network, stage):
        network.requires_grad_()

    @contextmanager
    def batches(self, stage, *, first, indices):
        yield Noise(self.config.seed, first, indices)

    def outcome(self, network, model, batch, place, discriminator):
        error = model(batch)[:, 0] - batch.sum(dim=1).tanh()
        return Outcome(terms={"squared": Term(2.0, error.square().mean())})

    def pictures(self, network):
        corners = torch.linspace(-1, 1, 16).reshape(-1, 1).expand(-1, 4)
        return {"function": network(corners).reshape(1, 4, 4).expand(3, -1, -1)}


def config(**changes) -> ToyConfig:
    return replace(ToyConfig(iterations=20, optimizer=Optimizer(lr=0.05), bfloat16=False), **changes)


if __name__ == "__main__":
    shard = sys.argv[2] == "shard"
    run_task(
        Toy(config(optimizer=Optimizer(lr=0.05, kind=sys.argv[3]))),
        RunOptions(folder=Path(sys.argv[1]), shard=shard),
    )
