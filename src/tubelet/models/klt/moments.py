"""Mean and covariance of more vectors than memory holds, and the KLT that they give."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.nn.klt import KLT

LEAST_VARIANCE = 1e-8
"""A coefficient that never varies is divided by the root of this, not by zero."""


class Axes(NamedTuple):
    """Orthonormal directions, a row each, and the variance along each of them."""

    basis: Float64[Tensor, "k d"]
    variances: Float64[Tensor, " k"]


class Moments:
    """Exact mean and covariance in float64, batch by batch (Chan, Golub & LeVeque 1979, eq. 2.1)."""

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean: Float64[Tensor, " d"] = torch.zeros(size, dtype=torch.float64)
        self._scatter = torch.zeros(size, size, dtype=torch.float64)

    def update(self, vectors: Float[Tensor, "n d"]) -> None:
        """Add a batch of vectors."""
        batch = vectors.to(torch.float64)
        count = batch.shape[0]
        if not count:
            return
        mean = batch.mean(dim=0)
        centred = batch - mean
        shift = mean - self.mean
        total = self.count + count
        self._scatter.addmm_(centred.T, centred)
        self._scatter.addr_(shift, shift, alpha=self.count * count / total)
        self.mean += shift * (count / total)
        self.count = total

    @property
    def covariance(self) -> Float64[Tensor, "d d"]:
        """The covariance of all vectors so far, about their mean."""
        return self._scatter / max(self.count, 1)


def set_level(level: KLT, moments: Moments) -> Tensor:
    """Make a level the KLT of what was seen; give the variance of each of its coefficients."""
    kept, size = level.basis.shape
    if moments.count < size:
        raise OptionError(
            f"the clips gave {moments.count} patches of {size} numbers; at least {size} are needed. Give "
            "more or longer clips, or a smaller stride."
        )
    axes = principal_axes(moments.covariance, kept)
    level.basis.copy_(axes.basis)
    level.mean.copy_(moments.mean)
    return axes.variances


def principal_axes(covariance: Float64[Tensor, "d d"], kept: int) -> Axes:
    """The strongest axes of a covariance, strongest first."""
    strengths, vectors = torch.linalg.eigh(covariance)
    order = strengths.argsort(descending=True)[:kept]
    basis = vectors[:, order].T
    # An eigenvector's sign is arbitrary: let the largest entry be positive, so that every machine agrees.
    largest = basis.gather(1, basis.abs().argmax(dim=1, keepdim=True))
    return Axes(basis * largest.sign(), strengths[order].clamp_min(LEAST_VARIANCE))
