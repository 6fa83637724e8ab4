"""What each digit is worth in pixels, so that training can weigh it."""

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.generate.captioned import CaptionedDigits
from tubelet.generate.known_tokenizer import continuous_of
from tubelet.generate.tokens.digits import digits_to_latent

_SAMPLES = 64
"""Clips on which it is measured."""


@torch.no_grad()
def digit_deviations(data: CaptionedDigits) -> Float[Tensor, " d"]:
    """By how many levels of pixels a clip moves where one of its digits is that of another place.

    Measured on the latents that digits stand for, so it holds for any quantiser.
    """
    chosen = range(0, len(data.values), max(1, len(data.values) // _SAMPLES))
    digits = torch.from_numpy(np.stack([data.values[index] for index in chosen])).long()
    (units,) = continuous_of(data.tokenizer).model.pixel_units().values()
    latent = digits_to_latent(data.tokenizer, digits)
    units = rearrange(units.detach().to(latent)[: latent.shape[1]], "c -> c 1 1 1")
    random = np.random.default_rng(0)
    deviations: list[Tensor] = []
    for number in range(digits.shape[1]):
        moved = digits.clone()
        shuffled = random.permutation(digits[:, number].numpy().ravel())
        moved[:, number] = torch.from_numpy(shuffled).reshape(digits[:, number].shape)
        change = (digits_to_latent(data.tokenizer, moved) - latent) * units
        deviations.append(change.square().sum(dim=1).mean().sqrt())
    return torch.stack(deviations).cpu().float()


def digit_weights(deviations: Float[Tensor, " d"], power: float) -> Float[Tensor, " d"]:
    """How much each digit counts: a power of its deviation in pixels; 1 in the mean."""
    weights = deviations.clamp_min(1e-6) ** power
    return weights / weights.mean()
