"""The tables of a prior of motion, from what vectors and flags were in many clips: counted, not trained."""

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from tubelet.priors.motion.contexts import CONTEXTS, FLAGS, SHAPE
from tubelet.priors.motion.model import FlagModel, VectorModel
from tubelet.priors.motion.prior import MotionPriorConfig
from tubelet.priors.tables import TOTAL

TABLES, FLAG_TABLES = 112, 16
"""Tables of vectors, and of flags."""

REACH = 40
"""Residuals up to which a table says how likely each is; both ends stand for all beyond."""

_ADDED = ((0,), (1,), (3, 6), (4,), (5,), (2,), (7,))
"""In which order the numbers of a context are taken into account: one that was rarely seen is thought to be
about like all that have the numbers before in common."""

_BELIEF = 8.0
"""Symbols that such a thought counts for."""

_ROUNDS = 12
"""Of putting contexts that are alike together."""

Counts = NDArray[np.float64]
"""How often each residual was in each context."""


class MotionCounts:
    """How often each residual was in each context of vectors and of flags."""

    def __init__(self) -> None:
        self.vectors = np.zeros((CONTEXTS, 2 * REACH + 1))
        self.flags = np.zeros((FLAGS, 2 * REACH + 1))

    def add(self, motion: NDArray[np.int32], plain: NDArray[np.int32]) -> None:
        """Count the symbols of both parts of a clip, ``c t h w``."""
        vectors = VectorModel("", "", len(motion), (), np.arange(CONTEXTS))
        flags = FlagModel("", "", (), np.arange(FLAGS))
        for model, symbols, counts in ((vectors, motion, self.vectors), (flags, plain, self.flags)):
            model.code_group(0, symbols[:0], None, _Counting(symbols, counts))


class _Counting:
    """An exchange that counts the residuals of each table, which is a context here."""

    def __init__(self, symbols: NDArray[np.int32], counts: Counts) -> None:
        self._symbols = symbols.ravel()
        self._counts = counts

    def __call__(
        self, places: NDArray[np.int64], offsets: NDArray[np.int32], tables: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        symbols = self._symbols[places]
        entries = (symbols - offsets).clip(-REACH, REACH) + REACH
        np.add.at(self._counts, (tables, entries), 1.0)
        return symbols


def fit_motion_prior(
    counts: MotionCounts, *, name: str, tokenizer: str, tokenizer_sha256: str, channels: int
) -> tuple[MotionPriorConfig, dict[str, NDArray[np.integer]]]:
    """The numbers and the arrays of a prior; the names are those of `MotionPriorConfig`."""
    vectors = _smoothed(counts.vectors + counts.vectors[:, ::-1])
    flags = _smoothed_flags(counts.flags)
    of_vectors, tables = _alike(vectors, counts.vectors.sum(axis=1), TABLES)
    of_flags, flag_tables = _alike(flags, counts.flags.sum(axis=1), FLAG_TABLES)
    frequencies = np.stack([_frequencies(row) for row in (*tables, *flag_tables)])
    config = MotionPriorConfig(
        name=name,
        tokenizer=tokenizer,
        tokenizer_sha256=tokenizer_sha256,
        channels=channels,
        tables=len(frequencies),
        reach=REACH,
    )
    return config, {
        "of_vectors": of_vectors.astype(np.uint8),
        "of_flags": (of_flags + len(tables)).astype(np.uint8),
        "frequencies": frequencies.astype(np.int32),
    }


def _smoothed(counts: Counts) -> Counts:
    """How likely each residual is in each context, those that were never seen among them."""
    grid = counts.reshape(*SHAPE, -1)
    likely = np.full(grid.shape[-1], 1e-3) + grid.sum(axis=tuple(range(len(SHAPE))))
    likely = likely / likely.sum()
    for known in accumulate(_ADDED):
        others = tuple(axis for axis in range(len(SHAPE)) if axis not in known)
        seen = grid.sum(axis=others, keepdims=True)
        likely = (seen + _BELIEF * likely) / (seen.sum(axis=-1, keepdims=True) + _BELIEF)
    return np.broadcast_to(likely, grid.shape).reshape(counts.shape)


def _smoothed_flags(counts: Counts) -> Counts:
    base = np.zeros(counts.shape[1])
    base[REACH : REACH + 2] = 1.0
    likely = counts + _BELIEF / 4 * base + 1e-6
    return likely / likely.sum(axis=1, keepdims=True)


def _alike(likely: Counts, seen: NDArray[np.float64], most: int) -> tuple[NDArray[np.int64], Counts]:
    """Contexts put together that cost little by it: the table of each, and the tables.

    By k-means where the distance is what coding with another table costs (Kullback-Leibler).
    """
    weights = seen + 1e-3
    order = np.argsort(-(likely * np.log2(likely)).sum(axis=1), kind="stable")
    ranks = np.cumsum(weights[order] ** 0.5)
    group = np.empty(len(likely), np.int64)
    group[order] = np.minimum((ranks * most / ranks[-1]).astype(np.int64), most - 1)
    for _ in range(_ROUNDS):
        group = (likely @ np.log2(_means(likely, weights, group)).T).argmax(axis=1)
    _, group = np.unique(group, return_inverse=True)
    return group, _means(likely, weights, group)


def _means(likely: Counts, weights: NDArray[np.float64], group: NDArray[np.int64]) -> Counts:
    """The tables of contexts that were put together; of numbers that nothing is in, there is none."""
    tables = np.full((group.max() + 1, likely.shape[1]), 1e-12)
    np.add.at(tables, group, weights[:, None] * likely)
    return tables / tables.sum(axis=1, keepdims=True)


def _frequencies(likely: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers, at least 1, that add up to `TOTAL`."""
    result = 1 + np.floor(likely * (TOTAL - likely.size)).astype(np.int64)
    result[np.argmax(result)] += TOTAL - result.sum()
    return result
