"""Muon: momentum whose singular values are all made about one (Jordan et al. 2024).

Source: https://kellerjordan.github.io/posts/muon; steps as long as AdamW's after Liu et al. 2025
(arXiv:2502.16982). PyTorch's own computes in bfloat16, which takes thirty times as long on a CPU without
instructions for it; this one computes in float32, and the iteration works on the smaller Gram matrix alone.
"""

from collections.abc import Callable, Iterable
from math import sqrt
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that each iteration applies to the singular values; they end between 0.7 and 1.2."""

ITERATIONS = 5

_LEAST_NORM = 1e-7

Matrix = Float[Tensor, "rows columns"]


class Muon(Optimizer):
    """Moves matrices by orthogonalised Nesterov momentum; a step has the size that AdamW's would have.

    Args:
        weights: matrices.
        lr: the learning rate.
        momentum: decay of the average of gradients.
        weight_decay: decoupled.
    """

    def __init__(
        self, weights: Iterable[nn.Parameter], *, lr: float, momentum: float, weight_decay: float
    ) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # noqa: ANN401  whatever `closure` gives
        """Move every weight that has a gradient; give what `closure` gives."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group)
        return loss

    def _move(self, weight: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        average = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        direction = orthogonalise(gradient.lerp(average, group["momentum"]))
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(direction.to(weight.dtype), alpha=-group["lr"] * 0.2 * sqrt(max(weight.shape)))


def orthogonalise(matrix: Matrix) -> Matrix:
    """Make every singular value of a matrix about one, with five Newton-Schulz iterations.

    With X of norm one and S = X Xᵀ, an iteration is X ← (a + b S + c S²) X. All factors are polynomials of
    the first S, so they commute: S and the product of the factors, p + P, are carried along, and X is
    multiplied once. No identity matrix is made, so a matrix that is split among processes stays split.
    """
    x = matrix.float()
    wide = x if x.shape[0] <= x.shape[1] else x.T
    wide = wide / wide.norm().clamp(min=_LEAST_NORM)
    gram = wide @ wide.T
    a, b, c = COEFFICIENTS
    p, product = a, torch.addmm(gram, gram, gram, beta=b, alpha=c)
    factor = product
    for _ in range(ITERATIONS - 1):
        half = torch.addmm(gram, factor, gram, beta=a)
        gram = torch.addmm(half, half, factor, beta=a)
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        product = torch.addmm(product, factor, product, beta=a) + p * factor
        p *= a
    result = p * wide + product @ wide
    return result if x.shape[0] <= x.shape[1] else result.T
