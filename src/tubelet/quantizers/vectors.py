"""What all quantisers do before and after their own work: positions as rows of float32, and gradients."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.checks import check_finite, check_floating
from tubelet.errors import ShapeError
from tubelet.types import Latent

Rows = Float[Tensor, "b t h w c"]
"""A latent with its channels last, in float32: what a quantiser computes on."""


def latent_to_rows(latent: Latent, channels: int) -> Rows:
    """Channels last, in float32 whatever the latent has: half precision changes digits.

    Raises:
        ShapeError: the latent has another number of channels.
        LatentError: it holds NaN or infinity, which no digit stands for.
    """
    if latent.ndim != 5 or latent.shape[1] != channels:
        raise ShapeError(
            f"the latent is of shape {tuple(latent.shape)}; this quantiser takes b c t h w with "
            f"c = {channels}."
        )
    check_finite(latent, "latent", cure="No token stands for the others. Encode other video.")
    return rearrange(latent, "b c t h w -> b t h w c").to(torch.float32)


def rows_to_latent(rows: Rows) -> Latent:
    """Undo `latent_to_rows`; float32 stays."""
    return rearrange(rows, "b t h w c -> b c t h w")


def full_precision(tensor: Tensor) -> torch.autocast:
    """A context in which autocast, if it is on, does not reach: quantisers are exact in float32 only.

    Raises:
        OptionError: what is to be computed with is not a floating-point tensor.
    """
    check_floating(tensor, "latent", cure="Digits are read by dequantize.")
    return torch.autocast(tensor.device.type, enabled=False)


def straight_through(value: Float[Tensor, "*any"], surrogate: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """`value`, with the gradient of itself and that of `surrogate`, which it stands in for.

    The straight-through estimator of Bengio et al. 2013 (arXiv:1308.3432).
    """
    return value + (surrogate - surrogate.detach())
