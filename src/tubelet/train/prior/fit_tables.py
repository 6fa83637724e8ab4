"""Coding tables of a prior: a family of distributions at first, and what residuals are like in the end."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from tubelet.priors.numbers import LEAST_SCALE, MEAN_UNIT, SCALE_UNIT
from tubelet.priors.predictor import Expected
from tubelet.priors.tables import (
    CLOSED_SCALES,
    FINE_SCALES,
    OPEN_TABLES,
    REACH,
    TOTAL,
    WIDE_SHARE,
    WIDE_SPREAD,
    choose_open,
    open_place,
    scaled,
)
from tubelet.train.prior.integers import Arrays

_FINE_WIDTH, _COARSE_WIDTH = 20, 8
"""Scales to each side of the mean that a table reaches; what lies beyond takes a byte more."""

_LEAST_REACH = 16
"""Residuals to each side of a table at least: what stands still may leap."""

_BELIEF = 2000.0
"""Residuals that must be seen until they count as much as the family."""


def closed_distribution() -> NDArray[np.int32]:
    """How much lies below each half of a unit, for each class of scale of a digit."""
    halves = np.arange(-REACH, REACH + 1) / 2
    scales = np.exp2(LEAST_SCALE + 1 + np.arange(CLOSED_SCALES) / 2)
    return np.rint(TOTAL * _below(halves, scales[:, None])).astype(np.int32)


class ResidualCounts:
    """How often each residual occurred with each table of a latent's symbols."""

    def __init__(self) -> None:
        self.reaches = [_reach(open_place(table)[0]) for table in range(OPEN_TABLES)]
        self._most = max(self.reaches)
        self._counts = np.zeros((OPEN_TABLES, 2 * self._most + 1))

    def update(self, symbols: NDArray[np.integer], mean: NDArray[np.int32], scale: NDArray[np.int32]) -> None:
        """Count symbols of which this was expected."""
        choice = choose_open(Expected(mean, scale))
        residuals = np.clip(symbols - choice.offsets, -self._most, self._most) + self._most
        flat = choice.tables.astype(np.int64) * self._counts.shape[1] + residuals
        self._counts += np.bincount(flat.ravel(), minlength=self._counts.size).reshape(self._counts.shape)

    def tables(self) -> Arrays:
        """The tables that fit, by the names that a prior stores them under."""
        parts = [self._frequencies(table) for table in range(OPEN_TABLES)]
        return {
            "open_firsts": -np.array(self.reaches, np.int32),
            "open_sizes": np.array([len(part) for part in parts], np.int32),
            "open_frequencies": np.concatenate(parts).astype(np.int32),
        }

    def _frequencies(self, table: int) -> NDArray[np.int64]:
        """Of a table: what was seen, and the family as if it had been seen a number of times."""
        scale_class, fraction = open_place(table)
        reach, scale = self.reaches[table], 2.0 ** (scale_class / SCALE_UNIT + LEAST_SCALE)
        edges = np.arange(-reach, reach) + 0.5 - fraction / MEAN_UNIT
        family = np.diff(np.concatenate([[0.0], _below(edges, scale), [1.0]]))
        seen = self._counts[table, self._most - reach : self._most + reach + 1].copy()
        seen[0] += self._counts[table, : self._most - reach].sum()
        seen[-1] += self._counts[table, self._most + reach + 1 :].sum()
        share = (seen + _BELIEF * family) / (seen.sum() + _BELIEF)
        return scaled(_whole_shares(share))


def count_residuals(
    counts: ResidualCounts, batches: Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
) -> None:
    """Count symbols with the means and base-2 logarithms of scales that were expected of them."""
    for symbols, mean, scale in batches:
        counts.update(
            symbols.numpy().astype(np.int64),
            (mean * MEAN_UNIT).round().numpy().astype(np.int32),
            ((scale - LEAST_SCALE) * SCALE_UNIT).round().numpy().astype(np.int32),
        )


def _whole_shares(share: NDArray[np.float64]) -> NDArray[np.int64]:
    result = np.floor(share * TOTAL).astype(np.int64)
    result[np.argmax(result)] += TOTAL - result.sum()
    return result


def _reach(scale_class: int) -> int:
    """Residuals to each side that a table has entries for."""
    scale = 2.0 ** (scale_class / SCALE_UNIT + LEAST_SCALE)
    width = _FINE_WIDTH if scale_class < FINE_SCALES else _COARSE_WIDTH
    return max(_LEAST_REACH, int(np.ceil(width * scale)))


def _below(x: NDArray[np.floating], scale: NDArray[np.floating] | float) -> NDArray[np.floating]:
    """The family's distribution function: logistic, and a little of a wide one."""
    narrow, wide = (0.5 * (1 + np.tanh(x / (2 * spread * scale))) for spread in (1.0, WIDE_SPREAD))
    return (1 - WIDE_SHARE) * narrow + WIDE_SHARE * wide
