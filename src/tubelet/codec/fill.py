"""What no channel at all means in a file: a position that is not stored repeats itself from the step before.

A chain of repeats never leaves its chunk. In the first step of a chunk a position without channels has none,
and the decoder predicts it from what is around it, as it does everywhere else. So chunks are read each by
itself, and seeking needs no more of a file than the chunk that it opens anyway.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from tubelet.bitstream.chunk import PartSymbols

Values = Shaped[np.ndarray, "c t h w"]
"""Symbols, or what they stand for: filling them up and dequantising them may change places."""

ChannelCounts = Int[np.ndarray, "t h w"]
"""How many leading channels each position has."""


class Step(NamedTuple):
    """One step as the decoder gets it.

    Attributes:
        values: zero where a position has no channel.
        counts: how many leading channels each position has.
    """

    values: Shaped[np.ndarray, "c h w"]
    counts: Int[np.ndarray, " h w"]


class Filled(NamedTuple):
    """Consecutive steps as the decoder gets them.

    Attributes:
        values: zero where a position has no channel.
        counts: how many leading channels each position has; zero where nothing was ever stored.
        last: the last step, from which those that come next are filled.
    """

    values: Values
    counts: ChannelCounts
    last: Step


def fill_from_past(values: Values, counts: ChannelCounts, previous: Step | None) -> Filled:
    """Let positions without channels repeat the step before.

    Args:
        values: consecutive steps of one chunk, at least one; what lies beyond a position's count is not
            looked at.
        counts: how many leading channels of each position are stored.
        previous: the `Filled.last` of the steps before them; none if the chunk begins here.

    Returns:
        New arrays: what is filled is told to the decoder with the counts that it was stored with.
    """
    filled, known = np.empty_like(values), np.empty_like(counts)
    for index in range(values.shape[1]):
        step = filled_step(Step(values[:, index], counts[index]), previous)
        filled[:, index], known[index] = step
        previous = step
    assert previous is not None, "there is a step"
    return Filled(filled, known, previous)


def filled_step(stored: Step, previous: Step | None) -> Step:
    """One step with what `fill_from_past` puts where nothing is stored."""
    channel = np.arange(len(stored.values))[:, None, None]
    values = np.where(channel < stored.counts, stored.values, 0)
    if previous is None:
        return Step(values, stored.counts.copy())
    repeats = stored.counts == 0
    return Step(np.where(repeats, previous.values, values), np.where(repeats, previous.counts, stored.counts))


def filled_part(part: PartSymbols) -> PartSymbols:
    """A part of a chunk in which positions that store nothing repeat the step before."""
    if part.counts is None:
        return part
    filled = fill_from_past(part.symbols, part.counts, None)
    return PartSymbols(symbols=filled.values, counts=filled.counts)
