"""Finite scalar quantisation: each channel is bounded and rounded to one of a few levels; no codebook.

Source: Mentzer et al. 2023 (arXiv:2309.15505), section 3.1. `FSQ` without `fit` is that method number by
number. `fit` turns it towards data: a gain per channel before the bound, and values for the levels that are
the means of what is rounded to them, so that it quantises a latent of unit variance well before any training.
"""

import math
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from tubelet.errors import OptionError
from tubelet.quantizers.codebooks import check_vectors
from tubelet.quantizers.digits import Bases, Digits, check_digits, digits_kind
from tubelet.quantizers.evenness import pair_unevenness
from tubelet.quantizers.protocol import Quantized, Vectors
from tubelet.quantizers.vectors import Rows, full_precision, latent_to_rows, rows_to_latent, straight_through
from tubelet.types import Latent

EPSILON = 1e-3
"""How much wider than the outermost levels the bound is, so that a channel can reach them."""

GAINS = tuple(float(gain) for gain in np.linspace(0.1, 1.5, 57))
"""What `fit` tries; a channel has unit variance, so it is bounded at about 1 / gain deviations."""

_ENOUGH = 1 << 14
"""Vectors that a gain is chosen on; the values of the levels are the means of all."""

PUBLISHED = {
    1 << 8: (8, 6, 5),
    1 << 10: (8, 5, 5, 5),
    1 << 12: (7, 5, 5, 5, 5),
    1 << 14: (8, 8, 8, 6, 5),
    1 << 16: (8, 8, 8, 5, 5, 5),
}
"""Levels of the paper for about so many values of a token (its table in section 4.1)."""


class Bounds(NamedTuple):
    """What `FSQ` computes digits with; a number for each channel.

    Attributes:
        half: half of what a channel is bounded to.
        offset: what is taken from it, so that an even number of levels has none at zero.
        shift: what is added before it is bounded.
        middle: the digit of zero.
        most: the last digit.
        starts: where the values of the channel begin among all `values`.
    """

    half: Float[Tensor, " c"]
    offset: Float[Tensor, " c"]
    shift: Float[Tensor, " c"]
    middle: Int[Tensor, " c"]
    most: Int[Tensor, " c"]
    starts: Int[Tensor, " c"]


class FSQ(nn.Module):
    """One digit per channel; one token per position, or several that share the channels evenly.

    Args:
        levels: how many values each channel has, three or more.
        tokens: how many tokens a position has: the first takes the first channels, and so on.
        entropy_weight: weight of `pair_unevenness` in the loss; the paper has none.

    Attributes:
        channels: of the latent, one for each of `levels`.
        bases: `levels`, by token.
        gain: what each channel is multiplied with before it is bounded.
        values: what each level of each channel stands for, one channel after the other; learned.

    Raises:
        OptionError: a channel would have fewer than three levels; with two, the bound of the paper gives
            nearly everything the same one. Or the channels do not split evenly, or the weight is negative.
    """

    def __init__(self, levels: tuple[int, ...], *, tokens: int = 1, entropy_weight: float = 0.0) -> None:
        super().__init__()
        if not levels or min(levels) < 3:
            raise OptionError(f"levels are {levels}; each channel needs three or more. Use LFQ for two.")
        if tokens < 1 or len(levels) % tokens:
            raise OptionError(f"levels are {levels} for {tokens} tokens; each token takes equally many.")
        if not 0 <= entropy_weight < math.inf:
            raise OptionError(f"entropy_weight is {entropy_weight}; it is zero or more.")
        self.channels = len(levels)
        self.levels = tuple(levels)
        self.entropy_weight = entropy_weight
        share = len(levels) // tokens
        self.bases: Bases = tuple(self.levels[at : at + share] for at in range(0, len(levels), share))
        half = [(each - 1) * (1 + EPSILON) / 2 for each in levels]
        offset = [0.0 if each % 2 else 0.5 for each in levels]
        self.register_buffer("_half", torch.tensor(half, dtype=torch.float32), persistent=False)
        self.register_buffer("_offset", torch.tensor(offset, dtype=torch.float32), persistent=False)
        shift = [math.atanh(o / h) for o, h in zip(offset, half, strict=True)]
        self.register_buffer("_shift", torch.tensor(shift, dtype=torch.float32), persistent=False)
        self.register_buffer("_middle", torch.tensor([each // 2 for each in levels]), persistent=False)
        self.register_buffer("_most", torch.tensor([each - 1 for each in levels]), persistent=False)
        starts = list(accumulate(levels, initial=0))
        self.register_buffer("_starts", torch.tensor(starts[:-1]), persistent=False)
        self._half: Tensor
        self._offset: Tensor
        self._shift: Tensor
        self._middle: Tensor
        self._most: Tensor
        self._starts: Tensor
        self.register_buffer("gain", torch.ones(len(levels)))
        self.register_buffer("slope", torch.ones(len(levels)))
        self.gain: Tensor
        self.slope: Tensor
        usual = [(digit - each // 2) / (each // 2) for each in levels for digit in range(each)]
        self.values = nn.Parameter(torch.tensor(usual))

    def bounds(self) -> Bounds:
        """What it computes digits with, beside `gain` and `values`."""
        return Bounds(self._half, self._offset, self._shift, self._middle, self._most, self._starts)

    def forward(self, latent: Latent) -> Quantized:
        """Quantise in training: the gradient is that of the bound, which fades where a channel saturates."""
        with full_precision(latent):
            rows = latent_to_rows(latent, self.channels)
            bounded = self._bound(rows)
            digits = self._round(bounded)
            surrogate = self.slope * bounded / self._middle
            value = straight_through(self._values_of(digits), surrogate)
            loss = value.new_zeros(())
            if self.entropy_weight and rows.numel():
                loss = self.entropy_weight * pair_unevenness(bounded, self.levels)
        return Quantized(rows_to_latent(value), self._pack(digits), loss)

    def quantize(self, latent: Latent) -> Digits:
        """The digits of a latent."""
        with full_precision(latent), torch.no_grad():
            return self._pack(self._round(self._bound(latent_to_rows(latent, self.channels))))

    def dequantize(self, digits: Digits) -> Latent:
        """The latent that digits stand for."""
        check_digits(digits, self.bases)
        return rows_to_latent(self._values_of(rearrange(digits, "b d t h w -> b t h w d").long()))

    @torch.no_grad()
    def fit(self, vectors: Vectors, *, generator: torch.Generator) -> None:
        """Choose each channel's gain and the values of its levels for the least squared error.

        Args:
            vectors: latents of zero mean and unit variance, in any order but sorted.
            generator: not used.

        Raises:
            ShapeError: they have another number of channels, or there is none.
            LatentError: they hold NaN or infinity.
        """
        check_vectors(vectors, self.channels)
        best, kept = torch.full_like(self.gain, torch.inf), self.gain.clone()
        some = vectors[:_ENOUGH]
        for gain in GAINS:
            self.gain.fill_(gain)
            error = (some - self._means(some)[1]).square().mean(dim=0)
            kept = torch.where(error < best, gain, kept)
            best = torch.minimum(error, best)
        self.gain.copy_(kept)
        self.values.copy_(self._means(vectors)[0])
        # Near zero a step of the latent is a step of what it is rounded to.
        self.slope.copy_(self._middle / (self._half * self.gain))

    def update(self, latent: Latent, digits: Digits, *, generator: torch.Generator) -> None:
        """Nothing: all that moves moves by gradients."""

    def _bound(self, rows: Rows) -> Rows:
        """Into the open range of the levels; even numbers of levels have none at zero."""
        return torch.tanh(rows * self.gain + self._shift) * self._half - self._offset

    def _round(self, bounded: Rows) -> Int[Tensor, "b t h w c"]:
        digits = bounded.detach().round().long() + self._middle
        return digits.clamp(torch.zeros_like(self._most), self._most)

    def _values_of(self, digits: Int[Tensor, "b t h w c"]) -> Rows:
        return self.values[digits + self._starts]

    def _pack(self, digits: Int[Tensor, "b t h w c"]) -> Digits:
        return rearrange(digits, "b t h w d -> b d t h w").to(digits_kind(self.bases))

    def _means(self, vectors: Vectors) -> tuple[Float[Tensor, " v"], Vectors]:
        """The mean of what is rounded to each level, its usual value where nothing is; and each row's."""
        rows = rearrange(vectors, "n c -> n 1 1 1 c")
        places = rearrange(self._round(self._bound(rows)), "n 1 1 1 c -> n c") + self._starts
        sums, counts = torch.zeros_like(self.values), torch.zeros_like(self.values)
        sums.index_add_(0, places.flatten(), vectors.flatten())
        counts.index_add_(0, places.flatten(), torch.ones_like(vectors).flatten())
        # Where nothing falls, what would be rounded to the level stands for it.
        middles = self._unbound()
        means = torch.where(counts > 0, sums / counts.clamp(min=1), middles)
        return means, means[places]

    def _unbound(self) -> Float[Tensor, " v"]:
        """What each level of each channel is before it is bounded."""
        result = []
        for channel, count in enumerate(self.levels):
            level = torch.arange(count, device=self.gain.device) - self._middle[channel]
            inner = (level + self._offset[channel]) / self._half[channel]
            result.append((torch.atanh(inner) - self._shift[channel]) / self.gain[channel])
        return torch.cat(result)


def allot_levels(strengths: tuple[float, ...], codebook_size: int) -> tuple[int, ...]:
    """Share a codebook among channels by their variance: reverse water-filling in whole levels.

    A channel of standard deviation s at L levels has an error of about (s / L)² in units of the pixels.
    Levels are given one by one to the channel that gains most for each factor it costs, while they fit.

    Source: Cover & Thomas, Elements of Information Theory, section 10.3.3, for whole numbers of levels.

    Args:
        strengths: standard deviation of each channel, in one unit, the largest first.
        codebook_size: how many values a token may have, at most.

    Returns:
        Levels of the leading channels that have three or more.

    Raises:
        OptionError: the codebook has fewer than three values, or a strength is not positive.
    """
    if codebook_size < 3 or not strengths or min(strengths) <= 0:
        raise OptionError(
            f"codebook_size is {codebook_size} and strengths {strengths}; a codebook has three or more "
            "values and strengths are positive."
        )
    levels = [1] * len(strengths)

    def gain(index: int) -> float:
        now, then = levels[index], _next(levels[index])
        return strengths[index] ** 2 * (now**-2 - then**-2) / math.log(then / now)

    while True:
        size = math.prod(levels)
        fits = [index for index, now in enumerate(levels) if size // now * _next(now) <= codebook_size]
        if not fits:
            return tuple(each for each in levels if each > 1)
        best = max(fits, key=gain)
        levels[best] = _next(levels[best])


def _next(levels: int) -> int:
    """How many a channel may have next: FSQ has no two."""
    return 3 if levels == 1 else levels + 1
