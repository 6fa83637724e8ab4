"""Digits of tokens as a transformer takes and gives them.

A token of 64,000 values is six digits to a quantiser such as FSQ already; a digit of more than 256 values (an
entry of a codebook) is split into several, so that no output has thousands of values.
"""

from collections.abc import Sequence
from math import prod

import torch
from einops import rearrange
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.generate.known_tokenizer import KnownTokenizer
from tubelet.quantizers.digits import Bases, Digits, digits_kind
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.types import Latent

LARGEST_BASE = 256
"""Values of a digit, at most."""

Patches = Int64[Tensor, "b n k"]
"""The digits of the positions of each patch, patches row by row and step by step."""

DigitGrid = Int64[Tensor, "b d t h w"]
"""Digits of every position, after `split_digits`."""


def split_bases(bases: Bases) -> tuple[int, ...]:
    """How many values each digit has after `split_digits`.

    Raises:
        OptionError: a digit has more than 256 values and does not split evenly into fewer.
    """
    return tuple(factor for token in bases for base in token for factor in _factors(base))


def split_digits(digits: Digits, bases: Bases) -> Int64[Tensor, "b split t h w"]:
    """Write digits of many values as several of at most 256, the first counting least."""
    parts: list[Tensor] = []
    for digit, base in zip(digits.long().unbind(dim=1), _flat(bases), strict=True):
        for factor in _factors(base):
            parts.append(digit % factor)
            digit = digit // factor  # noqa: PLW2901  what is left of it
    return torch.stack(parts, dim=1)


def join_digits(digits: Int64[Tensor, "b split t h w"], bases: Bases) -> Digits:
    """The mirror of `split_digits`."""
    parts = iter(digits.unbind(dim=1))
    joined: list[Tensor] = []
    for base in _flat(bases):
        factors = _factors(base)
        worth = [prod(factors[:index]) for index in range(len(factors))]
        joined.append(torch.stack([next(parts) * each for each in worth]).sum(dim=0))
    return torch.stack(joined, dim=1).to(digits_kind(bases))


def digits_to_latent(known: KnownTokenizer, digits: DigitGrid) -> Latent:
    """What split digits stand for: the latent that the decoder of a discrete tokenizer takes."""
    tokenizer = known.tokenizer
    assert isinstance(tokenizer, DiscreteTokenizer), "generators of tokens are read with one"
    return tokenizer.dequantize(join_digits(digits, tokenizer.bases))


def latent_to_digits(known: KnownTokenizer, latent: Latent) -> DigitGrid:
    """The split digits of a latent; the mirror of `digits_to_latent`."""
    tokenizer = known.tokenizer
    assert isinstance(tokenizer, DiscreteTokenizer), "generators of tokens are read with one"
    return split_digits(tokenizer.quantizer.quantize(latent), tokenizer.bases)


def to_patches(values: Shaped[Tensor, "b d t h w"], patch: int) -> Shaped[Tensor, "b n k"]:
    """Digits of a grid, or what there is for each, as those of its patches."""
    return rearrange(values, "b d t (h p) (w q) -> b (t h w) (p q d)", p=patch, q=patch)


def from_patches(values: Tensor, patch: int, *, steps: int, rows: int) -> Tensor:
    """The mirror of `to_patches`; further axes stay at the end.

    Args:
        values: ``b n k`` or ``b n k v``.
        patch: rows and columns of positions in each.
        steps: of the grid.
        rows: of positions.
    """
    return rearrange(
        values, "b (t h w) (p q d) ... -> b d t (h p) (w q) ...", t=steps, h=rows // patch, p=patch, q=patch
    )


def one_hot(values: Int64[Tensor, "... k"], bases: Sequence[int]) -> Float[Tensor, "... s"]:
    """Each digit as a one among zeros, side by side.

    Args:
        values: each from 0 to below its base.
        bases: of each digit.
    """
    starts = torch.tensor([sum(bases[:index]) for index in range(len(bases))], device=values.device)
    empty = torch.zeros(*values.shape[:-1], sum(bases), device=values.device)
    return empty.scatter_(-1, values + starts, 1.0)


def _flat(bases: Bases) -> list[int]:
    return [base for token in bases for base in token]


def _factors(base: int) -> tuple[int, ...]:
    """Factors of at most 256, as few as a greedy choice of the largest ones finds.

    Raises:
        OptionError: there are none.
    """
    factors: list[int] = []
    left = base
    while left > LARGEST_BASE:
        factor = next((each for each in range(LARGEST_BASE, 1, -1) if left % each == 0), None)
        if factor is None:
            raise OptionError(
                f"a digit of the tokenizer has {base} values, which do not split into digits of at most "
                f"{LARGEST_BASE}. Choose a codebook whose size has small factors, such as a power of two."
            )
        factors.append(factor)
        left //= factor
    return (*factors, left)
