"""From hidden digits to a clip: in each round the surest of those that were drawn are kept.

Source: MaskGIT (Chang et al. 2022, arXiv:2202.04200), section 3.2, over digits instead of tokens.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.generate.guidance import check_guidance, guided, twice, with_free
from tubelet.generate.masked.network import MaskedTransformer
from tubelet.generate.prompts import Prompts
from tubelet.generate.tokens.digits import DigitGrid
from tubelet.generate.tokens.sampling import check_temperature, uniform
from tubelet.spelling import counted

MOST_STEPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedSampling:
    """How hidden digits are filled in.

    Attributes:
        steps: rounds; in each, more digits are kept than in the one before, along a cosine.
        guidance: how closely the prompt is followed; 1 is the model as it is.
        temperature: of what is drawn; 0 takes the likeliest value always.
        shuffle: how much chance there is in which digits are kept first, at the beginning; 0 keeps the
            surest.

    Raises:
        OptionError: a value has no meaning.
    """

    steps: int = 24
    guidance: float = 3.0
    temperature: float = 1.0
    shuffle: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= MOST_STEPS:
            raise OptionError(f"steps are {self.steps}; they lie between 1 and {MOST_STEPS}.")
        check_guidance(self.guidance)
        check_temperature(self.temperature)
        if not 0 <= self.shuffle <= MOST_STEPS:
            raise OptionError(f"shuffle is {self.shuffle}; it lies between 0 and {MOST_STEPS}.")

    def __str__(self) -> str:
        return f"{counted(self.steps, 'step')}, guidance {self.guidance:g}, temperature {self.temperature:g}"


@torch.no_grad()
def sample_masked(
    network: MaskedTransformer,
    words: Prompts,
    *,
    seeds: Sequence[int],
    shape: tuple[int, int, int],
    sampling: MaskedSampling,
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
    device = next(network.parameters()).device
    steps, rows, columns = shape
    bases = torch.tensor(network.config.bases, device=device)
    hidden_value = rearrange(bases, "d -> d 1 1 1").expand(-1, steps, rows, columns)
    seen = hidden_value.expand(len(seeds), -1, -1, -1, -1).clone()
    if known is not None:
        seen[:, :, : known.shape[2]] = known.to(device)
    words = with_free(words.to(device), sampling.guidance)
    free = int((seen[0] == hidden_value).sum())
    times = range(first_step, first_step + steps)
    for step in range(sampling.steps):
        logits = network(twice(seen, sampling.guidance), words, lead=first_step == 0)
        logits = guided(logits, sampling.guidance)
        noise = uniform(seeds, times, (2, len(bases), rows, columns, logits.shape[-1]), stream=step)
        noise = rearrange(noise, "b t two d h w v -> two b d t h w v").to(device, logits.dtype)
        drawn, sureness = _drawn(logits, noise[0], sampling.temperature)
        chance = sampling.shuffle * (1 - (step + 1) / sampling.steps)
        sureness = sureness + chance * _gumbel(noise[1, ..., 0])
        left = math.floor(free * math.cos(math.pi / 2 * (step + 1) / sampling.steps))
        seen = _with_surest(seen, drawn, sureness, seen == hidden_value, left)
    return seen


def _drawn(
    logits: Float[Tensor, "b d t h w v"], noise: Tensor, temperature: float
) -> tuple[DigitGrid, Float[Tensor, "b d t h w"]]:
    """A value for each digit, and the logarithm of its probability."""
    logs = logits.log_softmax(dim=-1)
    drawn = (logs + temperature * _gumbel(noise)).argmax(dim=-1)
    return drawn, torch.take_along_dim(logs, drawn[..., None], dim=-1)[..., 0]


def _gumbel(noise: Tensor) -> Tensor:
    return -(-noise.log()).log()


def _with_surest(seen: DigitGrid, drawn: DigitGrid, sureness: Tensor, hidden: Tensor, left: int) -> DigitGrid:
    """The digits after a round: `left` of the hidden ones stay hidden in each clip, the least sure."""
    flat = rearrange(sureness.masked_fill(~hidden, math.inf), "b d t h w -> b (d t h w)")
    rank = flat.argsort(dim=1, stable=True).argsort(dim=1)
    rank = rank.reshape(sureness.shape)
    return torch.where(hidden & (rank >= left), drawn, seen)
