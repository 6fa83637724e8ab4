"""Digits one after the other; what was computed of earlier patches is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor

from tubelet.generate.autoregressive.network import AutoregressiveTransformer
from tubelet.generate.guidance import check_guidance, guided, twice, with_free
from tubelet.generate.prompts import Prompts
from tubelet.generate.tokens.digits import DigitGrid, from_patches, to_patches
from tubelet.generate.tokens.sampling import check_temperature, uniform
from tubelet.generate.tokens.trunk import Grid, Remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoregressiveSampling:
    """How digits are chosen.

    Attributes:
        guidance: how closely the prompt is followed; 1 is the model as it is.
        temperature: of what is drawn; 0 takes the likeliest value always.

    Raises:
        OptionError: a value has no meaning.
    """

    guidance: float = 2.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_guidance(self.guidance)
        check_temperature(self.temperature)

    def __str__(self) -> str:
        return f"guidance {self.guidance:g}, temperature {self.temperature:g}"


@torch.no_grad()
def sample_autoregressive(
    network: AutoregressiveTransformer,
    words: Prompts,
    *,
    seeds: Sequence[int],
    shape: tuple[int, int, int],
    sampling: AutoregressiveSampling,
    first_step: int = 0,
    known: Int64[Tensor, "b d given h w"] | None = None,
) -> DigitGrid:
    """Make digits; each clip follows from its seed, words and place, whatever is made beside it.

    Args:
        network: says the logits.
        words: of each prompt.
        seeds: of the chance in each clip.
        shape: steps, rows and columns.
        sampling: how.
        first_step: of the clip, from 0.
        known: leading steps that are there already.
    """
    config, device = network.config, network.begin.device
    grid, patch = Grid(*shape), config.patch
    times = range(first_step, first_step + grid.steps)
    noise = uniform(seeds, times, (len(config.bases), grid.rows, grid.columns), stream=0)
    noise = to_patches(rearrange(noise, "b t d h w -> b d t h w"), patch).to(device)
    made = torch.zeros(noise.shape, dtype=torch.int64, device=device)
    begin = 0
    if known is not None:
        given = to_patches(known.to(device), patch)
        begin = given.shape[1]
        made[:, :begin] = given
    window = Window(network, with_free(words.to(device), sampling.guidance), grid, lead=first_step == 0)
    for index in range(made.shape[1]):
        features = window.next(twice(made[:, index - 1], sampling.guidance) if index else None)
        if index >= begin:
            made[:, index] = _drawn(network, features, noise[:, index], sampling)
    return from_patches(made, patch, steps=grid.steps, rows=grid.rows)


class Window:
    """Features of the patches of a window, one after the other.

    Args:
        network: that gives them.
        words: of each clip's prompt.
        grid: of latent positions.
        lead: whether the first step is the first of a clip.
    """

    def __init__(self, network: AutoregressiveTransformer, words: Prompts, grid: Grid, *, lead: bool) -> None:
        self._network = network
        self._clips = len(words)
        self._turns = network.trunk.turns(grid, network.begin.device)
        self._marks = network.trunk.marks(grid, lead=lead)
        self._remembered = Remembered()
        self._patches = 0
        slots = network.config.slots
        prompt = network.trunk.prompt(words)
        self._seen = prompt.seen
        network.trunk.further(prompt.features, self._turns[:slots], self._remembered, self._seen)

    def next(self, before: Int64[Tensor, "b k"] | None) -> Float[Tensor, "b f"]:
        """Features of the next patch.

        Args:
            before: the digits of the patch before it; none at the beginning.
        """
        network, index = self._network, self._patches
        entered = (
            network.begin.expand(self._clips, 1, -1)
            if before is None
            else network.embed(rearrange(before, "b k -> b 1 k"))
        )
        place = network.config.slots + index
        features = network.trunk.further(
            entered + self._marks[index], self._turns[place : place + 1], self._remembered, self._seen
        )
        self._patches += 1
        return rearrange(features, "b 1 f -> b f")


def _drawn(
    network: AutoregressiveTransformer,
    features: Float[Tensor, "_ f"],
    noise: Float[Tensor, "b k"],
    sampling: AutoregressiveSampling,
) -> Int64[Tensor, "b k"]:
    """The digits of a patch."""
    chosen = torch.zeros(len(noise), 0, dtype=torch.int64, device=noise.device)
    for digit in range(noise.shape[1]):
        logits = guided(network.heads.one(features, twice(chosen, sampling.guidance)), sampling.guidance)
        chosen = torch.cat([chosen, _choice(logits, noise[:, digit : digit + 1], sampling)], dim=1)
    return chosen


def _choice(
    logits: Float[Tensor, "b v"], noise: Float[Tensor, "b 1"], sampling: AutoregressiveSampling
) -> Int64[Tensor, "b 1"]:
    """The value at which the summed probabilities pass the noise."""
    if sampling.temperature == 0:
        return logits.argmax(dim=1, keepdim=True)
    sums = (logits.double() / sampling.temperature).softmax(dim=1).cumsum(dim=1)
    return (sums < noise * sums[:, -1:]).sum(dim=1, keepdim=True)
