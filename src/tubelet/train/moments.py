"""Mean and covariance of more vectors than memory holds."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor


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
