"""What is random in a training step besides its clips: channels and noise, by seed, step and index only.

Nothing depends on how many processes share a batch, nor on whether a run was interrupted.
"""

from math import inf
from typing import Literal

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tubelet.tokenizers.allocation import CLASSES
from tubelet.train.tokenizer.config import Prefixes
from tubelet.types import Counts

_COUNTS, _UNEVEN, _EVEN, _ELSE, _STEPS, _AHEAD, _DITHER = 1, 2, 3, 4, 5, 7, 8
"""Which stream of random numbers: those of the clips themselves are another."""


def draw_counts(
    prefixes: Prefixes, *, seed: int, step: int, indices: range, cells: tuple[int, int, int], channels: int
) -> Counts:
    """How many channels each position of each clip keeps: one number per clip, or a map of them.

    A clip with a budget (`draw_budgets`) has all of them here.

    Args:
        prefixes: what to draw from.
        seed: of the run.
        step: of the run.
        indices: which clips of the batch.
        cells: latent steps, rows and columns.
        channels: of a full latent.
    """
    maps = []
    for index in indices:
        random = np.random.default_rng((seed, step, index, _COUNTS))
        shares = np.array(prefixes.weights) / sum(prefixes.weights)
        kind = _kind(random, prefixes)
        if kind == "smooth":
            maps.append(_smooth_map(random, cells, channels))
        elif kind == "blocks":
            maps.append(_block_map(random, cells, channels))
        elif kind == "budget":
            maps.append(torch.full(cells, channels))
        else:
            maps.append(torch.full(cells, int(random.choice(prefixes.counts, p=shares))))
    return rearrange(torch.stack(maps), "b t h w -> b 1 t h w")


def draw_budgets(
    prefixes: Prefixes, *, seed: int, step: int, indices: range, channels: int
) -> Float[Tensor, " b"]:
    """The mean number of channels per position that each clip may spend; infinite without a budget.

    Small budgets are drawn as often as large ones: the logarithm is even, from one channel to three quarters
    of all.
    """
    budgets = []
    for index in indices:
        random = np.random.default_rng((seed, step, index, _COUNTS))
        if _kind(random, prefixes) == "budget":
            budgets.append(float(np.exp(random.uniform(0, np.log(max(1.0, 0.75 * channels))))))
        else:
            budgets.append(inf)
    return torch.tensor(budgets)


def draw_steps(
    fraction: float, bounds: tuple[float, float], *, seed: int, step: int, indices: range
) -> Float[Tensor, " b"]:
    """The quantiser's step for each clip, its logarithm even between `bounds`; 0 for one not rounded.

    Args:
        fraction: share of the clips that are rounded.
        bounds: smallest and largest step.
        seed: of the run.
        step: of the run.
        indices: which clips of the batch.
    """
    steps = []
    for index in indices:
        random = np.random.default_rng((seed, step, index, _STEPS))
        rounded = random.random() < fraction
        steps.append(float(np.exp(random.uniform(*np.log(bounds)))) if rounded else 0.0)
    return torch.tensor(steps)


def draw_ahead(most: int, *, seed: int, step: int) -> int:
    """How many last steps of all clips of a batch are dropped and predicted: 0 to `most`, evenly."""
    return int(np.random.default_rng((seed, step, 0, _AHEAD)).integers(most + 1))


def draw_noise(
    shape: tuple[int, ...], deviation: float, *, even: bool, seed: int, step: int, indices: range
) -> Float[Tensor, "b c t h w"]:
    """Normal noise for each clip's latent.

    Args:
        shape: of the latent of one clip.
        deviation: standard deviation of the noise.
        even: whether all clips have that; if not, each draws its own, evenly from zero to it.
        seed: of the run.
        step: of the run.
        indices: which clips of the batch.
    """
    clips = []
    for index in indices:
        random = np.random.default_rng((seed, step, index, _EVEN if even else _UNEVEN))
        own = deviation if even else random.uniform(0, deviation)
        clips.append(torch.from_numpy(random.standard_normal(shape, dtype=np.float32)) * own)
    return torch.stack(clips)


def draw_dither(
    shape: tuple[int, ...], *, seed: int, step: int, indices: range
) -> Float[Tensor, "b c t h w"]:
    """Noise for each clip's latent, even from -0.5 to 0.5: the error of rounding, in steps of the quantiser.

    Args:
        shape: of the latent of one clip.
        seed: of the run.
        step: of the run.
        indices: which clips of the batch.
    """
    clips = [
        np.random.default_rng((seed, step, index, _DITHER)).random(shape, dtype=np.float32)
        for index in indices
    ]
    return torch.from_numpy(np.stack(clips)) - 0.5


def generator_of(seed: int, step: int, index: int) -> torch.Generator:
    """A generator for what else a step draws."""
    state = np.random.SeedSequence((seed, step, index, _ELSE)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> 1))


def _kind(random: np.random.Generator, prefixes: Prefixes) -> Literal["smooth", "blocks", "budget", "one"]:
    """How the numbers of a clip's positions come about: the first choice that its generator makes."""
    place = random.random()
    if place < prefixes.maps:
        return "smooth"
    if place < prefixes.maps + prefixes.blocks:
        return "blocks"
    return "budget" if place < prefixes.maps + prefixes.blocks + prefixes.budgets else "one"


def _block_map(random: np.random.Generator, cells: tuple[int, int, int], channels: int) -> Tensor:
    """A map of counts with hard edges: blocks of one latent step each, from none to all channels."""
    side = int(random.integers(1, 9))
    steps, height, width = cells
    classes = [count for count in CLASSES if count < channels] + [channels]
    drawn = torch.from_numpy(random.choice(classes, (steps, -(-height // side), -(-width // side))))
    wide = repeat(drawn, "t h w -> t (h a) (w b)", a=side, b=side)
    return wide[:, :height, :width]


def _smooth_map(random: np.random.Generator, cells: tuple[int, int, int], channels: int) -> Tensor:
    """A map of counts from none to all channels, smooth over a few positions, few channels more often."""
    coarse = [max(1, -(-side // 4)) for side in cells]
    knots = torch.from_numpy(random.uniform(-0.25, 1, (1, 1, *coarse)))
    level: Float[Tensor, "t h w"] = rearrange(
        F.interpolate(knots, size=cells, mode="trilinear"), "1 1 t h w -> t h w"
    )
    return (level.clamp(0, 1).square() * channels).round().long()
