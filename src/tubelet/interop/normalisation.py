"""Latents as generative models want them: zero mean, unit variance; and as foreign decoders want them."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tubelet.types import Latent


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """The mean and standard deviation of raw latents, as their author measured them.

    Attributes:
        mean: one per channel; where there are several per channel, the n-th belongs to latent step n, and
            the last one to all steps after it.
        deviation: the same of the standard deviation.
    """

    mean: Float[Tensor, "c n"]
    deviation: Float[Tensor, "c n"]

    def normalise(self, raw: Latent) -> Latent:
        """What an encoder gave, with about zero mean and unit variance."""
        return (raw - _column(self.mean, raw)) / _column(self.deviation, raw)

    def restore(self, latent: Latent) -> Latent:
        """What a decoder expects; undoes `normalise`."""
        return latent * _column(self.deviation, latent) + _column(self.mean, latent)


def read_normalisation(model: Any, *, channels: int) -> Normalisation:  # noqa: ANN401  any diffusers model
    """Read what a model of diffusers knows of its latents; mean 0 and deviation 1 where it knows nothing.

    The pipelines of diffusers feed generative models with ``(z - mean) * scale / deviation``. Mean and
    deviation are ``latents_mean`` and ``latents_std``, buffers of the model (LTX) or lists in its
    configuration, which hold a value per channel or, channel by channel, one for each of the first steps
    (Cosmos); a ``shift_factor`` is a mean that all channels share, and ``scaling_factor`` is the scale.
    """
    mean = _stored(model, "latents_mean", channels)
    deviation = _stored(model, "latents_std", channels)
    scale, shift = (getattr(model.config, name, None) for name in ("scaling_factor", "shift_factor"))
    if mean is None:
        mean = torch.full((channels, 1), float(shift or 0))
    if deviation is None:
        deviation = torch.ones(channels, 1)
    return Normalisation(mean=mean, deviation=deviation / (1.0 if scale is None else float(scale)))


def _stored(model: Any, name: str, channels: int) -> Float[Tensor, "c n"] | None:  # noqa: ANN401
    """The values per channel that a model keeps under a name, if it does."""
    values = dict(model.named_buffers()).get(name)
    if values is None:
        values = getattr(model.config, name, None)
    if values is None:
        return None
    return torch.as_tensor(values, dtype=torch.float32, device="cpu").reshape(channels, -1)


def _column(values: Float[Tensor, "c n"], latent: Latent) -> Float[Tensor, "c m 1 1"]:
    """The values of the channels and steps of a latent, ready to meet it."""
    known = values.shape[1]
    if known > 1:
        values = values[:, torch.arange(latent.shape[2]).clamp(max=known - 1)]
    return values[:, :, None, None].to(latent.device)
