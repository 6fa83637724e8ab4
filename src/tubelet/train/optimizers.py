"""Optimisers for a network, and the rate at which they move it."""

from collections.abc import Sequence
from math import cos, pi

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.optimizer import Optimizer as TorchOptimizer

from tubelet.train.config import Optimizer
from tubelet.train.muon import Muon


def make_optimizers(network: nn.Module, config: Optimizer) -> list[TorchOptimizer]:
    """AdamW for all weights, or Muon (Jordan et al. 2024) for matrices inside blocks and AdamW for others.

    Weight decay pulls matrices only: a gain, a bias or a fill has a meaning of its own.
    """
    named = list(network.named_parameters())
    hidden = [p for name, p in named if config.kind == "muon" and p.ndim == 2 and _is_hidden(name)]
    others = [p for _, p in named if not any(p is each for each in hidden)]
    groups = [
        {"params": [p for p in others if p.ndim == 2], "weight_decay": config.weight_decay},
        {"params": [p for p in others if p.ndim != 2], "weight_decay": 0.0},
    ]
    scale = config.others if hidden else 1.0
    optimizers: list[TorchOptimizer] = [
        AdamW(
            [group | {"scale": scale} for group in groups], lr=config.rate, betas=config.betas, foreach=True
        )
    ]
    if hidden:
        optimizers.append(
            Muon(hidden, lr=config.rate, momentum=config.momentum, weight_decay=config.weight_decay)
        )
    return optimizers


def rate_at(progress: float, config: Optimizer) -> float:
    """The learning rate at a share of the run: up from zero along a line, down to zero along a cosine."""
    if progress < config.warm_up:
        return config.rate * progress / config.warm_up
    return config.rate * (1 + cos(pi * min(1.0, (progress - config.warm_up) / (1 - config.warm_up)))) / 2


def set_rate(optimizers: Sequence[TorchOptimizer], rate: float) -> None:
    """Let every optimiser move at this rate from now on."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("scale", 1.0)


@torch.no_grad()
def follow(average: Sequence[Tensor], weights: Sequence[Tensor], *, decay: float, step: int) -> None:
    """Move a running average towards the weights; early on it forgets its start sooner."""
    soon = min(decay, (1 + step) / (10 + step))
    for slow, weight in zip(average, weights, strict=True):
        slow.lerp_(weight, 1 - soon)


def _is_hidden(name: str) -> bool:
    """Whether a weight is a matrix inside a block."""
    return ".blocks." in name and name.endswith("map.weight")
