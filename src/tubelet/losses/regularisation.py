"""What keeps a latent near a standard normal distribution."""

import torch

from tubelet.losses.pair import Loss, alike
from tubelet.types import Latent


def kl_standard_normal(mean: Latent, log_variance: Latent) -> Loss:
    """The mean over values of KL(N(mean, v) ‖ N(0, 1)) = (mean² + v - 1 - log v) / 2, in nats per value.

    The sum per clip, which the evidence lower bound holds, is this times the number of values in a latent.

    Nothing is clamped: a log variance above 88 is infinity in float32.

    Source: Kingma & Welling 2013, arXiv:1312.6114, appendix B.

    Raises:
        ShapeError: the shapes differ or hold no numbers.
    """
    mean, log_variance = alike(mean, log_variance)
    return (mean.square() + torch.expm1(log_variance) - log_variance).mean() / 2
