"""In which order a language model reads the positions of a latent; every order has an exact inverse."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from tubelet.errors import OptionError

Order = Literal["raster", "temporal", "morton"]
"""``raster``: step by step, row by row: what comes first in time comes first. ``temporal``: position by
position, each through all time. ``morton``: step by step, and inside a step along a Z-shaped curve, so that
near positions stay near (Morton 1966)."""

ORDERS: tuple[Order, ...] = ("raster", "temporal", "morton")


def places_in_order(cells: tuple[int, int, int], order: Order) -> Int[Tensor, " n"]:
    """The places of a grid, counted step by step and row by row, in the order in which they are read.

    Args:
        cells: latent steps, rows and columns.
        order: which order.

    Raises:
        OptionError: there is no such order.
    """
    steps, rows, columns = cells
    places = np.arange(steps * rows * columns).reshape(cells)
    match order:
        case "raster":
            read = places.ravel()
        case "temporal":
            read = places.transpose(1, 2, 0).ravel()
        case "morton":
            row, column = np.divmod(np.arange(rows * columns), max(columns, 1))
            curve = np.argsort(2 * _spread(row) + _spread(column), kind="stable")
            read = places.reshape(steps, rows * columns)[:, curve].ravel()
        case _:
            raise OptionError(f"order is {order!r}; it must be one of {', '.join(ORDERS)}.")
    return torch.from_numpy(np.ascontiguousarray(read))


def inverse_places(places: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Where in the sequence each place of the grid is."""
    inverse = torch.empty_like(places)
    inverse[places] = torch.arange(len(places))
    return inverse


def _spread(numbers: np.ndarray) -> np.ndarray:
    """Put a zero bit between every two bits of whole numbers below 2¹⁶."""
    spread = np.zeros_like(numbers)
    for bit in range(16):
        spread |= ((numbers >> bit) & 1) << (2 * bit)
    return spread
