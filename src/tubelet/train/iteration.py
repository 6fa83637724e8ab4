"""One iteration of training: a batch in, weights moved, figures out. Read this to know what training does."""

import math
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from tubelet.train.config import LoopConfig
from tubelet.train.optimizers import lr_at, set_lr, update_ema
from tubelet.train.state import TrainState
from tubelet.train.task import Outcome, Place, Task


class IterationFigures(NamedTuple):
    """What an iteration gave.

    Attributes:
        losses: each loss before its weight, and their weighted sum as ``total``.
        gradient: norm of all gradients together, before clipping.
        lr: the learning rate.
        taken: whether the weights moved; not, if a gradient was not finite or the norm jumped.
        outcome: what the task made of the batch.
    """

    losses: dict[str, float]
    gradient: float
    lr: float
    taken: bool
    outcome: Outcome


def iterate(state: TrainState, model: nn.Module, task: Task, batch: Any, place: Place) -> IterationFigures:  # noqa: ANN401
    """Move the weights once.

    Args:
        state: what the run knows; changed in place.
        model: ``state.network``, or what stands for it among several processes.
        task: what is trained.
        batch: of `Task.batches`.
        place: of this iteration in the run.
    """
    config = task.config
    lr = lr_at(place.progress, config.optimizer)
    set_lr(state.optimizers, lr)
    outcome = _outcome(state, model, task, batch, place)
    losses = {name: term.value for name, term in outcome.terms.items()}
    losses["total"] = sum(
        (term.weight * term.value for term in outcome.terms.values()), torch.zeros((), device=state.device)
    )
    losses["total"].backward()
    norm = _norm(state.network, config.optimizer.clip)
    taken = math.isfinite(norm) and not (state.usual_gradient and norm > config.jump * state.usual_gradient)
    if taken:
        _move(state, config, norm)
        outcome.update()
    for optimizer in state.optimizers:
        optimizer.zero_grad(set_to_none=True)
    if taken and outcome.discriminator_loss is not None:
        losses["discriminator"] = _discriminator_iteration(state, outcome.discriminator_loss())
    state.bad_iterations = 0 if taken else state.bad_iterations + 1
    state.iteration += 1
    found = {name: loss.item() for name, loss in losses.items()}
    return IterationFigures(losses=found, gradient=norm, lr=lr, taken=taken, outcome=outcome)


def _outcome(state: TrainState, model: nn.Module, task: Task, batch: Any, place: Place) -> Outcome:  # noqa: ANN401
    """The losses, by which no weight of the discriminator moves."""
    discriminator = state.discriminator
    if discriminator is None:
        return task.outcome(state.network, model, batch, place, None)
    discriminator.requires_grad_(requires_grad=False)
    outcome = task.outcome(state.network, model, batch, place, discriminator)
    discriminator.requires_grad_(requires_grad=True)
    return outcome


def _move(state: TrainState, config: LoopConfig, norm: float) -> None:
    """Let the optimisers move the weights, and the averages what they follow."""
    for optimizer in state.optimizers:
        optimizer.step()
    weights = [parameter.detach() for parameter in state.network.parameters()]
    update_ema(list(state.ema.values()), weights, decay=config.optimizer.ema, iteration=state.iteration)
    state.usual_gradient += (norm - state.usual_gradient) / min(100, state.iteration + 1)


def _discriminator_iteration(state: TrainState, loss: torch.Tensor) -> torch.Tensor:
    """Let the discriminator learn to tell the batch from what came back; give its loss."""
    assert state.discriminator_optimizer is not None
    loss.backward()
    state.discriminator_optimizer.step()
    state.discriminator_optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def _norm(network: nn.Module, largest: float) -> float:
    """The norm of all gradients together; gradients are scaled down if it is above `largest`."""
    norm = nn.utils.clip_grad_norm_([p for p in network.parameters() if p.grad is not None], largest)
    # With FSDP it lies in pieces.
    return (norm.full_tensor() if isinstance(norm, DTensor) else norm).item()
