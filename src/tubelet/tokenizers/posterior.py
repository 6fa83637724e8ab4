"""The distribution that a variational encoder gives for a clip."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tubelet.nn.divergence import kl_per_value
from tubelet.types import Latent


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Independent normal distributions, one per value of a latent (Kingma & Welling 2014, arXiv:1312.6114).

    Attributes:
        mean: what `encode` gives; the likeliest latent.
        log_variance: natural logarithm of the variance of every value.
    """

    mean: Latent
    log_variance: Latent

    @classmethod
    def joined(cls, runs: Sequence["Posterior"]) -> "Posterior":
        """Those of consecutive runs of steps as one; runs before the first step know no size yet."""
        begun = [run for run in runs if run.mean.shape[2]]
        return cls(
            mean=torch.cat([run.mean for run in begun], dim=2),
            log_variance=torch.cat([run.log_variance for run in begun], dim=2),
        )

    def sample(self, generator: torch.Generator) -> Latent:
        """Draw a latent; gradients reach the mean and the variance (the reparameterisation trick)."""
        noise = torch.randn(
            self.mean.shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device
        )
        return self.at(noise)

    def at(self, noise: Latent) -> Latent:
        """The latent that standard normal noise stands for."""
        return self.mean + (self.log_variance / 2).exp() * noise

    def kl(self) -> Float[Tensor, " b"]:
        """The divergence of each clip's distribution from the standard normal one, in nats."""
        return kl_per_value(self.mean, self.log_variance).sum(dim=(1, 2, 3, 4))
