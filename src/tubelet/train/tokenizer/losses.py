"""The losses of a tokenizer: one table of them, and the sum that a stage of a run minimises."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.losses.adversarial import r3gan_discriminator, r3gan_generator
from tubelet.losses.pair import Loss
from tubelet.losses.reconstruction import charbonnier, log_mse
from tubelet.losses.regularisation import kl_standard_normal
from tubelet.losses.sampling import sample
from tubelet.losses.temporal import frame_difference, log_frame_difference
from tubelet.losses.wavelet import wavelet_l1
from tubelet.perceptual.lpips import LPIPS
from tubelet.train.task import Place, Term
from tubelet.train.tokenizer.config import LossWeights, TrainConfig
from tubelet.train.tokenizer.draws import generator_of
from tubelet.train.tokenizer.network import Reconstruction
from tubelet.types import Video

Comparison = Callable[[Video, Video, LossWeights], Loss]

COMPARISONS: dict[str, Comparison] = {
    "charbonnier": lambda video, back, _: charbonnier(video, back),
    "log_mse": lambda video, back, weights: log_mse(video, back, floor=weights.log_floor),
    "difference": lambda video, back, _: frame_difference(video, back),
    "log_difference": lambda video, back, weights: log_frame_difference(video, back, floor=weights.log_floor),
    "wavelet": lambda video, back, weights: wavelet_l1(video, back, levels=weights.wavelet_levels),
}
"""Losses that compare clips sample by sample, by the name of their weight in `LossWeights`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch, what came back of it, and where in the run that was."""

    video: Video
    back: Reconstruction
    place: Place


def terms_of(
    config: TrainConfig, batch: Batch, *, perceptual: LPIPS | None, discriminator: nn.Module | None
) -> dict[str, Term]:
    """Every loss that counts.

    Args:
        config: of the run.
        batch: what is compared.
        perceptual: the network of the perceptual loss, where it counts.
        discriminator: what tells clips from what came back, where its verdict counts.
    """
    weights, back = config.losses, batch.back
    terms = _comparisons(config, batch)
    if weights.kl and back.posterior is not None:
        divergence = kl_standard_normal(back.posterior.mean, back.posterior.log_variance)
        terms["kl"] = Term(weights.kl, divergence)
    if back.quantized is not None and back.quantized.loss.requires_grad:
        terms["quantizer"] = Term(1.0, back.quantized.loss)
    if weights.rate and back.bits_worth is not None:
        terms["rate"] = Term(weights.rate, bits_over_error(batch.video, back, floor=weights.log_floor))
    if weights.equivariance and back.turned is not None:
        terms["equivariance"] = Term(weights.equivariance, log_mse(*back.turned, floor=weights.log_floor))
    if weights.perceptual and perceptual is not None:
        terms["perceptual"] = Term(
            weights.perceptual,
            perceptual(
                *some_frames(
                    batch.video,
                    batch.back.video,
                    batch.place,
                    frames=weights.perceptual_frames,
                    seed=config.seed,
                )
            ),
        )
    adversarial = config.stage_at(batch.place.progress).adversarial
    if adversarial and discriminator is not None:
        terms["adversarial"] = Term(adversarial, r3gan_generator(discriminator, batch.video, back.video))
    return terms


def bits_over_error(video: Video, back: Reconstruction, *, floor: float) -> Tensor:
    """What bits must take away, over the squared error that there is, mean over the clips.

    Beside `log_mse` of the same weight this has the gradient of error plus price times bits, clip by clip,
    over the clip's error: so a clip counts what it counts there.

    Args:
        video: the clips.
        back: what came back.
        floor: mean squared error at which `log_mse` starts to be content.
    """
    assert back.bits_worth is not None
    samples = video[0].numel()
    errors = (back.video.detach() - video).square().sum(dim=(1, 2, 3, 4)) + floor * samples
    return (back.bits_worth / errors).mean()


def _comparisons(config: TrainConfig, batch: Batch) -> dict[str, Term]:
    """The losses that compare clips, of frames that are known and of those that were predicted."""
    weights, video, back = config.losses, batch.video, batch.back.video
    known = video.shape[2] - batch.back.ahead
    terms: dict[str, Term] = {}
    for name, compare in COMPARISONS.items():
        weight = getattr(weights, name)
        if not weight:
            continue
        terms[name] = Term(weight, compare(video[:, :, :known], back[:, :, :known], weights))
        if batch.back.ahead:
            # With the last frame that is known, so that the first change counts.
            first = known - int("difference" in name)
            ahead = compare(video[:, :, first:], back[:, :, first:], weights)
            terms[f"{name}_ahead"] = Term(weight * config.ahead_weight, ahead)
    return terms


def discriminator_loss(config: TrainConfig, batch: Batch, discriminator: nn.Module) -> Tensor:
    """How badly the discriminator tells the clips from what came back, with its gradient penalties."""
    back = batch.back.video.detach()
    return r3gan_discriminator(discriminator, batch.video, back, gamma=config.losses.gradient_penalty).total


_Some = Float[Tensor, "b 3 f H W"]
"""A few frames of every clip."""


def some_frames(video: Video, back: Video, place: Place, *, frames: int, seed: int) -> tuple[_Some, _Some]:
    """A few frames of every clip, and what came back of them; chosen by seed, iteration and clip."""
    seen = [
        sample(
            video[row : row + 1],
            back[row : row + 1],
            frames=frames,
            generator=generator_of(seed, place.iteration, index),
        )
        for row, index in enumerate(place.indices)
    ]
    chosen, decoded = (torch.cat(side) for side in zip(*seen, strict=True))
    return chosen, decoded
