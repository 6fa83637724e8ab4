"""One step of training: clips in, weights moved, figures out. Read this to know what training does."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from tubelet.losses.adversarial import r3gan_discriminator, r3gan_generator
from tubelet.losses.perceptual import LPIPS
from tubelet.losses.reconstruction import charbonnier, log_mse
from tubelet.losses.regularisation import kl_standard_normal
from tubelet.losses.sampling import sample
from tubelet.losses.temporal import frame_difference
from tubelet.losses.wavelet import wavelet_l1
from tubelet.train.config import Stage, TrainConfig
from tubelet.train.draws import draw_counts, draw_noise, generator_of
from tubelet.train.network import Reconstruction, autocast
from tubelet.train.optimizers import follow, rate_at, set_rate
from tubelet.train.state import TrainState
from tubelet.types import Video

PERCEPTUAL_FRAMES = 4
"""Frames per clip that the perceptual network looks at: on all of them it would cost ten times the model."""

FLOOR = 3e-5
"""Squared error at which `log_mse` starts to be content, that of 51 dB: flat clips would drown the others."""

PENALTY = 1.0
"""Gamma of R3GAN's gradient penalties."""


class StepFigures(NamedTuple):
    """What a step gave.

    Attributes:
        losses: each loss before its weight, and their weighted sum as ``total``.
        gradient: norm of all gradients together, before clipping.
        rate: the learning rate.
        taken: whether the weights moved; not, if a gradient was no number or the norm jumped.
    """

    losses: dict[str, float]
    gradient: float
    rate: float
    taken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a process does of a step.

    Attributes:
        video: its clips.
        indices: which clips of the whole batch they are.
        progress: share of the run that is done.
    """

    video: Video
    indices: range
    progress: float


def train_step(
    state: TrainState, model: nn.Module, config: TrainConfig, part: Part, *, perceptual: LPIPS | None = None
) -> StepFigures:
    """Move the weights once.

    Args:
        state: what the run knows; changed in place.
        model: ``state.network``, or what stands for it among several processes.
        config: the run.
        part: the clips.
        perceptual: the network of the perceptual loss, where it counts.
    """
    stage = config.stage_at(part.progress)
    rate = rate_at(part.progress, config.optimizer)
    set_rate(state.optimizers, rate)
    back = _reconstruct(state, model, config, part)
    losses = _losses(state, config, stage, part, back, perceptual)
    losses["total"].backward()
    norm = _norm(state.network, config.optimizer.clip)
    taken = math.isfinite(norm) and not (state.usual_gradient and norm > config.jump * state.usual_gradient)
    if taken:
        for optimizer in state.optimizers:
            optimizer.step()
        weights = [parameter.detach() for parameter in state.network.parameters()]
        follow(list(state.average.values()), weights, decay=config.optimizer.average, step=state.step)
        state.usual_gradient += (norm - state.usual_gradient) / min(100, state.step + 1)
    for optimizer in state.optimizers:
        optimizer.zero_grad(set_to_none=True)
    if stage.adversarial and taken:
        losses["discriminator"] = _judge_step(state, part.video, back.video.detach())
    state.bad_steps = 0 if taken else state.bad_steps + 1
    state.step += 1
    return StepFigures({name: loss.item() for name, loss in losses.items()}, norm, rate, taken)


def _reconstruct(state: TrainState, model: nn.Module, config: TrainConfig, part: Part) -> Reconstruction:
    """There and back, with the channels, the noise and the draw from the posterior that this step has."""
    tokenizer, video = state.network.tokenizer, part.video
    frames, height, width = video.shape[2:]
    cells = tokenizer.grouping.grid(frames, height, width)
    keys = {"seed": config.seed, "step": state.step, "indices": part.indices}
    shape = (tokenizer.channels, *cells)
    counts = draw_counts(config.prefixes, cells=cells, channels=tokenizer.channels, **keys)
    noise = draw_noise(shape, config.noise, even=False, **keys) if config.noise else None
    spread = draw_noise(shape, 1.0, even=True, **keys) if config.losses.kl else None
    with autocast(video.device, bfloat16=config.bfloat16):
        return model(
            video,
            counts.to(video.device),
            None if noise is None else noise.to(video.device),
            None if spread is None else spread.to(video.device),
        )


def _losses(
    state: TrainState,
    config: TrainConfig,
    stage: Stage,
    part: Part,
    back: Reconstruction,
    perceptual: LPIPS | None,
) -> dict[str, Tensor]:
    """Every loss that counts, before its weight, and their weighted sum as ``total``."""
    weights, video = config.losses, part.video
    losses: dict[str, Tensor] = {}
    total = torch.zeros((), device=video.device)

    def count(name: str, weight: float, loss: Tensor) -> None:
        nonlocal total
        losses[name] = loss
        total = total + weight * loss

    if weights.charbonnier:
        count("charbonnier", weights.charbonnier, charbonnier(video, back.video))
    if weights.log_mse:
        count("log_mse", weights.log_mse, log_mse(video, back.video, floor=FLOOR))
    if weights.difference:
        count("difference", weights.difference, frame_difference(video, back.video))
    if weights.wavelet:
        count("wavelet", weights.wavelet, wavelet_l1(video, back.video, levels=2))
    if weights.kl and back.posterior is not None:
        posterior = back.posterior
        count("kl", weights.kl, kl_standard_normal(posterior.mean, posterior.log_variance))
    if weights.perceptual and perceptual is not None:
        seen = [
            sample(
                video[place : place + 1],
                back.video[place : place + 1],
                frames=PERCEPTUAL_FRAMES,
                generator=generator_of(config.seed, state.step, index),
            )
            for place, index in enumerate(part.indices)
        ]
        frames, decoded = (torch.cat(side) for side in zip(*seen, strict=True))
        count("perceptual", weights.perceptual, perceptual(frames, decoded))
    if stage.adversarial and state.discriminator is not None:
        state.discriminator.requires_grad_(requires_grad=False)
        count("adversarial", stage.adversarial, r3gan_generator(state.discriminator, video, back.video))
        state.discriminator.requires_grad_(requires_grad=True)
    return losses | {"total": total}


def _judge_step(state: TrainState, video: Video, back: Video) -> Tensor:
    """Let the discriminator learn to tell the clips from what came back; give its loss."""
    assert state.discriminator is not None and state.judge is not None
    loss = r3gan_discriminator(state.discriminator, video, back, gamma=PENALTY).total
    loss.backward()
    state.judge.step()
    state.judge.zero_grad(set_to_none=True)
    return loss.detach()


def _norm(network: nn.Module, largest: float) -> float:
    """The norm of all gradients together; gradients are scaled down if it is above `largest`."""
    norm = nn.utils.clip_grad_norm_([p for p in network.parameters() if p.grad is not None], largest)
    # With FSDP it lies in pieces.
    return (norm.full_tensor() if isinstance(norm, DTensor) else norm).item()
