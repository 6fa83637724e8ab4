"""Channels where they matter: a number for each position, so that their mean is a budget."""

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Counts, Latent

CLASSES = (0, 1, 2, 4, 8, 16, 32, 64)
"""Numbers of channels that a position may have; a map of them is cheaper to store than one of any numbers."""

_HALVINGS = 30
"""Of the interval that holds the logarithm of the price: the last is a billionth of the first."""


def counts_within(tokenizer: ContinuousTokenizer, latent: Latent, budget: int | float) -> Counts:
    """How many channels each position of a latent gets, over the whole clip, where they take most error away.

    Args:
        tokenizer: that encoded the clip; its latent has one part.
        latent: all of it, or its leading channels.
        budget: channels per position in the mean over the clip, at most; above 0.

    Returns:
        For `ContinuousTokenizer.decode`: what lies beyond a position's count need not be kept.

    Raises:
        OptionError: the budget is none, or more than the latent has; the latent has more channels than the
            tokenizer, or several parts.
    """
    units = tokenizer.model.pixel_units()
    if len(units) != 1:
        raise OptionError(
            f"a budget is for a latent of one part; this tokenizer's has {len(units)} ({', '.join(units)}). "
            "Choose channels for each part, or another tokenizer."
        )
    if not 0 < budget < float("inf"):
        raise OptionError(f"budget is {budget}; it is channels per position in the mean, above 0.")
    channels = tokenizer.check_channels(latent.shape[1])
    if budget > channels:
        raise OptionError(
            f"budget is {budget:g} channels per position in the mean; the latent has {channels}. Give up to "
            f"{channels}, or leave it whole."
        )
    (own,) = units.values()
    scale = rearrange(own[:channels].detach().to(latent), "c -> c 1 1 1")
    energies = (latent * scale).square().float()
    return allocate(energies, torch.full((len(latent),), float(budget), device=latent.device))


def allocate(energies: Float[Tensor, "b c t h w"], budgets: Float[Tensor, " b"]) -> Counts:
    """Spend a clip's channels where they take most error away.

    A position that keeps its first k channels errs by the energy of the others. Every position takes the k
    that makes this error plus a price times k least, and the price is the lowest at which the mean of all k
    stays within the budget: the best choice there is for a sum of errors (Everett 1963), up to the one price.

    Args:
        energies: squared size of each channel at each position, in units in which errors add up, such as
            those of pixels; not negative.
        budgets: the most channels per position in the mean over a clip.

    Returns:
        Channels per position, each one of `CLASSES` or all channels.
    """
    channels = energies.shape[1]
    classes = torch.tensor(
        [count for count in CLASSES if count < channels] + [channels], device=energies.device
    )
    errors = _errors_beyond(energies, classes)
    most = budgets.double() * energies[0, 0].numel()
    low, high = _price_bounds(energies)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        spent = reduce(_cheapest(errors, classes, middle.exp()), "b 1 t h w -> b", "sum")
        low, high = torch.where(spent > most, middle, low), torch.where(spent > most, high, middle)
    return _cheapest(errors, classes, high.exp())


def _errors_beyond(energies: Float[Tensor, "b c t h w"], classes: Tensor) -> Float[Tensor, "b k t h w"]:
    """The energy that is left out by each class."""
    known = torch.cat([torch.zeros_like(energies[:, :1]), energies.cumsum(dim=1)], dim=1)
    return known[:, -1:] - known[:, classes]


def _price_bounds(energies: Float[Tensor, "b c t h w"]) -> tuple[Tensor, Tensor]:
    """Logarithms of a price so low that all channels are bought, and of one so high that none is."""
    total = reduce(energies, "b c t h w -> b t h w", "sum").amax(dim=(1, 2, 3))
    tiny = torch.finfo(energies.dtype).tiny
    return torch.full_like(total, tiny).log(), (2 * total + 2 * tiny).log()


def _cheapest(errors: Float[Tensor, "b k t h w"], classes: Tensor, price: Float[Tensor, " b"]) -> Counts:
    """The class of least cost at every position; of equals the smallest."""
    cost = errors + rearrange(price, "b -> b 1 1 1 1") * rearrange(classes, "k -> k 1 1 1")
    return classes[cost.argmin(dim=1, keepdim=True)]
