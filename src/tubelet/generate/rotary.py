"""Rotary positions along three axes (Su et al. 2021, arXiv:2104.09864): attention by distance, any size."""

import torch
from einops import rearrange
from jaxtyping import Complex, Float
from torch import Tensor

_BASE = 100.0
"""Of the wavelengths: the longest is 2π times this many positions, and grids have a few dozen."""


def rotations(
    steps: int, rows: int, columns: int, *, features: int, prefix: int, device: torch.device
) -> Complex[Tensor, "n f"]:
    """What to multiply pairs of features with at every position of a sequence.

    A quarter of the features tell steps apart, the others rows and columns, as evenly as they divide.

    Args:
        steps: along time.
        rows: along height.
        columns: along width.
        features: of a head, a multiple of 8.
        prefix: positions in front that have no place; they are not turned.
        device: where.
    """
    pairs = features // 2
    along_time = pairs // 4
    along_rows = (pairs - along_time + 1) // 2
    shares = (along_time, along_rows, pairs - along_time - along_rows)
    axes = [
        torch.outer(torch.arange(size, device=device), _frequencies(share, device))
        for size, share in zip((steps, rows, columns), shares, strict=True)
    ]
    full = (steps, rows, columns)
    angles = torch.cat(
        [
            rearrange(axes[0], "t f -> t 1 1 f").expand(*full, -1),
            rearrange(axes[1], "h f -> 1 h 1 f").expand(*full, -1),
            rearrange(axes[2], "w f -> 1 1 w f").expand(*full, -1),
        ],
        dim=-1,
    )
    angles = rearrange(angles, "t h w f -> (t h w) f")
    angles = torch.cat([angles.new_zeros(prefix, pairs), angles])
    return torch.polar(torch.ones_like(angles), angles)


def rotate(features: Float[Tensor, "b n k h d"], turns: Complex[Tensor, "n f"]) -> Float[Tensor, "b n k h d"]:
    """Turn pairs of features by the place of their position; lengths stay.

    Args:
        features: of each position, of queries and keys (k), head by head.
        turns: of `rotations`.
    """
    pairs = torch.view_as_complex(rearrange(features, "b n k h (f two) -> b n k h f two", two=2))
    turned = torch.view_as_real(pairs * rearrange(turns, "n f -> n 1 1 f"))
    return rearrange(turned, "b n k h f two -> b n k h (f two)")


def _frequencies(count: int, device: torch.device) -> Float[Tensor, " f"]:
    return _BASE ** (-torch.arange(count, device=device) / max(count, 1))
