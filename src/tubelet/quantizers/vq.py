"""Vector quantisation: a position is the nearest entry of a codebook that follows the latents.

Source: van den Oord et al. 2017 (arXiv:1711.00937), section 3.2 for the losses and appendix A.1 for averages;
Razavi et al. 2019 (arXiv:1906.00446). Unused entries are the known trouble: of 2¹⁸ plain ones, a
network that was trained from noise uses a few in a thousand, which `fit` and `restart_below` are against.
"""

from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.errors import OptionError
from tubelet.quantizers.codebooks import (
    as_in_the_first_process,
    check_codebook,
    check_vectors,
    digits_to_index,
    drawn_from_all,
    drawn_places,
    index_to_digits,
    k_means,
    mean_square,
    nearest_index,
    normal_codebook,
    sum_over_processes,
)
from tubelet.quantizers.digits import Bases, Digits
from tubelet.quantizers.nearest import Codebook, Indices, nearest
from tubelet.quantizers.protocol import Quantized, Vectors
from tubelet.quantizers.rotation import rotated_onto, unit
from tubelet.quantizers.vectors import Rows, full_precision, latent_to_rows, rows_to_latent, straight_through
from tubelet.types import Latent

SMOOTHING = 1e-5
"""Added to every entry's count (Laplace)."""

LEAST_COUNT = 1e-3
"""An entry with a smaller average count stays: smoothing would draw all unused ones to zero."""

Start = Literal["k-means", "small"]
"""Where `VQ.fit` puts the entries: at the means of what they stand for, or evenly within ±1 / codes of zero,
as many published codes do, after which few entries are ever the nearest."""


class VQ(nn.Module):
    """One token per position, one digit per token: the number of an entry.

    Args:
        channels: of the latent.
        codes: how many entries there are, two or more.
        decay: how much of the averages of an entry is left after an `update`.
        restart_below: an entry whose average count is less than this share of the mean count moves, in an
            `update`, to a vector of the batch; 0 leaves all where they are.
        commitment: weight of the loss that draws latents to their entries.
        cosine: whether only the direction of a latent counts: it and the entries are scaled to length one,
            and what a digit stands for is of length `radius` (Yu et al. 2022, arXiv:2110.04627).
        rotation: whether gradients pass by `rotated_onto` instead of straight through.
        learned: whether entries move by the gradient of a loss instead of by averages.
        start: where `fit` puts the entries.

    Attributes:
        channels: of the latent.
        bases: `codes`, of the only digit of the only token.
        codebook: the entries, whose length does not count if only directions do; a parameter if `learned`.
        counts: average number of vectors of a batch that fell to each entry.
        sums: average sum of these vectors.
        radius: with `cosine`, the length of what a digit stands for: 1, or what fits best.

    Raises:
        OptionError: a number is out of its range.
    """

    def __init__(  # noqa: PLR0913  each is a choice that papers differ in
        self,
        channels: int,
        codes: int,
        *,
        decay: float = 0.99,
        restart_below: float = 0.0,
        commitment: float = 0.25,
        cosine: bool = False,
        rotation: bool = False,
        learned: bool = False,
        start: Start = "k-means",
    ) -> None:
        super().__init__()
        check_codebook(channels, codes)
        if not 0 <= decay < 1 or not 0 <= restart_below < 1 or not commitment >= 0:
            raise OptionError(
                f"decay, restart_below and commitment are {decay}, {restart_below} and {commitment}; the "
                "first two lie in [0, 1), and no weight is negative."
            )
        self.channels = channels
        self.bases: Bases = ((codes,),)
        self.decay = decay
        self.restart_below = restart_below
        self.commitment = commitment
        self.cosine = cosine
        self.rotation = rotation
        self.learned = learned
        self.start: Start = start
        unfitted = normal_codebook(codes, channels, torch.Generator().manual_seed(0))
        self.codebook: Tensor
        if learned:
            self.codebook = nn.Parameter(unfitted)
        else:
            self.register_buffer("codebook", unfitted)
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("sums", unfitted.clone())
        self.register_buffer("radius", torch.ones(()))
        self.counts: Tensor
        self.sums: Tensor
        self.radius: Tensor

    def forward(self, latent: Latent) -> Quantized:
        """Quantise in training.

        The loss is `commitment` times the mean squared distance to the entries, plus that distance itself if
        `learned`, each drawing one side only.
        """
        with full_precision(latent):
            rows = self._rows(latent)
            codebook = self.entries()
            index = nearest_index(rows, codebook)
            entries = codebook[index]
            value = passed_through(rows, entries, rotation=self.rotation)
            loss = attraction(rows, entries, commitment=self.commitment, learned=self.learned)
            return Quantized(rows_to_latent(value * self.radius), index_to_digits(index, self.bases), loss)

    def quantize(self, latent: Latent) -> Digits:
        """The digits of a latent."""
        with full_precision(latent), torch.no_grad():
            return index_to_digits(nearest_index(self._rows(latent), self.entries()), self.bases)

    def dequantize(self, digits: Digits) -> Latent:
        """The latent that digits stand for; gradients reach the entries."""
        index = digits_to_index(digits, self.bases)
        return rows_to_latent(self.entries()[index] * self.radius)

    @torch.no_grad()
    def fit(self, vectors: Vectors, *, generator: torch.Generator) -> None:
        """Set the entries where `start` says.

        Args:
            vectors: latents, some for each entry.
            generator: draws the start of the means, or the entries.

        Raises:
            ShapeError: the vectors have another number of channels, or there is none.
            LatentError: they hold NaN or infinity.
        """
        check_vectors(vectors, self.channels)
        vectors = vectors.to(torch.float32)
        rows = unit(vectors) if self.cosine else vectors
        (codes,) = self.bases[0]
        if self.start == "small":
            self.codebook.uniform_(-1 / codes, 1 / codes, generator=generator)
        else:
            self.codebook.copy_(k_means(rows, codes, generator=generator, on_sphere=self.cosine))
        entries = self.entries()
        index = nearest(rows, entries)
        # In the mean 1. An entry that nothing falls to is dead from the start, not after hundreds of updates.
        self.counts.copy_(index.bincount(minlength=codes) * (codes / len(index)))
        self.sums.copy_(self.codebook * rearrange(self.counts, "k -> k 1"))
        if self.cosine:
            self.radius.copy_((vectors * entries[index]).sum(dim=1).mean())

    @torch.no_grad()
    def update(self, latent: Latent, digits: Digits, *, generator: torch.Generator) -> None:
        """Move each entry to the average of the vectors that fell to it, and dead entries to new places.

        Processes that train together add up what fell to an entry, and stay alike.

        Args:
            latent: of the batch.
            digits: what `forward` gave for it.
            generator: draws new places.

        Raises:
            TokenError: a digit is outside its base.
        """
        with full_precision(latent):
            rows = rearrange(self._rows(latent), "b t h w c -> (b t h w) c")
            index = digits_to_index(digits, self.bases).flatten()
            self._average(rows, index)
            if self.restart_below:
                self._restart(rows, generator)

    def entries(self) -> Codebook:
        """What latents are compared with; gradients reach the codebook if it is learned."""
        return unit(self.codebook) if self.cosine else self.codebook

    def _average(self, rows: Vectors, index: Indices) -> None:
        """Follow the batch with the averages, and with the entries unless they are learned."""
        counts = sum_over_processes(index.bincount(minlength=len(self.counts)).to(self.counts))
        sums = sum_over_processes(torch.zeros_like(self.sums).index_add_(0, index, rows))
        if not counts.any():
            return
        self.counts.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        if not self.learned:
            means = self.sums / rearrange(_smoothed(self.counts), "k -> k 1")
            alive = rearrange(self.counts >= LEAST_COUNT, "k -> k 1")
            self.codebook.copy_(torch.where(alive, means, self.codebook))

    def _restart(self, rows: Vectors, generator: torch.Generator) -> None:
        """Put dead entries where vectors of the batch are, with the mean count, so that they live a while."""
        share = self.counts.mean()
        dead = (self.counts < self.restart_below * share).nonzero()[:, 0]
        if not len(dead):
            return
        fresh = drawn_from_all(rows, len(dead), generator)
        order = drawn_places(len(dead), len(fresh), generator).to(dead.device)
        dead = dead[as_in_the_first_process(order)]
        self.codebook[dead] = fresh
        self.sums[dead] = fresh * share
        self.counts[dead] = share

    def _rows(self, latent: Latent) -> Rows:
        rows = latent_to_rows(latent, self.channels)
        return unit(rows) if self.cosine else rows


def passed_through(rows: Rows, entries: Rows, *, rotation: bool) -> Rows:
    """The entries, whose gradient goes to the latent they stand for and not to them."""
    return rotated_onto(entries, rows) if rotation else straight_through(entries.detach(), rows)


def attraction(
    rows: Rows,
    entries: Rows,
    *,
    commitment: float,
    learned: bool,
    clips: Float[Tensor, " b"] | None = None,
) -> Float[Tensor, ""]:
    """The loss that draws latents to entries, times `commitment`, and entries to latents if they learn.

    Args:
        rows: latents.
        entries: what stands for them.
        commitment: weight of the one side.
        learned: whether there is the other side.
        clips: weight of each clip; 1 if not given.
    """
    loss = commitment * mean_square(rows, entries.detach(), clips)
    return loss + mean_square(rows.detach(), entries, clips) if learned else loss


def _smoothed(counts: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
    """The same sum, with something for everyone."""
    total = counts.sum()
    return (counts + SMOOTHING) / (total + len(counts) * SMOOTHING) * total
