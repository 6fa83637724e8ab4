"""Lookup-free quantisation: each channel is a bit, its sign, and a penalty on entropies keeps codes in use.

Source: Yu et al. 2023 (arXiv:2310.05737), section 3.1. With logits x of the bits, a code's probability in the
soft choice at a position is a product: of sigmoid(x) for each bit that is 1, and sigmoid(-x) for each other
one. That is the softmax over all 2ᵈ codes by their distance, without these being written out: the bits are
independent at a position, so the entropy of the choice is the sum of theirs, exactly. The mean of the choices
over positions is not such a product; but that of two groups of bits is a matrix product of what the groups
have alone, so it takes 2ᵈ numbers once and only some 2·2^(d/2) for each position.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tubelet.errors import OptionError
from tubelet.quantizers.codebooks import check_vectors
from tubelet.quantizers.digits import Bases, Digits, check_digits, digits_kind
from tubelet.quantizers.protocol import Quantized, Vectors
from tubelet.quantizers.vectors import Rows, full_precision, latent_to_rows, rows_to_latent, straight_through
from tubelet.types import Latent

MOST_BITS_COUNTED = 20
"""Of a group: the mean choice among its codes is 4 MiB."""

CHUNK_BYTES = 16 * 2**20
"""Choices of positions within half a group of bits that exist at a time, or those of one position."""

SMALLEST_SCALE = 1e-6
"""Of fitted values: at zero both would be the same."""

Bits = Float[Tensor, "n d"]
"""Logits of d bits at n positions: a bit is 1 with probability sigmoid(x)."""


class Entropies(NamedTuple):
    """In nats.

    Attributes:
        choice: of the soft choice of a code at a position, the mean over positions; 0 if all are certain.
        codebook: of the mean soft choice; the logarithm of the number of codes if all are used evenly.
    """

    choice: Float[Tensor, ""]
    codebook: Float[Tensor, ""]


class LFQ(nn.Module):
    """One token per position; its digits are the signs of the channels, the first one counting least.

    Args:
        bits: how many channels there are, so that a token has 2 to this power values.
        entropy_weight: weight of both entropies in the loss.
        diversity: weight of the entropy of the codebook within that, which is to be large.
        commitment: weight of the mean squared distance of the latent from its values, which draws the latent.
        temperature: of the soft choice: the lower it is, the nearer to zero lie the values that are uncertain
            of their sign, the ones that the entropies move.
        group: bits whose codes are counted together; of more bits, `codebook_entropy` is a bound.

    Attributes:
        channels: `bits`.
        bases: 2 for each bit of the only token.
        scale: the magnitude of what a bit stands for: 1, or what `fit` found.

    Raises:
        OptionError: a number is out of its range.
    """

    def __init__(
        self,
        bits: int,
        *,
        entropy_weight: float = 0.1,
        diversity: float = 1.0,
        commitment: float = 0.25,
        temperature: float = 0.01,
        group: int = 18,
    ) -> None:
        super().__init__()
        check_binary(
            bits, temperature=temperature, group=group, weights=(entropy_weight, diversity, commitment)
        )
        self.channels = bits
        self.bases: Bases = ((2,) * bits,)
        self.entropy_weight = entropy_weight
        self.diversity = diversity
        self.commitment = commitment
        self.temperature = temperature
        self.group = group
        self.register_buffer("scale", torch.ones(()))
        self.scale: Tensor

    def forward(self, latent: Latent) -> Quantized:
        """Quantise in training: the gradient passes unchanged, and the loss adds its own."""
        with full_precision(latent):
            rows = latent_to_rows(latent, self.channels)
            digits = rows_to_bits(rows)
            value = bits_to_rows(digits, self.scale)
            loss = rows.new_zeros(())
            if rows.numel():
                found = self.entropies(rows)
                loss = self.entropy_weight * (found.choice - self.diversity * found.codebook)
                loss = loss + self.commitment * F.mse_loss(rows, value)
        return Quantized(rows_to_latent(straight_through(value, rows)), digits, loss)

    def quantize(self, latent: Latent) -> Digits:
        """The digits of a latent; that of zero is 0."""
        with full_precision(latent), torch.no_grad():
            return rows_to_bits(latent_to_rows(latent, self.channels))

    def dequantize(self, digits: Digits) -> Latent:
        """The latent that digits stand for."""
        check_digits(digits, self.bases)
        return rows_to_latent(bits_to_rows(digits, self.scale))

    def entropies(self, rows: Rows) -> Entropies:
        """Of the soft choice among codes by their distance, p ∝ exp(-|z - code|² / temperature)."""
        return entropies_of(rows * (4 * self.scale / self.temperature), group=self.group)

    @torch.no_grad()
    def fit(self, vectors: Vectors, *, generator: torch.Generator) -> None:
        """Set `scale` to the mean magnitude: of all values, those with the least squared error.

        Args:
            vectors: latents of zero mean and unit variance.
            generator: not used.

        Raises:
            ShapeError: the vectors have another number of channels, or there is none.
            LatentError: they hold NaN or infinity.
        """
        check_vectors(vectors, self.channels)
        self.scale.copy_(mean_magnitude(vectors))

    def update(self, latent: Latent, digits: Digits, *, generator: torch.Generator) -> None:
        """Nothing: all that moves moves by gradients."""


def check_binary(bits: int, *, temperature: float, group: int, weights: tuple[float, ...]) -> None:
    """Raise unless a quantiser to signs can have these numbers.

    Raises:
        OptionError: one is out of its range.
    """
    if bits < 1 or not 1 <= group <= MOST_BITS_COUNTED:
        raise OptionError(
            f"bits are {bits} in groups of {group}; there must be one or more, in groups of 1 to "
            f"{MOST_BITS_COUNTED}."
        )
    if not temperature > 0 or not min(weights) >= 0:
        raise OptionError(
            f"the temperature is {temperature} and weights are {weights}; the first is above 0, no weight is "
            "below."
        )


def rows_to_bits(rows: Rows) -> Digits:
    """1 where a channel is above zero, else 0."""
    return rearrange(rows > 0, "b t h w c -> b c t h w").to(digits_kind(((2,),)))


def bits_to_rows(digits: Digits, magnitude: Float[Tensor, ""]) -> Rows:
    """Plus or minus the magnitude."""
    return torch.where(rearrange(digits, "b d t h w -> b t h w d") > 0, magnitude, -magnitude)


def mean_magnitude(vectors: Vectors) -> Float[Tensor, ""]:
    """The mean absolute value, at least `SMALLEST_SCALE`."""
    return vectors.to(torch.float32).abs().mean().clamp(min=SMALLEST_SCALE)


def entropies_of(logits: Float[Tensor, "b t h w d"], *, group: int) -> Entropies:
    """Both entropies of the soft choice at one position or more, given the logits of the bits."""
    bits = rearrange(logits, "b t h w d -> (b t h w) d")
    return Entropies(choice=choice_entropy(bits), codebook=codebook_entropy(bits, group=group))


def choice_entropy(bits: Bits) -> Float[Tensor, ""]:
    """The entropy of the choice of a code, the mean over positions, in nats: exactly, for any number of bits.

    Args:
        bits: at one position or more.
    """
    # Written for the likelier value of each bit, where nothing cancels.
    certain = bits.abs()
    each = F.softplus(-certain) + certain * torch.sigmoid(-certain)
    return each.sum(dim=1).mean()


def codebook_entropy(bits: Bits, *, group: int) -> Float[Tensor, ""]:
    """The entropy of the mean choice, in nats, the sum of those of groups of neighbouring bits.

    It is exact for up to `group` bits. For more it is an upper bound: what groups tell of one another is left
    out. Zhao et al. 2024 (arXiv:2406.07548), section 4, take the same sum. A group costs 2^group
    multiplications for each position; of what positions need, `CHUNK_BYTES` exist at a time, forward and
    backward.

    Args:
        bits: at one position or more.
        group: how many bits are counted together; the last group has what is left.
    """
    total = bits.new_zeros(())
    for part in bits.split(group, dim=1):
        mean = _mean_choice(part)
        # The smallest positive number in place of zero, whose logarithm has no gradient.
        total = total - (mean * mean.clamp(min=torch.finfo(mean.dtype).tiny).log()).sum()
    return total


def _mean_choice(bits: Bits) -> Float[Tensor, "high low"]:
    """The mean over positions of the probabilities of all codes, those of the first bits in rows."""
    half = bits.shape[1] // 2
    row = (2**half + 2 ** (bits.shape[1] - half)) * bits.element_size()
    total = bits.new_zeros(2**half, 2 ** (bits.shape[1] - half))
    for chunk in bits.split(max(1, CHUNK_BYTES // row)):
        # Computed once more backward, so that no chunk's choices are kept for it.
        part = checkpoint(_summed_choice, chunk, half, use_reentrant=False, preserve_rng_state=False)
        assert isinstance(part, Tensor)
        total = total + part
    return total / len(bits)


def _summed_choice(bits: Bits, half: int) -> Float[Tensor, "high low"]:
    return _choices(bits[:, :half]).T @ _choices(bits[:, half:])


def _choices(bits: Bits) -> Float[Tensor, "n k"]:
    """Probabilities of all codes of these bits at each position, the first bit counting least."""
    result = torch.ones_like(bits[:, :1])
    if not bits.shape[1]:
        return bits.new_ones(len(bits), 1)
    for bit in range(bits.shape[1]):
        one, zero = torch.sigmoid(bits[:, bit, None]), torch.sigmoid(-bits[:, bit, None])
        result = torch.cat([result * zero, result * one], dim=1)
    return result
