"""Tokens of clips, with all that is needed to read them and to turn them back into video."""

from dataclasses import dataclass
from functools import cached_property

import torch
from einops import rearrange
from jaxtyping import Int
from torch import Tensor

from tubelet.checks import check_whole
from tubelet.errors import OptionError, ShapeError
from tubelet.given import check_whole_numbers
from tubelet.quantizers.digits import (
    ROUND,
    Bases,
    Digits,
    Tokens,
    check_given_bases,
    codebook_sizes,
    digits_to_tokens,
    tokens_to_digits,
)
from tubelet.tokenizers.grouping import Grouping
from tubelet.tokenizers.orders import Order, inverse_places, places_in_order
from tubelet.types import Stride

Sequences = Int[Tensor, "b n"]
"""The tokens of each clip in the order in which they are read; those of one position stand together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenGrid:
    """What `DiscreteTokenizer.tokenize` gives: digits per latent position, and what they are of.

    Time is causal: the tokens of a clip's first frames are the first steps of its grid.

    Attributes:
        digits: what is computed with and stored; a token is one or more of them (see `Digits`).
        bases: for each token of a position, how many values each of its digits has.
        stride: frames, rows and columns of pixels per position.
        lead_frame: whether the first frame is a step of its own.
        frames: length of the clips.
        height: their rows of pixels.
        width: their columns of pixels.

    Raises:
        OptionError: the digits are not a tensor of whole numbers, or another field is of another type.
        ShapeError: they do not belong to clips of this length and size.
    """

    digits: Digits
    bases: Bases
    stride: Stride
    lead_frame: bool
    frames: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if not isinstance(self.stride, Stride):
            raise OptionError(f"stride is {self.stride!r:.60}; it is a Stride, such as Stride(4, 8, 8).")
        if not isinstance(self.lead_frame, bool):
            raise OptionError(f"lead_frame is {self.lead_frame!r:.60}; it is True or False.")
        check_whole_numbers(frames=self.frames, height=self.height, width=self.width)
        check_given_bases(self.bases)
        count = sum(map(len, self.bases))
        check_whole(self.digits, "digits", cure=ROUND)
        if self.digits.ndim != 5 or self.digits.shape[1] != count:
            raise ShapeError(
                f"digits are of shape {tuple(self.digits.shape)}; they must be b d t h w with d = {count}."
            )
        steps, rows, columns = self.cells
        Grouping(stride=self.stride, lead_frame=self.lead_frame).check(
            steps=steps, frames=self.frames, height=self.height, width=self.width, cells=(rows, columns)
        )

    @property
    def cells(self) -> tuple[int, int, int]:
        """Latent steps, rows and columns."""
        steps, rows, columns = self.digits.shape[2:]
        return steps, rows, columns

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """How many values each token of a position has."""
        return codebook_sizes(self.bases)

    @property
    def codebook_size(self) -> int:
        """How many values a token has, where all tokens of a position have as many.

        Raises:
            OptionError: they differ; `codebook_sizes` has each.
        """
        return one_codebook_size(self.bases)

    @cached_property
    def tokens(self) -> Tokens:
        """Every token as one number, ``Int b k t h w`` of 64 bits.

        Raises:
            TokenError: a token has more than 2⁶³ values; use `digits`.
        """
        return digits_to_tokens(self.digits, self.bases)

    def flatten(self, order: Order = "raster") -> Sequences:
        """All tokens of each clip as a sequence; `unflatten` is the exact inverse.

        Raises:
            OptionError: there is no such order.
            TokenError: a token has more than 2⁶³ values.
        """
        places = places_in_order(self.cells, order).to(self.digits.device)
        rows = rearrange(self.tokens, "b k t h w -> b (t h w) k")[:, places]
        return rearrange(rows, "b n k -> b (n k)")

    def with_tokens(self, tokens: Tokens) -> "TokenGrid":
        """A grid of the same clips' size with other tokens, such as generated ones.

        Raises:
            ShapeError: there are more or fewer of them.
            TokenError: one is outside its codebook.
        """
        return TokenGrid(
            digits=tokens_to_digits(tokens, self.bases),
            bases=self.bases,
            stride=self.stride,
            lead_frame=self.lead_frame,
            frames=self.frames,
            height=self.height,
            width=self.width,
        )


def unflatten(
    sequences: Sequences, *, cells: tuple[int, int, int], tokens: int = 1, order: Order = "raster"
) -> Tokens:
    """Undo `TokenGrid.flatten`.

    Args:
        sequences: the tokens of each clip.
        cells: latent steps, rows and columns of a clip.
        tokens: how many each position has.
        order: in which order they are.

    Raises:
        ShapeError: there are more or fewer tokens than such clips have.
        OptionError: there is no such order, or the sequences are not a tensor of whole numbers.
    """
    check_whole(sequences, "sequences", cure=ROUND)
    steps, rows, columns = cells
    expected = steps * rows * columns * tokens
    if sequences.ndim != 2 or sequences.shape[1] != expected:
        raise ShapeError(
            f"sequences are of shape {tuple(sequences.shape)}; {tokens} tokens at {steps}x{rows}x{columns} "
            f"positions are b x {expected}. Give the positions of the clip that they are of."
        )
    inverse = inverse_places(places_in_order(cells, order)).to(sequences.device)
    read = rearrange(sequences, "b (n k) -> b n k", k=tokens)[:, inverse]
    return rearrange(read, "b (t h w) k -> b k t h w", t=steps, h=rows).to(torch.int64)


def check_grid(grid: object) -> None:
    """Raise unless this is a grid.

    Raises:
        OptionError: it is something else.
    """
    if not isinstance(grid, TokenGrid):
        raise OptionError(
            f"grid is of type {type(grid).__name__}; it must be a TokenGrid. Tokens alone do not say which "
            "clip they are of: tokenizer.grid(tokens, frames=…, height=…, width=…) makes one of them."
        )


def one_codebook_size(bases: Bases) -> int:
    """How many values a token has, where all have as many.

    Raises:
        OptionError: they differ.
    """
    sizes = set(codebook_sizes(bases))
    if len(sizes) != 1:
        raise OptionError(f"tokens have {sorted(sizes)} values; they share no size. Use codebook_sizes.")
    return sizes.pop()
