"""How far made clips are from true ones as a set, from what was trained on, and from standing still."""

from collections.abc import Sequence
from math import prod, sqrt
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.data.scenes import COLOURS, DIRECTIONS
from tubelet.errors import OptionError
from tubelet.generate.captioned import read_encoded
from tubelet.generate.checkpoint import TextToVideo
from tubelet.generate.dit.network import DiT
from tubelet.generate.evaluation.parse import ParsedThing
from tubelet.generate.evaluation.regions import ground_of
from tubelet.generate.known_tokenizer import continuous_of
from tubelet.generate.tokens.digits import digits_to_latent
from tubelet.metrics.frechet import FeatureMoments, frechet_distance
from tubelet.types import Frames, Latent

_GROUND = 24.0
"""Levels from the fitted ground up to which a pixel is taken for ground."""

_AT_ONCE = 256
"""Training clips that are compared together."""


def flicker_of(frames: Frames) -> float:
    """By how many levels the ground of a clip changes from frame to frame, in the mean; 0 if it stands still.

    Ground is what is near the ground that the rules fit, in both frames; a clip without any has none: NaN.
    """
    ground = ground_of(frames)
    still = np.abs(frames.astype(float) - ground).max(axis=-1) <= _GROUND
    both = still[1:] & still[:-1]
    changes = np.abs(np.diff(frames.astype(float), axis=0)).mean(axis=-1)
    return float(changes[both].mean()) if both.any() else float("nan")


def parsed_distance(made: Sequence[list[ParsedThing]], true: Sequence[list[ParsedThing]]) -> float:
    """The Fréchet distance between two sets of clips in what the rules read of their largest thing.

    Its numbers are velocity along both axes, colour, how well its shape fits, for how long it is seen, and
    how many things there are, each in deviations of the true clips: 0 for equal sets, and two sets of which
    one number is apart by a deviation are at 1.

    Raises:
        ShapeError: there are fewer than two clips in a set.
    """
    numbers = [torch.tensor([_numbers(things) for things in each]) for each in (made, true)]
    deviations = numbers[1].std(dim=0).clamp_min(0.05)
    moments = [FeatureMoments(), FeatureMoments()]
    for each, own in zip(numbers, moments, strict=True):
        own.update(each / deviations)
    return frechet_distance(moments[0].compute(), moments[1].compute())


def nearest_training_distances(model: TextToVideo, run: Path, latent: Latent) -> list[float]:
    """How far clips are from the nearest one that a generator was trained on, in levels of pixels.

    It is the root of the mean square over the clip, of differences of latents in pixel units. A generator
    that gives back what it was shown has far smaller distances than true clips that it was not shown.

    Args:
        model: the generator.
        run: folder of its training.
        latent: of the clips, as the tokenizer's decoder takes it.

    Raises:
        OptionError: the folder holds no clips of such a run, or those of another tokenizer.
    """
    values = read_encoded(run, model.tokenizer, digits=not isinstance(model.network, DiT))
    if values.shape[-3:] != latent.shape[-3:]:
        raise OptionError(
            f"clips of {run} have {'x'.join(map(str, values.shape[-3:]))} positions, and the generator makes "
            f"{'x'.join(map(str, latent.shape[-3:]))}. Give the run that it was trained in."
        )
    wanted = _in_levels(model, latent)
    diffuses = isinstance(model.network, DiT)
    nearest = torch.full((len(latent),), float("inf"), dtype=torch.float64)
    for start in range(0, len(values), _AT_ONCE):
        some = torch.from_numpy(np.array(values[start : start + _AT_ONCE]))
        known = some.float() if diffuses else digits_to_latent(model.tokenizer, some.long())
        nearest = torch.minimum(nearest, torch.cdist(wanted, _in_levels(model, known)).amin(dim=1))
    numbers = 3 * prod(continuous_of(model.tokenizer).stride) * latent[0, 0].numel()
    return (nearest / sqrt(numbers)).tolist()


def _in_levels(model: TextToVideo, latent: Latent) -> Float[Tensor, "b n"]:
    """Latents whose distances are about those of pixels: the linear part of a tokenizer is a turn."""
    (units,) = continuous_of(model.tokenizer).model.pixel_units().values()
    scale = 127.5 * units.detach().cpu().double()[: latent.shape[1]]
    return rearrange(latent.cpu().double() * rearrange(scale, "c -> c 1 1 1"), "b c t h w -> b (c t h w)")


def _numbers(things: list[ParsedThing]) -> list[float]:
    if not things:
        return [0.0] * 8
    thing = things[0]
    x, y = DIRECTIONS.get(thing.direction, (0.0, 0.0))
    length = max((x * x + y * y) ** 0.5, 1.0)
    colour = [level / 255 for level in COLOURS[thing.colour]]
    way = [thing.speed * x / length, thing.speed * y / length]
    return [*way, *colour, thing.fit, thing.seen, float(len(things))]
