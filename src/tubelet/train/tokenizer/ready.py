"""A trained tokenizer made ready: weights as they are stored, latents of zero mean and unit variance."""

from collections.abc import Callable

from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.data.crops import Crops
from tubelet.models.klt.moments import LEAST_VARIANCE, Moments
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.tokenizer.batches import parts_of
from tubelet.weights_file import round_for_storage

MEASURED = 512
"""Windows of the data from which mean and deviation of each channel are measured."""

OnWindows = Callable[[int], object]
"""Called with how many more windows are measured."""


def make_ready(tokenizer: ContinuousTokenizer, crops: Crops, on_windows: OnWindows) -> None:
    """Round the weights of a tokenizer's networks, then standardise its latents over random windows of data.

    In this order, because rounded weights give slightly other latents.

    Args:
        tokenizer: is changed.
        crops: the data it was trained on.
        on_windows: called with how many more of `MEASURED` windows are measured, again and again.
    """
    round_networks(tokenizer)
    tokenizer.model.standardise(_statistics(tokenizer, crops, on_windows))


def round_networks(tokenizer: ContinuousTokenizer) -> None:
    """Round the weights of networks to what is stored of them; the linear model stays as it is."""
    for network in tokenizer.model.networks():
        round_for_storage(network)


def _statistics(
    tokenizer: ContinuousTokenizer, crops: Crops, on_windows: OnWindows
) -> dict[str, tuple[Float[Tensor, " c"], Float[Tensor, " c"]]]:
    """Mean and standard deviation of each channel over random windows of the data, every clip the same."""
    moments = {part.name: Moments(part.channels) for part in tokenizer.parts}
    for parts in parts_of(tokenizer, crops, windows=MEASURED):
        for name, latent in parts.items():
            moments[name].update(rearrange(latent, "b c t h w -> (b t h w) c"))
        on_windows(len(next(iter(parts.values()))))
    return {
        name: (each.mean.float(), each.covariance.diagonal().clamp_min(LEAST_VARIANCE).sqrt().float())
        for name, each in moments.items()
    }
