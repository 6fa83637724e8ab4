"""What every file of tokens says of a clip, and the bounds within which it is believed."""

import re
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import NamedTuple

from tubelet.errors import BitstreamError, OptionError, ShapeError
from tubelet.given import check_texts
from tubelet.quantizers.digits import Bases, codebook_sizes
from tubelet.tokenizers.token_grid import TokenGrid

LARGEST_CLIP = 1 << 28
"""Tokens, or digits, of one clip in a file."""

LONGEST_CAPTION = 1 << 16
"""Characters of a caption."""

LARGEST_POSITION = 1 << 12
"""Digits of one position."""

_LARGEST_PART = (1 << 63) - 1
"""Greatest numerator or denominator of a frame rate, which is stored in 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFacts:
    """Where tokens come from.

    Attributes:
        source: name of the video.
        tokenizer: name of the tokenizer.
        tokenizer_sha256: digest of its configuration and weights, as its checkpoint has it.
        source_sha256: digest of the video file; none if unknown.
        fps: frames per second, exactly; none if unknown, or where it varies.
        caption: what is seen, in words; none if nobody said.

    Raises:
        OptionError: a digest is not 64 lower-case hexadecimal digits, the rate is not above zero or needs
            more than 63 bits, or a text holds half a character (a lone surrogate), which no file does.
    """

    source: str
    tokenizer: str
    tokenizer_sha256: str
    source_sha256: str | None = None
    fps: Fraction | None = None
    caption: str | None = None

    def __post_init__(self) -> None:
        for name in ("source_sha256", "tokenizer_sha256"):
            digest = getattr(self, name)
            if digest is not None and re.fullmatch("[0-9a-f]{64}", digest) is None:
                raise OptionError(f"{name} is {digest!r:.80}; it has 64 lower-case hexadecimal digits.")
        if self.fps is not None and not (self.fps > 0 and max(self.fps.as_integer_ratio()) <= _LARGEST_PART):
            raise OptionError(
                f"fps is {self.fps!s:.80}; it is above zero, in parts of at most 63 bits. Leave out what "
                "is unknown."
            )
        check_caption(self.caption)
        for text in (self.source, self.tokenizer):
            if any("\ud800" <= character <= "\udfff" for character in text):
                raise OptionError(f"{text!r:.80} holds half a character, which no file does. Leave it out.")


def check_caption(caption: str | None) -> None:
    """Raise unless a caption can be stored.

    Raises:
        OptionError: it is no text, too long, or holds half a character (a lone surrogate).
    """
    if caption is None:
        return
    check_texts(caption=caption)
    if len(caption) > LONGEST_CAPTION:
        raise OptionError(
            f"the caption {caption!r:.40}… has over {LONGEST_CAPTION} characters, and no more are stored. "
            "Shorten it."
        )
    if any("\ud800" <= character <= "\udfff" for character in caption):
        raise OptionError(
            f"the caption {caption!r:.80} holds half a character, which UTF-8 has not. Write it in UTF-8."
        )


class TokenClip(NamedTuple):
    """The tokens of one clip, and where they come from."""

    grid: TokenGrid
    facts: ClipFacts


def check_to_store(grid: TokenGrid) -> None:
    """Raise unless a file can hold a grid.

    Raises:
        ShapeError: it is of several clips, or of a clip too long for a file.
    """
    clips, digits = grid.digits.shape[:2]
    if clips != 1:
        raise ShapeError(f"the grid holds {clips} clips; a file takes them one by one. Write each by itself.")
    if grid.digits.numel() > LARGEST_CLIP or digits > LARGEST_POSITION:
        raise ShapeError(
            f"the clip has {grid.digits.numel()} digits, {digits} per position; at most {LARGEST_CLIP} and "
            f"{LARGEST_POSITION} are stored. Cut it into shorter clips."
        )


def check_bases(bases: Bases) -> None:
    """Raise unless bases from a file can be those of digits.

    Raises:
        BitstreamError: there is no digit, too many of them, or one without values.
    """
    flat = [base for token in bases for base in token]
    if not all(bases) or not 0 < len(flat) <= LARGEST_POSITION or min(flat) < 1 or max(flat) >= 1 << 63:
        raise BitstreamError(
            f"bases are {bases!s:.80}; each token has one digit or more, each of 1 to 2^63 - 1 values, "
            f"and a position at most {LARGEST_POSITION} of them. The file is damaged."
        )


def check_numbered(bases: Bases) -> None:
    """Raise unless tokens of these bases are numbers of 64 bits.

    Raises:
        OptionError: they are not.
    """
    if max(codebook_sizes(bases)) > 1 << 63:
        digits = max(bases, key=prod)
        raise OptionError(
            f"a token of {len(digits)} digits has more than 2^63 values, which a column of numbers cannot "
            "hold. Store digits: .npz or .tube."
        )
