"""Which leading channels of a latent are there, as a decoder's network is told."""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.nn.blocks import RateGain, Rates
from tubelet.types import Counts, Latent


def column(values: Shaped[Tensor, " c"]) -> Shaped[Tensor, "c 1 1 1"]:
    """One value per channel, ready to meet a latent."""
    return rearrange(values, "c -> c 1 1 1")


def masked(latent: Latent, counts: Counts | None) -> Latent:
    """A latent whose missing channels are zero, the best guess of a linear decoder.

    Args:
        latent: the first channels.
        counts: how many of them each position has; none if every position has all.
    """
    if counts is None:
        return latent
    return torch.where(column(torch.arange(latent.shape[1], device=latent.device)) < counts, latent, 0)


class PrefixFeatures(NamedTuple):
    """A latent of any number of leading channels, written out for a network.

    Attributes:
        skip: all channels, zero where one is missing: its mean, the best guess of a linear decoder.
        inputs: all channels, the learned fill where one is missing, and the share of channels that are there.
        counts: how many channels are there, with sides of 1 where that stands for all positions.
        rates: that share as weights of the knots of `RateGain`.
        ahead: which positions are to come, with sides of 1 as those of `counts`; none for a network that has
            not learnt to predict.
    """

    skip: Float[Tensor, "b c t h w"]
    inputs: Float[Tensor, "b d t h w"]
    counts: Int[Tensor, "_ 1 _ _ _"]
    rates: Rates
    ahead: Bool[Tensor, "_ 1 _ _ _"] | None


class PrefixInput(nn.Module):
    """Fill up the missing channels of a latent, and say how many were there.

    A position that is to come has a count below zero, -n for the n-th step after the last that is known, and
    a latent that is a first guess at it. To that is added what was learnt for that step.

    Args:
        channels: of a full latent.
        ahead: how many steps to come have a padding of their own; those after them have that of the last.

    Attributes:
        fill: what stands for a missing channel; learned, zero at first.
        padding: what is added to each channel of each step to come; learned, zero at first.
    """

    def __init__(self, channels: int, *, ahead: int = 0) -> None:
        super().__init__()
        self.channels = channels
        self.ahead = ahead
        self.fill = nn.Parameter(torch.zeros(channels))
        if ahead:
            self.padding = nn.Parameter(torch.zeros(ahead, channels))

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
        to_come = counts < 0
        padded = self._padded(full, counts) if self.ahead else full
        counts = torch.where(to_come, known, counts.clamp(0, known)) if self.ahead else counts.clamp(0, known)
        there = column(torch.arange(self.channels, device=latent.device)) < counts
        share = counts.to(latent.dtype) / self.channels
        fill = column(self.fill.to(latent.dtype))
        rates = RateGain.weigh(rearrange(share, "b 1 t h w -> b t h w 1"))
        return PrefixFeatures(
            skip=torch.where(there, full, 0),
            inputs=torch.cat([torch.where(there, padded, fill), share.expand_as(full[:, :1])], dim=1),
            counts=counts,
            rates=_with_ahead(rates, to_come) if self.ahead else rates,
            ahead=to_come if self.ahead else None,
        )

    def _padded(self, full: Float[Tensor, "b c t h w"], counts: Counts) -> Float[Tensor, "b c t h w"]:
        """A latent with the padding of every position that is to come."""
        of_step = F.pad(self.padding.to(full.dtype), (0, 0, 1, 0))
        index = (-counts).clamp(0, self.ahead)
        return full + rearrange(of_step[index], "b 1 t h w c -> b c t h w")


def _with_ahead(rates: Rates, to_come: Bool[Tensor, "_ 1 _ _ _"]) -> Float[Tensor, "_ _ _ _ _"]:
    """The weights of the gains, and that of steps to come, which have it alone."""
    own = rearrange(to_come, "b 1 t h w -> b t h w 1").to(rates.dtype)
    return torch.cat([rates * (1 - own), own], dim=-1)
