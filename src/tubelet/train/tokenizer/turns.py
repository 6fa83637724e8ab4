"""Turned clips: what a latent shows after it was turned, and what it should show.

A latent whose decoder bears such turns is said to be kind to generators (arXiv:2502.09509, EQ-VAE;
arXiv:2502.14831). Time stays as it is: the first step of a latent shows one frame and the others several, so
a mean of steps shows no mean of frames.
"""

from typing import Literal, get_args

import numpy as np
from einops import reduce
from jaxtyping import Shaped
from torch import Tensor

from tubelet.types import Counts

Turn = Literal["mirrored", "upside-down", "half-size"]

TURNS: tuple[Turn, ...] = get_args(Turn)

_TURN = 9
"""Which stream of random numbers; `draws` has the others."""


def draw_turn(*, seed: int, step: int) -> Turn:
    """How all clips of a batch are turned, every way as often."""
    return TURNS[int(np.random.default_rng((seed, step, 0, _TURN)).integers(len(TURNS)))]


def turned(maps: Shaped[Tensor, "b c t h w"], turn: Turn) -> Shaped[Tensor, "b c t h2 w2"]:
    """Videos or latents with their columns or rows turned round, or with the mean of 2x2 places for each.

    Args:
        maps: rows and columns are even for ``half-size``.
        turn: what is done.
    """
    match turn:
        case "mirrored":
            return maps.flip(4)
        case "upside-down":
            return maps.flip(3)
        case "half-size":
            return reduce(maps, "b c t (h i) (w j) -> b c t h w", "mean", i=2, j=2)


def turned_counts(counts: Counts, turn: Turn) -> Counts:
    """The channels that positions of a turned latent keep; of four that become one, those of the first."""
    return counts[:, :, :, ::2, ::2] if turn == "half-size" else turned(counts, turn)
