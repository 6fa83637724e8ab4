"""Guidance without a classifier (Ho and Salimans 2022, arXiv:2207.12598): clips with a prompt and without.

Guidance 1 is the model as it is, and asks it once; every other one asks it for clips without a prompt, too,
which stand behind those with one.
"""

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.generate.prompts import EncodedText, Prompts, no_prompt

LARGEST_GUIDANCE = 100.0


def check_guidance(guidance: float) -> None:
    """See whether it has a meaning.

    Raises:
        OptionError: it has none.
    """
    if not 0 <= guidance <= LARGEST_GUIDANCE:
        raise OptionError(f"guidance is {guidance}; it lies between 0 and {LARGEST_GUIDANCE:g}.")


def with_free(prompts: Prompts, guidance: float) -> Int64[Tensor, "_ l"] | EncodedText:
    """Prompts, and behind them no prompt for each clip once more."""
    if guidance == 1:
        return prompts
    if isinstance(prompts, EncodedText):
        states, seen = prompts.states, prompts.seen
        return EncodedText(
            torch.cat([states, torch.zeros_like(states)]), torch.cat([seen, torch.zeros_like(seen)])
        )
    return torch.cat([prompts, no_prompt(prompts.shape[1]).to(prompts.device).expand(len(prompts), -1)])


def twice(clips: Shaped[Tensor, "b ..."], guidance: float) -> Shaped[Tensor, "_ ..."]:
    """The same clips for those without a prompt."""
    return clips if guidance == 1 else torch.cat([clips, clips])


def guided(said: Float[Tensor, "_ ..."], guidance: float) -> Float[Tensor, "b ..."]:
    """What the model says with prompts, moved away from what it says without."""
    if guidance == 1:
        return said
    prompted, free = said.chunk(2)
    return free + guidance * (prompted - free)
