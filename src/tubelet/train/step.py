"""One step of training: clips in, weights moved, figures out. Read this to know what training does."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from tubelet.losses.adversarial import r3gan_discriminator, r3gan_generator
from tubelet.losses.perceptual import LPIPS
from tubelet.losses.reconstruction import charbonnier, log_mse
from tubelet.losses.regularisation import kl_standard_normal
from tubelet.losses.sampling import sample
from tubelet.losses.temporal import frame_difference, log_frame_difference
from tubelet.losses.wavelet import wavelet_l1
from tubelet.quantizers.digits import Digits
from tubelet.train.config import LossWeights, Stage, TrainConfig
from tubelet.train.draws import draw_budgets, draw_counts, draw_noise, draw_steps, generator_of
from tubelet.train.network import Drawn, Reconstruction, autocast
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
        digits: what this process's clips were quantised to; none without a quantiser.
    """

    losses: dict[str, float]
    gradient: float
    rate: float
    taken: bool
    digits: Digits | None = None


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
        _update_quantizer(state, config, back)
    for optimizer in state.optimizers:
        optimizer.zero_grad(set_to_none=True)
    if stage.adversarial and taken:
        losses["discriminator"] = _judge_step(state, part.video, back.video.detach())
    state.bad_steps = 0 if taken else state.bad_steps + 1
    state.step += 1
    return StepFigures(
        losses={name: loss.item() for name, loss in losses.items()},
        gradient=norm,
        rate=rate,
        taken=taken,
        digits=None if back.quantized is None else back.quantized.digits,
    )


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
    budgets = (
        draw_budgets(config.prefixes, channels=tokenizer.channels, **keys)
        if config.prefixes.budgets
        else None
    )
    steps = draw_steps(config.quantized, config.quantizer_steps, **keys) if config.quantized else None
    drawn = Drawn(counts=counts, noise=noise, spread=spread, budgets=budgets, steps=steps)
    with autocast(video.device, bfloat16=config.bfloat16):
        return model(video, drawn.to(video.device))


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
    counted = list(_of_samples(weights, video, back.video))
    if weights.kl and back.posterior is not None:
        posterior = back.posterior
        counted.append(_Loss("kl", weights.kl, kl_standard_normal(posterior.mean, posterior.log_variance)))
    if back.quantized is not None and back.quantized.loss.requires_grad:
        counted.append(_Loss("quantizer", 1.0, back.quantized.loss))
    if weights.perceptual and perceptual is not None:
        distance = perceptual(*_some_frames(state, config, part, back.video))
        counted.append(_Loss("perceptual", weights.perceptual, distance))
    if stage.adversarial and state.discriminator is not None:
        state.discriminator.requires_grad_(requires_grad=False)
        distance = r3gan_generator(state.discriminator, video, back.video)
        counted.append(_Loss("adversarial", stage.adversarial, distance))
        state.discriminator.requires_grad_(requires_grad=True)
    total = sum((each.weight * each.value for each in counted), torch.zeros((), device=video.device))
    return {each.name: each.value for each in counted} | {"total": total}


_Some = Float[Tensor, "b 3 f H W"]
"""A few frames of every clip."""


class _Loss(NamedTuple):
    """One of the losses that count."""

    name: str
    weight: float
    value: Tensor


def _of_samples(weights: LossWeights, video: Video, back: Video) -> Iterator[_Loss]:
    """Those that compare clips sample by sample."""
    if weights.charbonnier:
        yield _Loss("charbonnier", weights.charbonnier, charbonnier(video, back))
    if weights.log_mse:
        yield _Loss("log_mse", weights.log_mse, log_mse(video, back, floor=FLOOR))
    if weights.difference:
        yield _Loss("difference", weights.difference, frame_difference(video, back))
    if weights.log_difference:
        changes = log_frame_difference(video, back, floor=FLOOR)
        yield _Loss("log_difference", weights.log_difference, changes)
    if weights.wavelet:
        yield _Loss("wavelet", weights.wavelet, wavelet_l1(video, back, levels=2))


def _some_frames(state: TrainState, config: TrainConfig, part: Part, back: Video) -> tuple[_Some, _Some]:
    """A few frames of every clip, and what came back of them."""
    seen = [
        sample(
            part.video[place : place + 1],
            back[place : place + 1],
            frames=PERCEPTUAL_FRAMES,
            generator=generator_of(config.seed, state.step, index),
        )
        for place, index in enumerate(part.indices)
    ]
    frames, decoded = (torch.cat(side) for side in zip(*seen, strict=True))
    return frames, decoded


def _update_quantizer(state: TrainState, config: TrainConfig, back: Reconstruction) -> None:
    """Let the quantiser move what no gradient moves."""
    if state.network.quantizer is not None and back.quantized is not None:
        generator = generator_of(config.seed, state.step, 0)
        state.network.quantizer.update(back.latent.detach(), back.quantized.digits, generator=generator)


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
