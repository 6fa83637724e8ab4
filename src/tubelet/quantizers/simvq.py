"""Vector quantisation with a frozen codebook behind a learned linear map: no entry is left behind.

Where entries move one by one, those that are not used never move. Here all of them are a frozen codebook
times one matrix, so each gradient moves them all.

Source: Zhu et al. 2024 (arXiv:2411.02038).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.errors import OptionError
from tubelet.quantizers.codebooks import (
    check_codebook,
    check_vectors,
    digits_to_index,
    index_to_digits,
    nearest_index,
    normal_codebook,
)
from tubelet.quantizers.digits import Bases, Digits
from tubelet.quantizers.nearest import Codebook, nearest
from tubelet.quantizers.protocol import Quantized, Vectors
from tubelet.quantizers.vectors import full_precision, latent_to_rows, rows_to_latent, straight_through
from tubelet.quantizers.vq import attraction, passed_through
from tubelet.types import Latent

GAINS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
"""What `fit` tries: how much wider than the latents the entries are spread."""

_FITTING_VECTORS = 1 << 14
"""Latents that the gain is chosen on."""


class SimVQ(nn.Module):
    """One token per position, one digit per token: the number of an entry.

    Args:
        channels: of the latent.
        codes: how many entries there are, two or more.
        commitment: weight of the loss that draws latents to their entries; the one that draws entries to
            latents has weight 1.
        rotation: whether gradients pass by `rotated_onto` instead of straight through.

    Attributes:
        channels: of the latent.
        bases: `codes`, of the only digit of the only token.
        frozen: the frozen codebook, drawn from a normal distribution and stored.
        transform: what it is multiplied with; learned.

    Raises:
        OptionError: a number is out of its range.
    """

    def __init__(
        self, channels: int, codes: int, *, commitment: float = 0.25, rotation: bool = False
    ) -> None:
        super().__init__()
        check_codebook(channels, codes)
        if not commitment >= 0:
            raise OptionError(f"commitment is {commitment}; no weight is negative.")
        self.channels = channels
        self.bases: Bases = ((codes,),)
        self.commitment = commitment
        self.rotation = rotation
        start = normal_codebook(codes, channels, torch.Generator().manual_seed(0))
        self.register_buffer("frozen", start)
        self.frozen: Tensor
        self.transform = nn.Parameter(torch.eye(channels))

    def forward(self, latent: Latent) -> Quantized:
        """Quantise in training."""
        with full_precision(latent):
            rows = latent_to_rows(latent, self.channels)
            entries = self.entries()
            index = nearest_index(rows, entries)
            # Only the entries in question need the gradient; their numbers are those of the whole codebook.
            learned = straight_through(entries[index], self.frozen[index] @ self.transform)
            value = passed_through(rows, learned, rotation=self.rotation)
            loss = attraction(rows, learned, commitment=self.commitment, learned=True)
            return Quantized(rows_to_latent(value), index_to_digits(index, self.bases), loss)

    def quantize(self, latent: Latent) -> Digits:
        """The digits of a latent."""
        with full_precision(latent), torch.no_grad():
            rows = latent_to_rows(latent, self.channels)
            return index_to_digits(nearest_index(rows, self.entries()), self.bases)

    def dequantize(self, digits: Digits) -> Latent:
        """The latent that digits stand for; no gradient reaches the map."""
        return rows_to_latent(self.entries()[digits_to_index(digits, self.bases)])

    @torch.no_grad()
    def entries(self) -> Codebook:
        """What latents are compared with, without gradient.

        Summed in float64, which no order of summation shows through, whatever the machine.
        """
        with full_precision(self.frozen):
            return (self.frozen.double() @ self.transform.double()).float()

    @torch.no_grad()
    def fit(self, vectors: Vectors, *, generator: torch.Generator) -> None:
        """Draw a new frozen codebook, and spread the entries as the vectors are.

        Entries get the covariance of the vectors times the square of a gain, the one of `GAINS` with the
        least squared error: few entries must keep to the middle.

        Args:
            vectors: latents of zero mean.
            generator: draws the codebook.

        Raises:
            ShapeError: the vectors have another number of channels, or there is none.
            LatentError: they hold NaN or infinity.
        """
        check_vectors(vectors, self.channels)
        (codes,) = self.bases[0]
        self.frozen.copy_(normal_codebook(codes, self.channels, generator))
        vectors = vectors.to(torch.float32)
        root = _square_root(vectors)
        some = vectors[:: -(-len(vectors) // _FITTING_VECTORS)]
        least = torch.inf
        kept = root
        for gain in GAINS:
            self.transform.copy_(gain * root)
            entries = self.entries()
            error = float((some - entries[nearest(some, entries)]).square().mean())
            if error < least:
                least, kept = error, gain * root
        self.transform.copy_(kept)

    def update(self, latent: Latent, digits: Digits, *, generator: torch.Generator) -> None:
        """Nothing: all that moves moves by gradients."""


def _square_root(vectors: Vectors) -> Float[Tensor, "c c"]:
    """The symmetric root of the covariance; channels that never vary keep a little."""
    centred = vectors.double() - vectors.double().mean(dim=0)
    values, axes = torch.linalg.eigh(centred.t() @ centred / len(vectors))
    widest = values.amax().clamp(min=torch.finfo(torch.float32).tiny)
    return ((axes * values.clamp(min=1e-6 * widest).sqrt()) @ axes.t()).float()
