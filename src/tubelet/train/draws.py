"""What is random in a training step besides its clips: channels and noise, by seed, step and index only.

Nothing depends on how many processes share a batch, nor on whether a run was interrupted.
"""

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tubelet.nn.prefix import Counts
from tubelet.train.config import Prefixes

_COUNTS, _UNEVEN, _EVEN, _ELSE = 1, 2, 3, 4
"""Which stream of random numbers: those of the clips themselves are another."""


def draw_counts(
    prefixes: Prefixes, *, seed: int, step: int, indices: range, cells: tuple[int, int, int], channels: int
) -> Counts:
    """How many channels each position of each clip keeps: one number per clip, or a smooth map of them.

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
        if random.random() < prefixes.maps:
            maps.append(_smooth_map(random, cells, channels))
        else:
            maps.append(torch.full(cells, int(random.choice(prefixes.counts, p=shares))))
    return rearrange(torch.stack(maps), "b t h w -> b 1 t h w")


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


def generator_of(seed: int, step: int, index: int) -> torch.Generator:
    """A generator for what else a step draws."""
    state = np.random.SeedSequence((seed, step, index, _ELSE)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> 1))


def _smooth_map(random: np.random.Generator, cells: tuple[int, int, int], channels: int) -> Tensor:
    """A map of counts from none to all channels, smooth over a few positions, few channels more often."""
    coarse = [max(1, -(-side // 4)) for side in cells]
    knots = torch.from_numpy(random.uniform(-0.25, 1, (1, 1, *coarse)))
    level: Float[Tensor, "t h w"] = rearrange(
        F.interpolate(knots, size=cells, mode="trilinear"), "1 1 t h w -> t h w"
    )
    return (level.clamp(0, 1).square() * channels).round().long()
