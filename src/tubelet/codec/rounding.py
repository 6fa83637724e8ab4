"""Rounding that weighs error against bits.

A symbol that is far rarer than its neighbour towards zero is worth its bits only if it takes enough
error away: each channel has a dead zone that follows its own table, as wide as its bits are expensive.
"""

import numpy as np
from jaxtyping import Float32, Float64, Int32

StepSymbols = Int32[np.ndarray, "c h w"]
"""The quantised latent of one step, all channels of it."""


def nearer_to_zero(
    scaled: Float32[np.ndarray, "c h w"],
    symbols: StepSymbols,
    *,
    bits: Float64[np.ndarray, "c s"],
    worth: Float64[np.ndarray, " c"],
    weights: Float64[np.ndarray, "h w"],
) -> StepSymbols:
    """Move symbols one towards zero where that saves more than it errs.

    Args:
        scaled: the step, in those of the quantiser.
        symbols: it, rounded.
        bits: of the symbols of each channel from -n to n; what lies beyond stays as it is.
        worth: error in squared steps that a bit is worth, of each channel.
        weights: how much the errors of each position count.
    """
    found = symbols.copy()
    middle = bits.shape[1] // 2
    # Most symbols are zero, and there is nothing nearer to it.
    places = np.nonzero((symbols != 0) & (np.abs(symbols) <= middle))
    channel, before, value = places[0], symbols[places], scaled[places]
    after = before - np.sign(before)
    errs = np.square(value - after) - np.square(value - before)
    saves = bits[channel, before + middle] - bits[channel, after + middle]
    counted = errs * weights[places[1:]]
    found[places] = np.where(counted < worth[channel] * saves, after, before)
    return found
