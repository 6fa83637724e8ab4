"""Matrices of eight-bit integers, a power of two for each block of a row: half the bytes of bfloat16.

This is MXINT8 of the OCP Microscaling Formats (MX) Specification 1.0, blocks of 32, but for the constant of
2⁻⁶ that it counts into each integer. What it holds, bfloat16 holds too.
"""

from math import ceil
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float32, Int8
from torch import Tensor

BLOCK = 32
"""Numbers of a row that share a power of two."""

LEAST = 4096
"""Numbers of a matrix that is worth it: smaller ones are tables of gains and the like."""

_LARGEST = 127
_EXPONENTS = (-126, 127)
"""Least and largest: powers of two that float32 holds whole."""

Matrix = Float32[Tensor, "rows columns"]


class Packed(NamedTuple):
    """A matrix: ``integers * 2 ** exponents``, each exponent for a block of a row.

    Attributes:
        integers: from -127 to 127.
        exponents: of two.
    """

    integers: Int8[Tensor, "rows columns"]
    exponents: Int8[Tensor, "rows blocks"]


def exponents_shape(rows: int, columns: int) -> tuple[int, int]:
    """The shape of the exponents of a matrix."""
    return rows, ceil(columns / BLOCK)


def is_worth_packing(tensor: Tensor) -> bool:
    """Whether a tensor is a matrix that is large enough."""
    return tensor.ndim == 2 and tensor.numel() >= LEAST


def round_to_eight_bits(matrix: Matrix) -> Matrix:
    """The nearest matrix that eight bits hold: off by at most 1/127 of the largest number of a block."""
    return unpack(_nearest(matrix))


def pack(matrix: Matrix) -> Packed | None:
    """A matrix in eight bits a number, if that loses nothing; none if it does."""
    packed = _nearest(matrix)
    return packed if torch.equal(unpack(packed), matrix) else None


def unpack(packed: Packed) -> Matrix:
    """The matrix; infinite where integers and exponents contradict each other."""
    columns = packed.integers.shape[1]
    scales = torch.exp2(packed.exponents.to(torch.float32))
    return packed.integers.to(torch.float32) * scales.repeat_interleave(BLOCK, dim=1)[:, :columns]


def _nearest(matrix: Matrix) -> Packed:
    columns = matrix.shape[1]
    blocks = rearrange(
        torch.nn.functional.pad(matrix, (0, -columns % BLOCK)), "rows (blocks n) -> rows blocks n", n=BLOCK
    )
    # The least power of two with which the largest number of a block stays within the integers.
    fraction, exponent = torch.frexp(blocks.abs().amax(dim=2) / _LARGEST)
    exponent = torch.where(fraction == 0.5, exponent - 1, exponent)
    exponents = exponent.clamp(*_EXPONENTS)
    integers = torch.ldexp(blocks, -exponents[:, :, None]).round().clamp(-_LARGEST, _LARGEST)
    flat = rearrange(integers, "rows blocks n -> rows (blocks n)")[:, :columns]
    return Packed(flat.to(torch.int8).contiguous(), exponents.to(torch.int8))
