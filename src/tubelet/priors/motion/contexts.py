"""What is around a vector or a flag, as one of a few hundred numbers; by whole numbers alone."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tubelet.priors.motion.order import KINDS, Pass

Integers = NDArray[np.int64]

_SPREADS = np.array([1, 3, 7, 17, 41])
"""Quarters of a pixel from which on vectors around differ by the next class."""

_SPEEDS = np.array([1, 8, 32])
"""Quarters of a pixel, of both numbers together, from which on a vector is of the next class."""

_SURPRISES = np.array([1, 3, 9])
"""Quarters by which the first number of a vector is off, from which on the second is of the next class."""

_SUPPORTS, _MERGED, _STILL = 5, 2, 2

FRAMES = 3
"""Classes of frames: the last of a group, the first that is coded after it, all others."""

SHAPE = (
    len(_SURPRISES) + 2,
    FRAMES,
    KINDS,
    _SUPPORTS,
    len(_SPREADS) + 1,
    _MERGED,
    _STILL,
    len(_SPEEDS) + 1,
)
"""How many values each number of a vector's context has."""

CONTEXTS = int(np.prod(SHAPE))
"""Of the numbers of vectors."""

FLAGS = KINDS * 5 * 5
"""Contexts of flags."""

_FAR = 1 << 30


class Surroundings(NamedTuple):
    """What is known around the vectors of a pass, ``t n``.

    Attributes:
        expected: the vector (``2 t n``) that most of those around are; of equally many the most central one.
        support: how many of them it is.
        spread: class of the greatest distance of one of them from it.
    """

    expected: Integers
    support: Integers
    spread: Integers


def surroundings(field: Integers, some: Pass) -> Surroundings:
    """What is known around the vectors of a pass.

    Args:
        field: the vectors that are known so far, ``2 t h w``; what the others are, does not matter.
        some: the pass.
    """
    steps, count = field.shape[1], some.rows.size
    if not len(some.known):
        nothing = np.zeros((steps, count), np.int64)
        return Surroundings(np.zeros((2, steps, count), np.int64), nothing, nothing)
    known = some.known[:, None]
    near = field[:, :, some.near_rows, some.near_columns].transpose(2, 0, 1, 3)
    equal = (near[:, None] == near[None]).all(axis=2) & known
    support = equal.sum(axis=1)
    central = np.sort(np.where(known[:, None], near, _FAR), axis=0)
    middle = np.maximum(some.known.sum(axis=0) - 1, 0) // 2
    median = np.take_along_axis(central, np.broadcast_to(middle, (1, *near.shape[1:])), axis=0)
    # Of equals the first is taken, by every machine.
    scores = np.where(known, 4 * _FAR * support - np.abs(near - median).sum(axis=1), -_FAR * _FAR)
    best = scores.argmax(axis=0)[None]
    nothing = ~some.known.any(axis=0)
    expected = np.take_along_axis(near, best[:, None], axis=0)[0]
    expected = np.where(nothing, 0, expected)
    spread = np.where(known, np.abs(near - expected).sum(axis=1), 0).max(axis=0)
    votes = np.where(nothing, 0, np.take_along_axis(support, best, axis=0)[0])
    return Surroundings(expected, votes, np.searchsorted(_SPREADS, spread, side="right"))


def vector_contexts(
    around: Surroundings, some: Pass, frame: int, *, merged: NDArray[np.bool_], nearby: Integers
) -> Integers:
    """The contexts of the first numbers of the vectors of a pass, ``t n``.

    Args:
        around: what is around them.
        some: the pass.
        frame: class of the frame.
        merged: whether the vector of the last frame is what was expected.
        nearby: the vector (``2 t n``) that is known of the same position, or that is expected.
    """
    speed = np.searchsorted(_SPEEDS, np.abs(nearby).sum(axis=0), side="right")
    still = (around.expected == 0).all(axis=0)
    kind = np.full_like(around.support, some.kind)
    numbers = (np.zeros_like(kind), np.full_like(kind, frame), kind, around.support, around.spread)
    return np.ravel_multi_index((*numbers, merged.astype(np.int64), still.astype(np.int64), speed), SHAPE)


def second_contexts(contexts: Integers, residuals: Integers) -> Integers:
    """Those of the second numbers, by how far off the first ones were."""
    classes = 1 + np.searchsorted(_SURPRISES, np.abs(residuals), side="right")
    return contexts + classes * (CONTEXTS // SHAPE[0])


def flag_contexts(flags: Integers, some: Pass) -> Integers:
    """The contexts of the flags of a pass: how many around are set, of how many, ``t n``.

    Args:
        flags: those that are known so far, ``t h w``; what the others are, does not matter.
        some: the pass.
    """
    near = flags[:, some.near_rows, some.near_columns] != 0
    ones = (near & some.known).sum(axis=1)
    known = np.broadcast_to(some.known.sum(axis=0), ones.shape)
    return (some.kind * 5 + known) * 5 + ones
