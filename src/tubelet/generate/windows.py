"""Clips of any length, window by window: what a window ends with is what the next one goes on from."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.generate.kinds import Network, Sampling, sample
from tubelet.generate.prompts import Prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What is to be made.

    Attributes:
        words: of the prompt, alone in its batch.
        seed: of the noise.
        steps: latent steps of the clip.
        cells: latent rows and columns.
        first: the first step, to go on from, as the network knows it; none to make it too.
    """

    words: Prompts
    seed: int
    steps: int
    cells: tuple[int, int]
    first: Tensor | None = None


def longest_clip(network: Network) -> int | None:
    """Latent steps of the longest clip that a network can make; none if there is no end."""
    return None if network.config.steps > 2 else network.config.steps


def make_steps(network: Network, clip: Clip, sampling: Sampling | None = None) -> Iterator[Tensor]:
    """A clip in runs of latent steps, as its network knows them; memory does not grow with its length.

    The first window is as long as those of training; each later one is a step shorter, because what is first
    in a clip stands still and comes once, and the first half of it is the end of the one before. So a shorter
    clip is the beginning of a longer one.

    Raises:
        OptionError: the network has learned no longer clips.
    """
    whole, patch = network.config.steps, network.config.patch
    longest = longest_clip(network)
    if longest is not None and clip.steps > longest:
        raise OptionError(
            f"the clip has {clip.steps} latent steps, and the generator makes {longest} at most. Ask for "
            "fewer frames."
        )
    rows, columns = (-(-side // patch) * patch for side in clip.cells)
    first, known = 0, clip.first if clip.first is None else _padded(clip.first, rows, columns)
    while first < clip.steps:
        size = whole - int(first > 0)
        given = 0 if known is None else known.shape[2]
        start = first - given if first else 0
        made = sample(
            network, clip.words, seeds=[clip.seed], shape=(size, rows, columns), sampling=sampling,
            first_step=start, known=known,
        )  # fmt: skip
        fresh = made[:, :, (given if first else 0) :][:, :, : clip.steps - first]
        yield fresh[:, :, :, : clip.cells[0], : clip.cells[1]]
        first += fresh.shape[2]
        known = made[:, :, -max(1, (whole - 1) // 2) :]


def _padded(step: Tensor, rows: int, columns: int) -> Tensor:
    """A step whose last row and column are repeated up to whole patches."""
    row = torch.arange(rows, device=step.device).clamp_max(step.shape[3] - 1)
    column = torch.arange(columns, device=step.device).clamp_max(step.shape[4] - 1)
    return step[:, :, :, row][:, :, :, :, column]
