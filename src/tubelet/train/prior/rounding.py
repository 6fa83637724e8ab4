"""Numbers that are rounded on the way forward and passed as they are on the way back (straight through)."""

from typing import Any, cast

import torch
from torch import Tensor

from tubelet.priors.numbers import EXACT

_SLACK = 0.9
"""Of the range of exact numbers, what weights are scaled to use: rounding adds to their sum."""

_LARGEST_WEIGHT = 32767 * _SLACK


class _Straight(torch.autograd.Function):
    """Rounds on the way forward; the gradient passes."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, unit: Tensor | float | int) -> Tensor:  # noqa: ANN401  as torch has it
        """The nearest whole numbers of 1 / unit."""
        del ctx
        return (values * unit + 0.5).floor() / unit

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401  as torch has it
        """As if nothing had been rounded."""
        del ctx
        return gradients[0], None


def rounded(values: Tensor, unit: Tensor | float | int) -> Tensor:
    """Values as whole numbers of 1 / unit, halves upwards; gradients pass as if they were not rounded."""
    return cast(Tensor, _Straight.apply(values, unit))


def weight_units(sums: Tensor, largest: Tensor, *, input_unit: int) -> Tensor:
    """For each row of a matrix, the power of two of which its weights are stored as whole numbers.

    The finest with which no sum of a row can leave what float32 holds exactly.

    Args:
        sums: the most that a row can sum up to, in absolute value.
        largest: the largest weight of a row, in absolute value.
        input_unit: whole numbers of inputs that stand for 1.
    """
    sums, largest = sums.detach(), largest.detach()
    finest = torch.minimum(_SLACK * EXACT / (sums * input_unit + 1e-6), _LARGEST_WEIGHT / (largest + 1e-6))
    return torch.exp2(finest.log2().floor().clamp(1, 14))
