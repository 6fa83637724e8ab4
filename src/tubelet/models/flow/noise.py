"""Normal noise that is a function of a seed and a place, so that tiles, cuts and seeks see the same."""

from math import pi

import numpy as np
import torch
from jaxtyping import Float, UInt64
from torch import Tensor

_ROW, _COLUMN, _CHANNEL = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xD1B54A32D192ED03),
    np.uint64(0xABC98388FB8FAC03),
)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_HALF = np.uint64(32)


def noise_at(
    seed: int, *, channels: int, rows: slice, columns: slice, dtype: torch.dtype
) -> Float[Tensor, "1 c 1 h w"]:
    """Independent numbers of zero mean and unit variance for each channel of each cell.

    A number depends on the seed, its row, its column and its channel, and on nothing else. It is the same at
    every step: with noise that changed, what stands still would flicker.

    Args:
        seed: 0 to 2⁶³ - 1.
        channels: how many.
        rows: of cells, counted from the top of the frame.
        columns: of cells, counted from its left.
        dtype: of the numbers.
    """
    start = _mixed(np.full((1, 1, 1), seed, dtype=np.uint64))
    place = (
        np.arange(channels, dtype=np.uint64).reshape(-1, 1, 1) * _CHANNEL
        + np.arange(rows.start, rows.stop, dtype=np.uint64).reshape(-1, 1) * _ROW
        + np.arange(columns.start, columns.stop, dtype=np.uint64) * _COLUMN
    )
    bits = _mixed(_mixed(place + start))
    # Box and Muller's transform of the two halves; the first is above 0 and below 1.
    radius = np.sqrt(-2 * np.log(((bits >> _HALF) + 0.5) * 2.0**-32))
    angle = (bits & np.uint64(0xFFFFFFFF)) * (2 * pi * 2.0**-32)
    return torch.from_numpy(radius * np.cos(angle)).to(dtype)[None, :, None]


def _mixed(numbers: UInt64[np.ndarray, "c h w"]) -> UInt64[np.ndarray, "c h w"]:
    """Spread every bit over all others (the finaliser of SplitMix64, Steele et al. 2014)."""
    for shift, factor in zip(_SHIFTS, _FACTORS, strict=False):
        numbers = (numbers ^ (numbers >> shift)) * factor
    return numbers ^ (numbers >> _SHIFTS[-1])
