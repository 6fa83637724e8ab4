"""What is random in a prior's training: windows of latents, how they are quantised, where channels are spent.

All of it follows from seed, step and index, so that a resumed run goes on as an unbroken one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor

from tubelet.nn.prefix import column
from tubelet.priors.numbers import COUNT_CLASSES, LARGEST_STEP, LEAST_STEP, STEP_UNIT
from tubelet.tokenizers.allocation import CLASSES, allocate
from tubelet.train.prior.config import PriorStage, PriorTrainConfig
from tubelet.train.prior.latents import Latents
from tubelet.train.prior.network import Symbols

ALL_CHANNELS = max(COUNT_CLASSES)
"""What a prior is told of positions without a map, however few channels there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A piece of the latent of a crop, and how it becomes symbols.

    Attributes:
        values: in quantiser steps at the usual step, or digits.
        step: of the quantiser, in that unit.
        rounding: what is added to a magnitude before its fraction is dropped: 0.5 rounds to the nearest, less
            towards zero.
        budget: mean number of channels per position; infinite for all of them.
    """

    values: Float[Tensor, "c t h w"]
    step: float
    rounding: float
    budget: float


def draw_window(
    latents: Latents, config: PriorTrainConfig, stage: PriorStage, *, step: int, index: int
) -> Window:
    """Draw a window: a clip, one of its crops, a place in it; every clip counts the same."""
    random = np.random.default_rng((config.seed, step, index))
    own = latents.clips[int(random.integers(len(latents.clips)))]
    number = own[int(random.integers(len(own)))]
    crop = latents.values[number]
    channels, steps, rows, columns = crop.shape
    first = int(random.integers(max(1, steps - stage.steps + 1)))
    row = int(random.integers(max(1, rows - stage.side + 1)))
    column = int(random.integers(max(1, columns - stage.side + 1)))
    part = crop[:, first : first + stage.steps, row : row + stage.side, column : column + stage.side]
    scale = latents.steps[number] or float(np.exp(random.uniform(*np.log(config.steps))))
    zone, has_map = random.random() < config.dead_zones, random.random() < config.maps
    rounding = float(random.uniform(0.3, 0.5)) if zone else 0.5
    budget = float(np.exp(random.uniform(0, np.log(max(1.0, 0.75 * channels))))) if has_map else np.inf
    return Window(
        values=torch.from_numpy(np.array(part, np.float32)), step=scale, rounding=rounding, budget=budget
    )


def to_symbols(windows: list[Window], latents: Latents) -> Symbols:
    """Quantise windows as a file would."""
    values = torch.stack([window.values for window in windows])
    channels = values.shape[1]
    if latents.bases:
        bases = column(torch.tensor(latents.bases))
        full = torch.full_like(values[:, :1], ALL_CHANNELS).long()
        one = torch.ones(len(windows)).long()
        return Symbols(
            values=2 * values - (bases - 1), counts=full, classes=torch.zeros_like(full).float(),
            class_count=one, step_class=0 * one - LEAST_STEP,
        )  # fmt: skip
    steps = torch.tensor([window.step for window in windows])
    rounding = rearrange(torch.tensor([window.rounding for window in windows]), "b -> b 1 1 1 1")
    scaled = values / rearrange(steps, "b -> b 1 1 1 1")
    symbols = scaled.sign() * (scaled.abs() + rounding).floor()
    budgets = torch.tensor([window.budget for window in windows])
    counts, classes, class_count = _counts(values, budgets, latents.energy_units)
    present = counts > column(torch.arange(channels))
    step_class = (steps.log2() * STEP_UNIT).round().clamp(LEAST_STEP, LARGEST_STEP).long() - LEAST_STEP
    return Symbols(
        values=symbols * present,
        counts=counts,
        classes=classes,
        class_count=class_count,
        step_class=step_class,
    )


def _counts(
    values: Float[Tensor, "b c t h w"], budgets: Float[Tensor, " b"], units: Float[Tensor, " c"]
) -> tuple[Int64[Tensor, "b 1 t h w"], Float[Tensor, "b 1 t h w"], Int64[Tensor, " b"]]:
    """Channels of each position, those of clips with a budget where their energy is; and their classes."""
    channels = values.shape[1]
    permitted = torch.tensor([*(count for count in CLASSES if count < channels), channels])
    spent = budgets.isfinite()
    counts = torch.full_like(values[:, :1], max(channels, ALL_CHANNELS)).long()
    classes = torch.zeros_like(values[:, :1])
    if bool(spent.any()):
        energies = (values[spent] * column(units)).square()
        counts[spent] = allocate(energies, budgets[spent])
        classes[spent] = (2 * torch.searchsorted(permitted, counts[spent]) - (len(permitted) - 1)).float()
    return counts, classes, torch.where(spent, len(permitted), 1)
