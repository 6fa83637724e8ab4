"""Rectified flow (Liu et al. 2022, arXiv:2209.03003): straight ways from noise to data, and their loss.

At time t a clip is ``(1 - t) noise + t data``, and moves at the velocity ``data - noise``, which the network
learns. All that is drawn follows from seed, iteration and index, so that a resumed run goes on as an unbroken
one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor

from tubelet.generate.captioned import CaptionedLatents
from tubelet.generate.dit.train_config import DiTTrainConfig
from tubelet.generate.prompts import Prompts, PromptTable, prompts_of_clips
from tubelet.nn.prefix import column
from tubelet.types import Latent

_CLIP, _WINDOW = 1, 2
"""Which stream of random numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowBatch:
    """Clips of an iteration, and what is drawn for them.

    Attributes:
        latent: of each clip, as its tokenizer gives it.
        noise: normal, of the same shape.
        times: of each clip, 0 for noise and 1 for data.
        words: of each clip's caption.
        given: how many leading steps of each clip are data.
        lead: whether the first step is the first of a clip.
    """

    latent: Latent
    noise: Latent
    times: Float[Tensor, " b"]
    words: Prompts
    given: Int64[Tensor, " b"]
    lead: bool

    def to(self, device: torch.device) -> "FlowBatch":
        """The same on a device."""
        return FlowBatch(
            latent=self.latent.to(device), noise=self.noise.to(device), times=self.times.to(device),
            words=self.words.to(device), given=self.given.to(device), lead=self.lead,
        )  # fmt: skip


def draw_flow_batch(
    data: CaptionedLatents, words: PromptTable, config: DiTTrainConfig, *, step: int, indices: range
) -> FlowBatch:
    """Draw the clips of an iteration.

    Args:
        data: latents.
        words: the captions of all of them.
        config: of the run.
        step: the iteration, from 0.
        indices: which clips of the whole batch.
    """
    steps = data.values.shape[2]
    shared = np.random.default_rng((config.seed, step, _WINDOW))
    continued = steps > 2 and shared.random() < config.continued
    clips = [_draw_clip(data, config, step=step, index=index, continued=continued) for index in indices]
    latents, noises, times, said, given = zip(*clips, strict=True)
    return FlowBatch(
        latent=torch.stack(latents),
        noise=torch.stack(noises),
        times=torch.tensor(times, dtype=torch.float32),
        words=prompts_of_clips(words, said),
        given=torch.tensor(given),
        lead=not continued,
    )


def noisy(latent: Latent, noise: Latent, times: Float[Tensor, " b"], given: Int64[Tensor, " b"]) -> Latent:
    """Clips on their way from noise to data; steps that are given are data already."""
    share = rearrange(times, "b -> b 1 1 1 1")
    return torch.where(_are_given(latent, given), latent, (1 - share) * noise + share * latent)


def flow_loss(
    velocity: Latent, latent: Latent, noise: Latent, given: Int64[Tensor, " b"], weights: Float[Tensor, " c"]
) -> Float[Tensor, " b"]:
    """Squared error of velocities, of each clip: mean over the steps that are not given.

    Args:
        velocity: what the network says.
        latent: data.
        noise: where they come from.
        given: how many leading steps of each clip are data; none has all of them.
        weights: of each channel.
    """
    errors = (velocity - (latent - noise)).square() * column(weights)
    wanted = ~_are_given(latent, given)
    return (errors * wanted).sum(dim=(1, 2, 3, 4)) / (wanted.sum(dim=(1, 2, 3, 4)) * errors[0, :, 0].numel())


def channel_weights(deviations: Float[Tensor, " c"], power: float) -> Float[Tensor, " c"]:
    """How much each channel counts: a power of its deviation in pixels; 1 in the mean."""
    weights = deviations**power
    return weights / weights.mean()


def _draw_clip(
    data: CaptionedLatents, config: DiTTrainConfig, *, step: int, index: int, continued: bool
) -> tuple[Tensor, Tensor, float, int | None, int]:
    """A clip's latent, noise and time, whose caption is said if any, and how many of its steps are given."""
    random = np.random.default_rng((config.seed, step, index, _CLIP))
    clip = int(random.integers(len(data.values)))
    latent = torch.from_numpy(data.values[clip, :, int(continued) :].astype(np.float32))
    noise = torch.from_numpy(random.standard_normal(latent.shape, dtype=np.float32))
    time = float(1 / (1 + np.exp(-config.time_mean - random.standard_normal())))
    said = None if random.random() < config.unprompted else clip
    first = int(latent.shape[1] > 1 and random.random() < config.given)
    given = int(random.integers(1, latent.shape[1])) if continued else first
    return latent, noise, time, said, given


def _are_given(latent: Latent, given: Int64[Tensor, " b"]) -> Tensor:
    """Which steps of each clip are given, ``b 1 t 1 1``."""
    index = rearrange(torch.arange(latent.shape[2], device=latent.device), "t -> 1 t")
    return rearrange(index < rearrange(given, "b -> b 1"), "b t -> b 1 t 1 1")
