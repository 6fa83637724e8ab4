"""What samplers of tokens have in common: temperature, and noise by seed and place."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tubelet.errors import OptionError

LARGEST_TEMPERATURE = 100.0


def check_temperature(temperature: float) -> None:
    """See whether it has a meaning.

    Raises:
        OptionError: it has none.
    """
    if not 0 <= temperature <= LARGEST_TEMPERATURE:
        raise OptionError(f"temperature is {temperature}; it lies between 0 and {LARGEST_TEMPERATURE:g}.")


def uniform(
    seeds: Sequence[int], steps: range, shape: tuple[int, ...], *, stream: int
) -> Float[Tensor, "b t ..."]:
    """Even random numbers in (0, 1) of latent steps of clips: each step's follow from seed and number.

    Args:
        seeds: of the clips.
        steps: of the clips, from 0.
        shape: of what a step has.
        stream: another one gives other numbers.
    """
    each = [
        [np.random.default_rng((seed, step, stream)).random(shape, dtype=np.float64) for step in steps]
        for seed in seeds
    ]
    return torch.from_numpy(np.array(each)).clamp(1e-12, 1 - 1e-12)
