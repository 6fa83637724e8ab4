"""Mean and standard deviation of each channel of many latents, added up in a fixed order."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float32
from torch import Tensor

Moments = dict[str, Any]
"""``positions``, and for each channel the ``mean`` and the ``mean_square`` over them."""


def moments_of(latent: Float32[Tensor, "c t h w"]) -> Moments:
    """The moments of one latent, in float64."""
    values = latent.to(torch.float64)
    return {
        "positions": latent[0].numel(),
        "mean": values.mean(dim=(1, 2, 3)).tolist(),
        "mean_square": values.square().mean(dim=(1, 2, 3)).tolist(),
    }


def joined(all_moments: Iterable[Mapping[str, Any]]) -> Moments | None:
    """The moments over several latents; none of none."""
    positions, means, squares = 0, torch.zeros(0), torch.zeros(0)
    for moments in all_moments:
        count = moments["positions"]
        mean, square = (
            torch.tensor(moments[name], dtype=torch.float64) * count for name in ("mean", "mean_square")
        )
        means, squares = (means + mean, squares + square) if positions else (mean, square)
        positions += count
    if not positions:
        return None
    return {
        "positions": positions,
        "mean": (means / positions).tolist(),
        "mean_square": (squares / positions).tolist(),
    }


def deviations(moments: Mapping[str, Any]) -> list[float]:
    """The standard deviation of each channel."""
    return [
        max(0.0, square - mean * mean) ** 0.5
        for mean, square in zip(moments["mean"], moments["mean_square"], strict=True)
    ]
