"""What the symbols of a latent take in a file, about: an estimate with gradients, learned with the tokenizer.

It stands in for the prior of files, whose indices have none (`tubelet.priors`). Each value is expected to be
a share of what it was a step before, with a logistic error; shares and scales are learned, for each channel.
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.nn.prefix import column
from tubelet.types import Counts, Latent

_FAST = 10.0
"""How much faster than other weights shares and scales move: they begin far from their place."""

_FIRST_SCALE = -0.6
"""Logarithm of the scale at first: that of a logistic distribution of unit variance."""

_LOG_2 = 0.6931471805599453


class RateModel(nn.Module):
    """Bits of a rounded latent, from the latent with even noise as wide as the steps (Ballé et al. 2017).

    Args:
        channels: of the latent.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(channels))
        """Of the step before that is expected again; 0 stands for a half."""
        self.scale = nn.Parameter(torch.zeros(2, channels))
        """Of the error in the first step of a clip, and in all others; 0 stands for unit variance."""

    def forward(self, noisy: Latent, steps: Float[Tensor, "b c"], counts: Counts) -> Float[Tensor, " b"]:
        """Bits of each clip, of the channels that each position has.

        Args:
            noisy: the latent, with noise that is even over a step.
            steps: of the quantiser, positive.
            counts: how many leading channels each position has.
        """
        wide = rearrange(steps, "b c -> b c 1 1 1")
        share = column(torch.sigmoid(_FAST * self.share))
        expected = F.pad(share * noisy[:, :, :-1], (0, 0, 0, 0, 1, 0))
        scale = rearrange(torch.exp(_FIRST_SCALE + _FAST * self.scale), "k c -> k c 1 1 1")
        later = torch.arange(noisy.shape[2], device=noisy.device).clamp_max(1)
        scale = rearrange(scale[later], "t c 1 1 1 -> c t 1 1")
        # Both ends on the side of zero where the logistic function is small: there differences are exact.
        middle = -(noisy - expected).abs() / scale
        half = wide / 2 / scale
        # sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - exp(b - a))
        likely = (
            F.logsigmoid(middle + half) + F.logsigmoid(half - middle) + torch.log(-torch.expm1(-2 * half))
        )
        channel = column(torch.arange(noisy.shape[1], device=noisy.device))
        stored = (channel < counts).to(likely.dtype)
        return -(likely * stored).sum(dim=(1, 2, 3, 4)) / _LOG_2
