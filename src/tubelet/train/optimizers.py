"""Optimisers for a network, the learning rate at which they move it, and the average of its weights."""

from collections.abc import Sequence
from math import cos, pi

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.optimizer import Optimizer as TorchOptimizer

from tubelet.train.config import Optimizer
from tubelet.train.muon import Muon


def make_optimizers(
    network: nn.Module, hidden_matrices: Sequence[nn.Parameter], config: Optimizer
) -> list[TorchOptimizer]:
    """AdamW for all weights, or Muon (Jordan et al. 2024) for hidden matrices and AdamW for the others.

    Weight decay pulls matrices only: a gain, a bias or a fill has a meaning of its own.

    Args:
        network: what is trained.
        hidden_matrices: what Muon moves, if `config` wants it.
        config: the numbers.
    """
    hidden = list(hidden_matrices) if config.kind == "muon" else []
    muon = {id(p) for p in hidden}
    others = [p for p in network.parameters() if id(p) not in muon]
    groups = [
        {"params": [p for p in others if p.ndim == 2], "weight_decay": config.weight_decay},
        {"params": [p for p in others if p.ndim != 2], "weight_decay": 0.0},
    ]
    scale = config.others if hidden else 1.0
    optimizers: list[TorchOptimizer] = [
        AdamW([group | {"scale": scale} for group in groups], lr=config.lr, betas=config.betas, foreach=True)
    ]
    if hidden:
        optimizers.append(
            Muon(hidden, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)
        )
    return optimizers


def discriminator_optimizer(discriminator: nn.Module, config: Optimizer) -> TorchOptimizer:
    """AdamW without momentum, as R3GAN takes it (Huang et al. 2024, arXiv:2501.05441)."""
    return AdamW(discriminator.parameters(), lr=config.lr, betas=(0.0, 0.99), weight_decay=0.0)


def lr_at(progress: float, config: Optimizer) -> float:
    """The learning rate at a fraction of the run: up from zero along a line, down to zero along a cosine."""
    if progress < config.warm_up:
        return config.lr * progress / config.warm_up
    return config.lr * (1 + cos(pi * min(1.0, (progress - config.warm_up) / (1 - config.warm_up)))) / 2


def set_lr(optimizers: Sequence[TorchOptimizer], lr: float) -> None:
    """Let every optimiser move at this learning rate from now on."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = lr * group.get("scale", 1.0)


@torch.no_grad()
def update_ema(ema: Sequence[Tensor], weights: Sequence[Tensor], *, decay: float, iteration: int) -> None:
    """Move a running average towards the weights; early on it forgets its start sooner."""
    soon = min(decay, (1 + iteration) / (10 + iteration))
    for slow, weight in zip(ema, weights, strict=True):
        slow.lerp_(weight, 1 - soon)
