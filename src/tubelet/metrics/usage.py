"""How much of a codebook is used, and how evenly."""

import math
from dataclasses import dataclass
from itertools import chain

import numpy as np
from einops import rearrange
from jaxtyping import Int64, Integer
from torch import Tensor

from tubelet.errors import OptionError, ShapeError
from tubelet.quantizers.digits import Bases, Digits, check_digits, check_given_bases, check_tokens

_WORD = 1 << 63
"""Values of the whole numbers that 64 bits hold without a sign."""


@dataclass(frozen=True)
class Usage:
    """What was counted, and how evenly it is spread.

    Attributes:
        count: how many tokens were counted; the other figures mean little unless this is many times `used`.
        used: how many different values occurred.
        size: how many values there are, used or not.
        share: used / size.
        entropy: of the frequencies, -Σ p·log2 p, in bits per token.
        perplexity: 2 to the power of the entropy: how many values, used evenly, would have that entropy.
    """

    count: int
    used: int
    size: int
    share: float
    entropy: float
    perplexity: float


@dataclass(frozen=True)
class DigitFigures:
    """What the digits of all positions tell.

    Attributes:
        joint: of all digits of a position taken as one value.
        digits: of each digit by itself, in order.
        total_correlation: the digits' entropies together, less the joint entropy, in bits per position: what
            coding each digit by itself costs more than coding them together; 0 if they are independent.
    """

    joint: Usage
    digits: tuple[Usage, ...]
    total_correlation: float


class TokenUsage:
    """Usage of one codebook over all tokens that it was given.

    Counts are exact integers, so neither order nor cut of the updates changes anything. Memory grows with the
    number of different tokens, not with the codebook.

    Args:
        size: how many values the codebook has.

    Raises:
        OptionError: the size is below 1, or beyond the 2⁶³ values that 64-bit integers number.
    """

    def __init__(self, size: int) -> None:
        if not 1 <= size <= _WORD:
            raise OptionError(
                f"the codebook has {size} values; 1 to 2^63 values are counted. Count the digits of a larger "
                "one with DigitUsage."
            )
        self.size = size
        self._counts = _Counts(1)

    def update(self, tokens: Integer[Tensor, "*any"]) -> None:
        """Add tokens, whatever their shape.

        Raises:
            TokenError: one is outside the codebook.
        """
        check_tokens(tokens, self.size)
        wide = tokens.cpu().long().flatten()
        self._counts.add(rearrange(wide, "n -> n 1").numpy())

    def compute(self) -> Usage:
        """The figures of all tokens so far.

        Raises:
            ShapeError: no token was added.
        """
        return _usage(self._counts.numbers, self.size)


class DigitUsage:
    """Usage of each digit of a position, of all of them together, and how much they tell about each other.

    Counts are exact integers, so neither order nor cut of the updates changes anything. All digits of a
    position are counted as one value however many values that has; memory grows with the number of different
    ones. With few positions the joint entropy, at most log2 of their number, is too low and the total
    correlation too high: compare `joint.count` with `joint.used`.

    Args:
        bases: for each token of a position, how many values each of its digits has, as a quantiser says.

    Raises:
        OptionError: there is no digit, or one has no value.
    """

    def __init__(self, bases: Bases) -> None:
        check_given_bases(bases)
        self.bases = bases
        self._flat = tuple(chain.from_iterable(bases))
        self._words = _words(self._flat)
        self._joint = _Counts(len(self._words))
        self._digits = [np.zeros(base, np.int64) for base in self._flat]

    def update(self, digits: Digits) -> None:
        """Add the digits of all positions.

        Raises:
            ShapeError: there are not as many digits as bases.
            TokenError: a digit is outside its base.
        """
        check_digits(digits, self.bases)
        rows = rearrange(digits.cpu().long(), "b d t h w -> (b t h w) d").numpy()
        for index, base in enumerate(self._flat):
            self._digits[index] += np.bincount(rows[:, index], minlength=base)
        words = np.zeros((len(rows), len(self._words)), np.int64)
        for word, (start, stop) in enumerate(self._words):
            for digit in reversed(range(start, stop)):
                words[:, word] = words[:, word] * self._flat[digit] + rows[:, digit]
        self._joint.add(words)

    def compute(self) -> DigitFigures:
        """The figures of all digits so far.

        Raises:
            ShapeError: no position was added.
        """
        joint = _usage(self._joint.numbers, math.prod(self._flat))
        single = tuple(_usage(counts[counts > 0], len(counts)) for counts in self._digits)
        correlation = math.fsum(each.entropy for each in single) - joint.entropy
        return DigitFigures(joint, single, max(0.0, correlation))


class _Counts:
    """How often each row of whole numbers occurred."""

    def __init__(self, columns: int) -> None:
        self._rows = np.zeros((0, columns), np.int64)
        self.numbers: Int64[np.ndarray, " n"] = np.zeros(0, np.int64)

    def add(self, rows: Int64[np.ndarray, "n k"]) -> None:
        """Count rows: sort them beside those before, and sum over runs of equal ones."""
        if not len(rows):
            return
        both = np.concatenate([self._rows, rows])
        numbers = np.concatenate([self.numbers, np.ones(len(rows), np.int64)])
        order = np.lexsort(both.T)
        both, numbers = both[order], numbers[order]
        starts = np.flatnonzero(np.append(True, (both[1:] != both[:-1]).any(axis=1)))
        self._rows = both[starts]
        self.numbers = np.add.reduceat(numbers, starts)


def _words(bases: tuple[int, ...]) -> list[tuple[int, int]]:
    """Where to cut digits into parts that are one number below 2⁶³ each: the first digit, after the last."""
    cuts = [0]
    values = 1
    for index, base in enumerate(bases):
        if values * base > _WORD:
            cuts.append(index)
            values = 1
        values *= base
    return list(zip(cuts, [*cuts[1:], len(bases)], strict=True))


def _usage(numbers: Int64[np.ndarray, " n"], size: int) -> Usage:
    """The figures of how often each value that occurred did so."""
    if not len(numbers):
        raise ShapeError("no tokens were counted; usage needs at least one. Call update first.")
    count = int(numbers.sum())
    shares = numbers / count
    # Rounding could leave an entropy of -0.0 or below where one value is all there is.
    entropy = max(0.0, float(-(shares * np.log2(shares)).sum()))
    return Usage(count, len(numbers), size, len(numbers) / size, entropy, 2**entropy)
