"""The integers that a prior computes with: what its network sees of symbols, and in which units it answers.

Every number here is part of the files that priors code, and never changes under the same version of a prior.
"""

import numpy as np
from numpy.typing import NDArray

LARGEST_INPUT = 127
"""Of everything that the first layer sees; 64 stands for 1."""

INPUT_UNIT = 64

LARGEST_HIDDEN = 255
"""Of a hidden feature; 32 stands for 1."""

HIDDEN_UNIT = 32

LARGEST_LINEAR = 1023
"""Of a symbol that the linear prediction sees, in its own unit; larger ones count as this."""

MEAN_UNIT = 8
"""Parts of a symbol in which means are given."""

LARGEST_MEAN = 255
"""Of what the network adds to a mean, in these parts."""

GATE_UNIT = 64
"""Parts of one in which gates are given, from none of a prediction to all of it."""

LINEAR_UNIT = 16
"""Parts of a symbol in which the linear prediction is given."""

SCALE_UNIT = 4
"""Classes of scale per doubling."""

LEAST_SCALE = -4
"""Base-2 logarithm of the least scale of a symbol, in symbols."""

SCALES = 44
"""Classes of scale."""

STEP_UNIT = 4
"""Classes of the quantiser's step per doubling."""

LEAST_STEP, LARGEST_STEP = -4, 12
"""Classes of the quantiser's step, where 0 is the usual one; finer and coarser ones count as these."""

STEPS = LARGEST_STEP - LEAST_STEP + 1

COUNT_CLASSES = (1, 2, 4, 8, 16, 32, 64)
"""A position's number of channels is seen as which of these it reaches."""

EXACT = 1 << 24
"""Whole numbers below this, and all sums of them that stay below it, are exact in float32 in any order."""


def _companded(most: int, per_doubling: int) -> NDArray[np.int16]:
    """round(n log2(1 + m)) for m up to `most`: by whole numbers, the last k of 2^(2k - 1) <= (1 + m)^(2n)."""
    values = [((1 + m) ** (2 * per_doubling)).bit_length() // 2 for m in range(most + 1)]
    return np.minimum(np.array(values), LARGEST_INPUT).astype(np.int16)


MAGNITUDES = _companded(244, 16)
"""What the network sees of a magnitude, the last one of all larger ones too: 0, 16, 25, 32 … 127."""

AVERAGES = _companded(16 * LARGEST_INPUT, 11)
"""What it sees of the average of such numbers over a step, in sixteenths."""


def companded(symbols: NDArray[np.integer]) -> NDArray[np.int16]:
    """Symbols of any size as the network sees them: near zero exactly, further away ever more coarsely."""
    sizes = companded_sizes(symbols)
    return np.negative(sizes, out=sizes, where=symbols < 0)


def companded_sizes(symbols: NDArray[np.integer]) -> NDArray[np.int16]:
    """The same of magnitudes."""
    return MAGNITUDES[np.minimum(np.abs(symbols), len(MAGNITUDES) - 1)]
