"""Bits of symbols under the distributions that the tables of a prior are made from."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tubelet.priors.tables import WIDE_SHARE, WIDE_SPREAD
from tubelet.train.prior.group_network import Predicted
from tubelet.train.prior.rounding import rounded

_LEAST = 2.0**-24


def open_bits(symbols: Float[Tensor, "n c h w"], predicted: Predicted) -> Float[Tensor, "n c h w"]:
    """Bits of symbols that may be any whole numbers."""
    distance = (symbols - predicted.mean).abs()
    share = torch.zeros_like(distance)
    for weight, spread in ((1 - WIDE_SHARE, 1.0), (WIDE_SHARE, WIDE_SPREAD)):
        rate = torch.exp2(-predicted.scale) / spread
        # Of the far side, where a difference of small numbers loses nothing.
        share = share + weight * (
            torch.sigmoid((0.5 - distance) * rate) - torch.sigmoid((-0.5 - distance) * rate)
        )
    return -(share + _LEAST).log2()


def closed_bits(
    symbols: Float[Tensor, "n c h w"], predicted: Predicted, base: Float[Tensor, "..."]
) -> Float[Tensor, "n c h w"]:
    """Bits of digits d of a base, given as 2 d - (base - 1); the first and the last take what lies beyond."""
    mean, scale = rounded(predicted.mean, 2.0), rounded(predicted.scale, 2.0).clamp(-3.0, 3.5)
    share = torch.zeros_like(symbols)
    low: Bool[Tensor, "n c h w"] = symbols <= 1 - base
    high: Bool[Tensor, "n c h w"] = symbols >= base - 1
    for weight, spread in ((1 - WIDE_SHARE, 1.0), (WIDE_SHARE, WIDE_SPREAD)):
        rate = torch.exp2(-scale) / spread
        above = torch.sigmoid((symbols + 1 - mean) * rate).masked_fill(high, 1.0)
        below = torch.sigmoid((symbols - 1 - mean) * rate).masked_fill(low, 0.0)
        share = share + weight * (above - below)
    return -(share.clamp(min=0) + _LEAST).log2()
