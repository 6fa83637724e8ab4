"""From noise to a latent along the velocity that a network says, guided by a prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.generate.dit.network import DiT
from tubelet.generate.guidance import check_guidance, guided, twice, with_free
from tubelet.generate.prompts import Prompts
from tubelet.spelling import counted
from tubelet.types import Latent

MOST_STEPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSampling:
    """How a latent is made.

    Attributes:
        steps: of the way from noise to data; more are more exact.
        guidance: how far the velocity goes past that without a prompt: 1 is the model as it is, more follows
            the prompt more closely.
        method: ``euler`` asks the network once a step, ``heun`` twice.

    Raises:
        OptionError: a value has no meaning.
    """

    steps: int = 25
    guidance: float = 3.0
    method: Literal["euler", "heun"] = "euler"

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= MOST_STEPS:
            raise OptionError(f"steps are {self.steps}; they lie between 1 and {MOST_STEPS}.")
        check_guidance(self.guidance)
        if self.method not in ("euler", "heun"):
            raise OptionError(f"the method is {self.method!r:.40}; it is euler or heun.")

    def __str__(self) -> str:
        steps = counted(self.steps, f"{self.method} step")
        return f"{steps}, guidance {self.guidance:g}"


@torch.no_grad()
def sample_flow(
    network: DiT,
    words: Prompts,
    *,
    seeds: Sequence[int],
    shape: tuple[int, int, int],
    sampling: FlowSampling,
    first_step: int = 0,
    known: Float[Tensor, "b c given h w"] | None = None,
) -> Latent:
    """Make latents; each follows from its seed, words and place in the clip, whatever is made beside it.

    Args:
        network: says the velocity.
        words: of each prompt.
        seeds: of the noise of each clip.
        shape: steps, rows and columns.
        sampling: how.
        first_step: of the clip, from 0.
        known: leading steps that are there already, as the tokenizer has them; they come back unchanged.

    Returns:
        As a tokenizer decodes it.
    """
    steps, rows, columns = shape
    channels, given = network.config.channels, 0 if known is None else known.shape[2]
    device, dtype = network.mean.device, network.mean.dtype
    noise = torch.stack(
        [noise_of(seed, range(first_step, first_step + steps), (channels, rows, columns)) for seed in seeds]
    )
    latent = noise.to(device, dtype)
    if known is not None:
        latent[:, :, :given] = network.normalise(known)
    field = _Field(network, words.to(device), sampling.guidance, given=given, lead=first_step == 0)
    times = torch.linspace(0, 1, sampling.steps + 1, dtype=torch.float64).tolist()
    for start, stop in pairwise(times):
        velocity = field.at(latent, start)
        moved = _moved(latent, velocity, stop - start, given)
        if sampling.method == "heun":
            velocity = (velocity + field.at(moved, stop)) / 2
            moved = _moved(latent, velocity, stop - start, given)
        latent = moved
    restored = network.restore(latent)
    if known is not None:
        restored[:, :, :given] = known
    return restored


def noise_of(seed: int, steps: range, shape: tuple[int, int, int]) -> Tensor:
    """Normal noise of some steps of a clip, ``c t h w``; each step's follows from the seed and its number.

    Args:
        seed: not negative.
        steps: of the clip.
        shape: channels, rows and columns.
    """
    each = [np.random.default_rng((seed, step)).standard_normal(shape, dtype=np.float32) for step in steps]
    return torch.from_numpy(np.stack(each, axis=1))


class _Field:
    """The velocity of a batch, with guidance."""

    def __init__(self, network: DiT, words: Prompts, guidance: float, *, given: int, lead: bool) -> None:
        self._network, self._guidance, self._lead = network, guidance, lead
        self._words = with_free(words, guidance)
        self._given = torch.full((len(self._words),), given, device=network.mean.device)

    def at(self, latent: Latent, time: float) -> Latent:
        """The velocity at a time."""
        several = twice(latent, self._guidance)
        times = torch.full((len(several),), time, dtype=latent.dtype, device=latent.device)
        velocity = self._network(several, times, self._words, self._given, lead=self._lead)
        return guided(velocity, self._guidance)


def _moved(latent: Latent, velocity: Latent, way: float, given: int) -> Latent:
    """Latents after a part of their way; steps that are given stay."""
    moves = (torch.arange(latent.shape[2], device=latent.device) >= given).to(latent.dtype)
    return latent + way * velocity * rearrange(moves, "t -> t 1 1")
