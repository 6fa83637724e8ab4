"""Vectors on the unit sphere, and the rotation of one onto another as a gradient.

Norms are summed channel by channel, so that a vector's last bit does not depend on what stands beside it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from tubelet.quantizers.vectors import straight_through

SHORTEST = 1e-6
"""Vectors shorter than this are divided by this: a zero stays a zero."""


def norms(vectors: Float[Tensor, "*n c"]) -> Float[Tensor, "*n 1"]:
    """Euclidean lengths, at least `SHORTEST`."""
    total = torch.zeros_like(vectors[..., :1])
    for channel in range(vectors.shape[-1]):
        value = vectors[..., channel : channel + 1]
        total = total + value * value
    # The root of zero has no gradient.
    return total.clamp(min=SHORTEST**2).sqrt()


def unit(vectors: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
    """Vectors scaled to length one."""
    return vectors / norms(vectors)


def rotated_onto(target: Float[Tensor, "*n c"], source: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
    """`target`, with the gradient that reaches `source` turned and scaled as `source` was to become it.

    Where the straight-through estimator copies a gradient, this one keeps its angle to the vector: backward,
    it is multiplied with the transpose of |e| / |x| · R, the rotation R taken as a constant.

    Source: Fifty et al. 2024 (arXiv:2410.06424), section 4.2.
    """
    with torch.no_grad():
        scale = norms(target) / norms(source)
        onto, off = unit(target), unit(source)
        middle = unit(onto + off)
    turned = source - 2 * middle * _products(middle, source) + 2 * onto * _products(off, source)
    return straight_through(target.detach(), scale * turned)


def _products(first: Float[Tensor, "*n c"], second: Float[Tensor, "*n c"]) -> Float[Tensor, "*n 1"]:
    return (first * second).sum(dim=-1, keepdim=True)
