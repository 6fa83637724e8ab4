"""Binary spherical quantisation: a position becomes the corner of a cube nearest to its direction.

Source: Zhao et al. 2024 (arXiv:2406.07548), section 4. Being on the sphere, no value can run away from the
corners, so no loss has to hold it there; entropies keep all codes in use, as those of `LFQ` do.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tubelet.quantizers.codebooks import check_vectors
from tubelet.quantizers.digits import Bases, Digits, check_digits
from tubelet.quantizers.lfq import (
    Entropies,
    bits_to_rows,
    check_binary,
    entropies_of,
    mean_magnitude,
    rows_to_bits,
)
from tubelet.quantizers.protocol import Quantized, Vectors
from tubelet.quantizers.vectors import Rows, full_precision, latent_to_rows, rows_to_latent, straight_through
from tubelet.types import Latent

SHORTEST = 1e-3
"""Positions shorter than this, in units of the latent, are divided by this: a zero has no direction."""


class BSQ(nn.Module):
    """One token per position; its digits are the signs of the channels, the first one counting least.

    Args:
        bits: how many channels there are, so that a token has 2 to this power values.
        entropy_weight: weight of both entropies in the loss.
        diversity: weight of the entropy of the codebook within that, which is to be large.
        temperature: of the soft choice of a corner, as of `LFQ`; on the unit sphere a channel is about
            1 / √bits, and so is the distance of a corner along it.
        group: bits whose codes are counted together; of more bits, the codebook's entropy is an upper bound.

    Attributes:
        channels: `bits`.
        bases: 2 for each bit of the only token.
        scale: radius of the sphere: 1, or what `fit` found; near √bits for a latent of unit variance.

    Raises:
        OptionError: a number is out of its range.
    """

    def __init__(
        self,
        bits: int,
        *,
        entropy_weight: float = 0.1,
        diversity: float = 1.0,
        temperature: float = 0.01,
        group: int = 9,
    ) -> None:
        super().__init__()
        check_binary(bits, temperature=temperature, group=group, weights=(entropy_weight, diversity))
        self.channels = bits
        self.bases: Bases = ((2,) * bits,)
        self.entropy_weight = entropy_weight
        self.diversity = diversity
        self.temperature = temperature
        self.group = group
        self.register_buffer("scale", torch.ones(()))
        self.scale: Tensor

    def forward(self, latent: Latent) -> Quantized:
        """Quantise in training: the gradient is that of the projection to the sphere of radius `scale`."""
        with full_precision(latent):
            rows = latent_to_rows(latent, self.channels)
            digits = rows_to_bits(rows)
            directions = F.normalize(rows, dim=-1, eps=SHORTEST)
            value = straight_through(bits_to_rows(digits, self.magnitude()), directions * self.scale)
            loss = rows.new_zeros(())
            if rows.numel():
                found = self.entropies(directions)
                loss = self.entropy_weight * (found.choice - self.diversity * found.codebook)
        return Quantized(rows_to_latent(value), digits, loss)

    def quantize(self, latent: Latent) -> Digits:
        """The digits of a latent; that of zero is 0."""
        with full_precision(latent), torch.no_grad():
            return rows_to_bits(latent_to_rows(latent, self.channels))

    def dequantize(self, digits: Digits) -> Latent:
        """The latent that digits stand for."""
        check_digits(digits, self.bases)
        return rows_to_latent(bits_to_rows(digits, self.magnitude()))

    def entropies(self, directions: Rows) -> Entropies:
        """Of the soft choice among corners of the unit sphere, p ∝ exp(-|u - corner|² / temperature)."""
        return entropies_of(
            directions * (4 / (math.sqrt(self.channels) * self.temperature)), group=self.group
        )

    @torch.no_grad()
    def fit(self, vectors: Vectors, *, generator: torch.Generator) -> None:
        """Set `scale` so that corners have the mean magnitude of the latent: the least squared error.

        Args:
            vectors: latents of zero mean and unit variance.
            generator: not used.

        Raises:
            ShapeError: the vectors have another number of channels, or there is none.
            LatentError: they hold NaN or infinity.
        """
        check_vectors(vectors, self.channels)
        self.scale.copy_(mean_magnitude(vectors) * math.sqrt(self.channels))

    def update(self, latent: Latent, digits: Digits, *, generator: torch.Generator) -> None:
        """Nothing: all that moves moves by gradients."""

    def magnitude(self) -> Tensor:
        """What a bit stands for, up to its sign: corners of a cube on the sphere of radius `scale`."""
        return self.scale / math.sqrt(self.channels)
