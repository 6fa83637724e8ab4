"""How far the digits of a scalar quantiser are from even use, as a loss.

A token's entropy cannot be estimated from the positions of one batch: there are more values than positions.
That of two digits together can. Pairs that are used evenly leave no digit uneven and no two dependent, which
is most of what keeps tokens from being used.
"""

import math
from functools import lru_cache
from itertools import combinations

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from tubelet.quantizers.vectors import Rows

TEMPERATURE = 0.25
"""Of the soft choice, in squared steps between levels: at its centre a level has 96 %, at a border half."""


def pair_unevenness(bounded: Rows, levels: tuple[int, ...]) -> Float[Tensor, ""]:
    """What the entropy of two digits lacks to its most, the mean over all pairs of channels, in nats.

    The soft choice of a digit is the softmax of its squared distances over `TEMPERATURE`. The joint choice of
    two channels is the mean over positions of the product of theirs. Zero if every pair of values is as
    frequent as any other; with one channel, that channel's own entropy is taken.

    Args:
        bounded: values whose nearest whole numbers are digits, less half the number of levels (rounded down).
        levels: of each channel.
    """
    choice = _soft_choice(rearrange(bounded, "b t h w c -> (b t h w) c"), levels)
    if len(levels) == 1:
        return math.log(levels[0]) - _entropy(choice.mean(dim=0)).sum()
    joint = choice.T @ choice / len(choice)
    of_channel = _of_channel(levels).to(joint.device)
    entropies = of_channel.T @ _entropy(joint) @ of_channel
    lacking = [
        math.log(levels[one] * levels[two]) - entropies[one, two]
        for one, two in combinations(range(len(levels)), 2)
    ]
    return torch.stack(lacking).mean()


def _soft_choice(positions: Float[Tensor, "n c"], levels: tuple[int, ...]) -> Float[Tensor, "n v"]:
    """The probability of every level of every channel, one channel after the other."""
    places, real = (each.to(positions.device) for each in _places(levels))
    logits = -(rearrange(positions, "n c -> n c 1") - places).square() / TEMPERATURE
    return logits.masked_fill(~real, -torch.inf).softmax(dim=2)[:, real]


def _entropy(probability: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    return -torch.special.xlogy(probability, probability.clamp(min=1e-12))


@lru_cache(maxsize=16)
def _places(levels: tuple[int, ...]) -> tuple[Float[Tensor, "c l"], Bool[Tensor, "c l"]]:
    """Where levels lie, filled up to the most that a channel has; and which of them there are."""
    digit = torch.arange(max(levels))
    count = torch.tensor(levels)[:, None]
    return (digit - count // 2).to(torch.float32), digit < count


@lru_cache(maxsize=16)
def _of_channel(levels: tuple[int, ...]) -> Float[Tensor, "v c"]:
    """1 where a level is one of a channel."""
    return torch.eye(len(levels)).repeat_interleave(torch.tensor(levels), dim=0)
