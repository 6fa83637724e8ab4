"""Vector quantisation by index backpropagation: the gradient reaches all entries through a softmax.

The latent is compared with every entry; forward the best one is taken, backward the softmax of all of them is
what was taken. So entries that are not used move as well, and the network learns to choose.

Source: Shi et al. 2024 (arXiv:2412.02692); its losses as in the authors' code.
"""

import torch
from einops import rearrange
from torch import nn

from tubelet.errors import OptionError
from tubelet.quantizers.codebooks import (
    check_codebook,
    check_vectors,
    digits_to_index,
    index_to_digits,
    k_means,
    mean_square,
    normal_codebook,
)
from tubelet.quantizers.digits import Bases, Digits
from tubelet.quantizers.nearest import Indices, most_similar, nearest
from tubelet.quantizers.protocol import Quantized, Vectors
from tubelet.quantizers.soft_choice import softmax_entropy, through_softmax
from tubelet.quantizers.vectors import full_precision, latent_to_rows, rows_to_latent
from tubelet.types import Latent


class IBQ(nn.Module):
    """One token per position, one digit per token: the number of an entry.

    The score of an entry e for a latent z is z·e - |e|² / 2, half the squared distance up to a term that is
    the same for all: so the best entry is the nearest. The paper's score is z·e alone (`by_product`); then an
    entry may score higher for another one than that one does itself, and what a digit stands for need not
    have this digit.

    Args:
        channels: of the latent.
        codes: how many entries there are, two or more.
        commitment: weight of the loss that draws entries to latents; that which draws latents to entries has
            weight 1.
        entropy: weight of the loss that makes each position sure and all of them together even: the mean
            entropy of their softmax less the entropy of the mean; 0 is none, which costs nothing.
        temperature: what scores are divided by in that loss.
        by_product: whether the inner product alone is the score.

    Attributes:
        channels: of the latent.
        bases: `codes`, of the only digit of the only token.
        codebook: the entries; learned.

    Raises:
        OptionError: a number is out of its range.
    """

    def __init__(
        self,
        channels: int,
        codes: int,
        *,
        commitment: float = 0.25,
        entropy: float = 0.0,
        temperature: float = 0.01,
        by_product: bool = False,
    ) -> None:
        super().__init__()
        check_codebook(channels, codes)
        if not commitment >= 0 or not entropy >= 0 or not temperature > 0:
            raise OptionError(
                f"commitment, entropy and temperature are {commitment}, {entropy} and {temperature}; no "
                "weight is negative, and a temperature is positive."
            )
        self.channels = channels
        self.bases: Bases = ((codes,),)
        self.commitment = commitment
        self.entropy = entropy
        self.temperature = temperature
        self.by_product = by_product
        start = normal_codebook(codes, channels, torch.Generator().manual_seed(0))
        self.codebook = nn.Parameter(start)

    def forward(self, latent: Latent) -> Quantized:
        """Quantise in training.

        With q the entry, q' the entry with the gradient through the softmax, z the latent and sg what passes
        no gradient, the loss is |q' - z|² + |sg q - z|² + `commitment` · |q - sg z|², each a mean, and the
        entropy's.
        """
        with full_precision(latent):
            rows = latent_to_rows(latent, self.channels)
            flat = rearrange(rows, "b t h w c -> (b t h w) c")
            index = self._best(flat)
            entries = self.codebook[index]
            value = through_softmax(flat, self.codebook, index, by_product=self.by_product)
            loss = mean_square(value, flat) + mean_square(entries.detach(), flat)
            loss = loss + self.commitment * mean_square(entries, flat.detach())
            if self.entropy:
                loss = loss + self.entropy * softmax_entropy(
                    flat, self.codebook, temperature=self.temperature, by_product=self.by_product
                )
            digits = index_to_digits(index.reshape(rows.shape[:-1]), self.bases)
            return Quantized(rows_to_latent(value.reshape(rows.shape)), digits, loss)

    def quantize(self, latent: Latent) -> Digits:
        """The digits of a latent."""
        with full_precision(latent), torch.no_grad():
            rows = latent_to_rows(latent, self.channels)
            index = self._best(rearrange(rows, "b t h w c -> (b t h w) c"))
            return index_to_digits(index.reshape(rows.shape[:-1]), self.bases)

    def dequantize(self, digits: Digits) -> Latent:
        """The latent that digits stand for; gradients reach the entries."""
        return rows_to_latent(self.codebook[digits_to_index(digits, self.bases)])

    @torch.no_grad()
    def fit(self, vectors: Vectors, *, generator: torch.Generator) -> None:
        """Set the entries by k-means.

        Args:
            vectors: latents, some for each entry.
            generator: draws the start of the means.

        Raises:
            ShapeError: the vectors have another number of channels, or there is none.
            LatentError: they hold NaN or infinity.
        """
        check_vectors(vectors, self.channels)
        (codes,) = self.bases[0]
        self.codebook.copy_(k_means(vectors.to(torch.float32), codes, generator=generator))

    def update(self, latent: Latent, digits: Digits, *, generator: torch.Generator) -> None:
        """Nothing: all that moves moves by gradients."""

    def _best(self, vectors: Vectors) -> Indices:
        return (most_similar if self.by_product else nearest)(vectors, self.codebook)
