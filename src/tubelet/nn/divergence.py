"""How far a normal distribution is from the standard one."""

import torch

from tubelet.types import Latent


def kl_per_value(mean: Latent, log_variance: Latent) -> Latent:
    """KL(N(mean, v) ‖ N(0, 1)) = (mean² + v - 1 - log v) / 2 of every value, in nats.

    Nothing is clamped: a log variance above 88 is infinity in float32.

    Source: Kingma & Welling 2013, arXiv:1312.6114, appendix B.
    """
    return (mean.square() + torch.expm1(log_variance) - log_variance) / 2
