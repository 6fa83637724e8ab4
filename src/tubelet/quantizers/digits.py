"""Digits and tokens: a token is a whole number written in mixed radix, the first digit counting least.

Digits are what is computed with and stored: they fit a byte and are exact. A token is formed in 64-bit
integers, never in floating point: as float32 it would be wrong from 2²⁴ values on.
"""

from itertools import chain
from math import prod

import torch
from einops import rearrange
from jaxtyping import Int, Integer
from torch import Tensor

from tubelet.checks import check_whole, has_values
from tubelet.errors import OptionError, ShapeError, TokenError
from tubelet.given import as_whole

Digits = Integer[Tensor, "b d t h w"]
"""Digits of all tokens of every position, in the smallest integer type that holds them."""

Tokens = Int[Tensor, "b k t h w"]
"""Whole numbers, k per position, ``torch.int64``."""

Bases = tuple[tuple[int, ...], ...]
"""For each token of a position, how many values each of its digits has."""

ROUND = "A model's outputs become them by .round().long(), its scores by .argmax()."
"""What to do about numbers that are not whole, for messages."""

_KINDS = (torch.uint8, torch.int16, torch.int32, torch.int64)


def smallest_kind(values: int) -> torch.dtype:
    """The smallest integer type of torch's usual ones that holds 0 to `values` - 1."""
    return next(kind for kind in _KINDS if values - 1 <= torch.iinfo(kind).max)


def digits_kind(bases: Bases) -> torch.dtype:
    """The type that digits of these bases are kept in."""
    return smallest_kind(max(chain.from_iterable(bases)))


def codebook_sizes(bases: Bases) -> tuple[int, ...]:
    """How many values each token has."""
    return tuple(map(prod, bases))


def digits_by_token(digits: Digits, bases: Bases) -> tuple[Integer[Tensor, "b _ t h w"], ...]:
    """The digits of each token of a position by themselves."""
    return digits.split([len(token) for token in bases], dim=1)


def check_given_bases(bases: object) -> None:
    """Raise unless these are bases.

    Raises:
        OptionError: they are something else.
    """
    tokens = list(bases) if isinstance(bases, list | tuple) else []
    if not tokens or not all(isinstance(token, list | tuple) and token for token in tokens):
        raise _no_bases(bases)
    if not all((as_whole(base) or 0) >= 1 for base in chain.from_iterable(tokens)):
        raise _no_bases(bases)


def _no_bases(bases: object) -> OptionError:
    return OptionError(
        f"bases is {bases!r:.60}; it is a tuple for each token of a position, of how many values each of its "
        "digits has, such as ((8, 8, 8, 5, 5, 5),). A tokenizer, a quantiser and a grid say theirs: `bases`."
    )


def digits_to_tokens(digits: Digits, bases: Bases) -> Tokens:
    """Write each token's digits as one number.

    Raises:
        OptionError: they are not a tensor of whole numbers, or the bases are none.
        TokenError: a token has more than 2⁶³ values; keep the digits.
        ShapeError: there are not as many digits as bases.
    """
    check_digits(digits, bases)
    for size in codebook_sizes(bases):
        if size > 1 << 63:
            raise TokenError(
                f"a token has {size} values, and 64-bit integers number up to 2^63 of them exactly. "
                "Use the digits."
            )
    tokens = []
    for own, token in zip(digits_by_token(digits, bases), bases, strict=True):
        # The last digit's base is never a factor: 2⁶³ itself is not a 64-bit number.
        value = own[:, -1].to(torch.int64)
        for digit in reversed(range(len(token) - 1)):
            value = value * token[digit] + own[:, digit]
        tokens.append(value)
    return rearrange(tokens, "k b t h w -> b k t h w")


def tokens_to_digits(tokens: Tokens, bases: Bases) -> Digits:
    """Undo `digits_to_tokens`.

    Raises:
        OptionError: they are not a tensor of whole numbers, or the bases are none.
        ShapeError: there are not as many tokens per position as bases.
        TokenError: a token is outside its codebook.
    """
    check_given_bases(bases)
    check_whole(tokens, "tokens", cure=ROUND)
    if tokens.ndim != 5 or tokens.shape[1] != len(bases):
        raise ShapeError(
            f"tokens are of shape {tuple(tokens.shape)}; they must be b k t h w with k = {len(bases)}."
        )
    digits = []
    for place, (token, size) in enumerate(zip(bases, codebook_sizes(bases), strict=True)):
        value = tokens[:, place].to(torch.int64)
        check_tokens(value, size)
        for base in token[:-1]:
            digits.append(value % base)
            value = value // base
        digits.append(value)
    return rearrange(digits, "d b t h w -> b d t h w").to(digits_kind(bases))


def check_tokens(tokens: Integer[Tensor, "*any"], size: int) -> None:
    """Raise unless all of them are numbers of a codebook.

    Raises:
        OptionError: they are not a tensor of whole numbers.
        TokenError: one is outside the codebook.
    """
    check_whole(tokens, "tokens", cure=ROUND)
    if has_values(tokens):
        low, high = int(tokens.min()), int(tokens.max())
        if low < 0 or high >= size:
            raise TokenError(
                f"a token is {low if low < 0 else high}; the codebook has {size} values, counted from 0. "
                "They are of another tokenizer, or still offset into a larger vocabulary."
            )


def check_digits(digits: Digits, bases: Bases) -> None:
    """Raise unless they can be digits of these bases.

    Raises:
        OptionError: they are not a tensor of whole numbers, or the bases are none.
        ShapeError: there are not as many digits as bases.
        TokenError: one is outside its base.
    """
    check_given_bases(bases)
    flat = tuple(chain.from_iterable(bases))
    check_whole(digits, "digits", cure=ROUND)
    if digits.ndim != 5 or digits.shape[1] != len(flat):
        raise ShapeError(
            f"digits are of shape {tuple(digits.shape)}; they must be b d t h w with d = {len(flat)}."
        )
    if not has_values(digits):
        return
    # All digits at once: on a GPU every number that is looked at by itself is a wait.
    lows, highs = (ends(digits, (0, 2, 3, 4)).tolist() for ends in (torch.amin, torch.amax))
    for place, (base, low, high) in enumerate(zip(flat, lows, highs, strict=True)):
        if low < 0 or high >= base:
            raise TokenError(
                f"digit {place} is {low if low < 0 else high}; its base is {base}, counted from 0. "
                "They are of another tokenizer, or damaged."
            )
