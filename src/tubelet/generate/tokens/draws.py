"""What token generators are trained on: clips of digits, by seed, iteration and index alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from tubelet.generate.captioned import CaptionedDigits
from tubelet.generate.prompts import Prompts, PromptTable, prompts_of_clips
from tubelet.generate.tokens.digits import DigitGrid
from tubelet.generate.train_config import GeneratorTrainConfig

_CLIP, _WINDOW = 1, 2
"""Which stream of random numbers."""

Hide = Callable[[np.random.Generator, Bool[np.ndarray, "d t h w"]], Bool[np.ndarray, "d t h w"]]
"""Chooses which digits are hidden, of those that are not given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBatch:
    """Clips of an iteration, and what is to be said of them.

    Attributes:
        digits: of each clip, as they are.
        wanted: which of them the network must say.
        words: of each clip's caption.
        lead: whether the first step is the first of a clip.
    """

    digits: DigitGrid
    wanted: Bool[Tensor, "b d t h w"]
    words: Prompts
    lead: bool

    def to(self, device: torch.device) -> "TokenBatch":
        """The same on a device."""
        return TokenBatch(
            digits=self.digits.to(device), wanted=self.wanted.to(device), words=self.words.to(device),
            lead=self.lead,
        )  # fmt: skip


def draw_token_batch(
    data: CaptionedDigits,
    words: PromptTable,
    config: GeneratorTrainConfig,
    hide: Hide,
    *,
    step: int,
    indices: range,
) -> TokenBatch:
    """Draw the clips of an iteration.

    Args:
        data: digits.
        words: the captions of all of them.
        config: of the run.
        hide: chooses what the network must say.
        step: the iteration, from 0.
        indices: which clips of the whole batch.
    """
    shared = np.random.default_rng((config.seed, step, _WINDOW))
    continued = data.values.shape[2] > 2 and bool(shared.random() < config.continued)
    clips = [_draw_clip(data, config, hide, step=step, index=index, continued=continued) for index in indices]
    digits, wanted, said = zip(*clips, strict=True)
    return TokenBatch(
        digits=torch.stack(digits),
        wanted=torch.stack(wanted),
        words=prompts_of_clips(words, said),
        lead=not continued,
    )


def digit_losses(logits: Float[Tensor, "b d t h w v"], digits: DigitGrid) -> Float[Tensor, "b d t h w"]:
    """Minus the logarithm of the probability of each digit, in nats."""
    return F.cross_entropy(rearrange(logits, "b d t h w v -> b v d t h w"), digits, reduction="none")


def all_wanted(random: np.random.Generator, free: Bool[np.ndarray, "d t h w"]) -> Bool[np.ndarray, "d t h w"]:
    """Every digit that is not given: what an autoregressive network must say."""
    del random
    return free


def some_hidden(
    random: np.random.Generator, free: Bool[np.ndarray, "d t h w"]
) -> Bool[np.ndarray, "d t h w"]:
    """A random part of the digits that are not given, one at least: the cosine of an even random angle.

    Source: MaskGIT (Chang et al. 2022, arXiv:2202.04200), section 3.3.
    """
    count = max(1, round(float(np.cos(np.pi / 2 * random.random())) * int(free.sum())))
    order = np.where(free, random.random(free.shape), 2.0)
    return order <= np.partition(order, count - 1, axis=None)[count - 1]


def _draw_clip(
    data: CaptionedDigits,
    config: GeneratorTrainConfig,
    hide: Hide,
    *,
    step: int,
    index: int,
    continued: bool,
) -> tuple[Tensor, Tensor, int | None]:
    """The digits of a clip, which of them are wanted, and whose caption is said if any."""
    random = np.random.default_rng((config.seed, step, index, _CLIP))
    clip = int(random.integers(len(data.values)))
    digits = data.values[clip, :, int(continued) :].astype(np.int64)
    said = None if random.random() < config.unprompted else clip
    first = int(digits.shape[1] > 1 and random.random() < config.given)
    given = int(random.integers(1, digits.shape[1])) if continued else first
    free = np.broadcast_to(np.arange(digits.shape[1])[:, None, None] >= given, digits.shape)
    return torch.from_numpy(digits), torch.from_numpy(np.array(hide(random, free))), said
