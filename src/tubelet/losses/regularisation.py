"""What keeps a latent near a standard normal distribution."""

from tubelet.losses.pair import Loss, alike
from tubelet.nn.divergence import kl_per_value
from tubelet.types import Latent


def kl_standard_normal(mean: Latent, log_variance: Latent) -> Loss:
    """The mean over values of `kl_per_value`, in nats per value.

    The sum per clip, which the evidence lower bound holds, is this times the number of values in a latent.

    Raises:
        ShapeError: the shapes differ or hold no numbers.
    """
    return kl_per_value(*alike(mean, log_variance)).mean()
