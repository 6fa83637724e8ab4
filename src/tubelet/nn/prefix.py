"""Which leading channels of a latent are there, as a decoder's network is told."""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.nn.blocks import RateGain, Rates
from tubelet.types import Counts


class PrefixFeatures(NamedTuple):
    """A latent of any number of leading channels, written out for a network.

    Attributes:
        skip: all channels, zero where one is missing: its mean, the best guess of a linear decoder.
        inputs: all channels, the learned fill where one is missing, and the share of channels that are there.
        counts: how many channels are there, with sides of 1 where that stands for all positions.
        rates: that share as weights of the knots of `RateGain`.
    """

    skip: Float[Tensor, "b c t h w"]
    inputs: Float[Tensor, "b d t h w"]
    counts: Int[Tensor, "_ 1 _ _ _"]
    rates: Rates


class PrefixInput(nn.Module):
    """Fill up the missing channels of a latent, and say how many were there.

    Attributes:
        fill: what stands for a missing channel; learned, zero at first.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.fill = nn.Parameter(torch.zeros(channels))

    def forward(self, latent: Float[Tensor, "b k t h w"], counts: Counts | None) -> PrefixFeatures:
        """Write out a latent.

        Args:
            latent: the first k channels.
            counts: how many of them each position has; none if every position has all k.
        """
        known = latent.shape[1]
        full = F.pad(latent, (0, 0, 0, 0, 0, 0, 0, self.channels - known))
        if counts is None:
            counts = torch.full((1, 1, 1, 1, 1), known, device=latent.device)
        counts = counts.clamp(0, known)
        there = rearrange(torch.arange(self.channels, device=latent.device), "c -> c 1 1 1") < counts
        share = counts.to(latent.dtype) / self.channels
        fill = rearrange(self.fill.to(latent.dtype), "c -> c 1 1 1")
        return PrefixFeatures(
            skip=torch.where(there, full, 0),
            inputs=torch.cat([torch.where(there, full, fill), share.expand_as(full[:, :1])], dim=1),
            counts=counts,
            rates=RateGain.weigh(rearrange(share, "b 1 t h w -> b t h w 1")),
        )
