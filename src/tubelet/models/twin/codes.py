"""The numbers of one part of a latent: their units, and what stands for those that are missing."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.nn.prefix import PrefixFeatures, PrefixInput, column
from tubelet.types import Counts, Latent

LEAST = 1e-4
"""A number that never varies is divided by this, not by zero."""


class Codes(nn.Module):
    """Linear numbers of a part as its channels, of zero mean and unit variance, and back.

    Attributes:
        unit: by which linear numbers are divided before networks see them; never changes once fitted.
        mean: of the channels in that unit, before they were standardised.
        deviation: likewise.
        prefix: tells the decoder which channels there are.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("unit", torch.ones(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))
        self.prefix = PrefixInput(channels)
        self.unit: Tensor
        self.mean: Tensor
        self.deviation: Tensor

    def scaled(self, linear: Latent) -> Latent:
        """Linear numbers in the unit of networks."""
        return linear / column(self.unit)

    def linear(self, scaled: Latent) -> Latent:
        """Undo `scaled`."""
        return scaled * column(self.unit)

    def standardised(self, scaled: Latent) -> Latent:
        """Numbers in the unit of networks as channels of a latent."""
        return (scaled - column(self.mean)) / column(self.deviation)

    def shown(self, latent: Latent, counts: Counts | None) -> PrefixFeatures:
        """Undo `standardised` for the channels that there are; the others are zero, the best guess."""
        kept = latent.shape[1]
        known = latent * column(self.deviation[:kept]) + column(self.mean[:kept])
        return self.prefix(known, counts)

    def correction_scale(self) -> Float[Tensor, "c 1 1 1"]:
        """What one of a network's output is worth: the weakest channel in all of them (decision 0015)."""
        return column(self.unit.min() / self.unit)

    def set_unit(self, values: Float[Tensor, "n c"]) -> None:
        """Take the mean and deviation of linear numbers for those of the channels."""
        deviation = values.std(dim=0).clamp_min(LEAST)
        self.unit.copy_(deviation)
        self.mean.copy_(values.mean(dim=0) / deviation)

    def standardise(self, mean: Float[Tensor, " c"], deviation: Float[Tensor, " c"]) -> None:
        """Let channels that turned out to have this mean and deviation have 0 and 1."""
        self.mean.add_(self.deviation * mean)
        self.deviation.mul_(deviation)
