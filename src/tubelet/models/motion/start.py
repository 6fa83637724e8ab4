"""Where training along motion starts: a fitted linear model, with more coefficients and networks."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.models.klt.moments import Moments
from tubelet.models.klt.start import Crops, extend
from tubelet.models.motion.model import MotionModel
from tubelet.models.motion.search import find_field
from tubelet.video.pixels import to_model

CROPS = 1000
"""Crops at most in which motion is looked for; they are evenly spread over all."""


class Spread(NamedTuple):
    """Mean and covariance of patches."""

    mean: Float64[Tensor, " d"]
    covariance: Float64[Tensor, "d d"]


def plain_spread(every: Moments, plain: Moments) -> Spread:
    """Mean and covariance of plain patches, among which a few of all count: some clips have no plain ones.

    Args:
        every: of all patches; as many of them count as a patch has numbers.
        plain: of plain ones.
    """
    share = plain.count / (plain.count + every.mean.numel())
    between = plain.mean - every.mean
    covariance = torch.lerp(every.covariance, plain.covariance, share)
    covariance.addr_(between, between, alpha=share * (1 - share))
    return Spread(torch.lerp(every.mean, plain.mean, share), covariance)


@torch.no_grad()
def take_over(model: MotionModel, linear: MotionModel, crops: Crops, *, seed: int) -> None:
    """Give a model the statistics and the bases of a linear one; coefficients beyond these are fitted.

    Args:
        model: what is set.
        linear: what it takes over; of more coefficients the first.
        crops: what it will be trained on.
        seed: of the groups of frames that are looked at.

    Raises:
        OptionError: the linear model is of another shape, or the crops give fewer patches than a patch has
            numbers.
    """
    known, wanted = len(linear.transform.deviation), len(model.transform.deviation)
    if linear.stride != model.stride or linear.corrections is not None:
        what = f"stride {linear.stride}" if linear.corrections is None else "networks"
        raise OptionError(
            f"the tokenizer to start from has {what}, and the model stride {model.stride}; it must be linear "
            "and have the same stride. Start from another."
        )
    model.requires_grad_(requires_grad=False)
    model.vector_deviation.copy_(linear.vector_deviation)
    if known >= wanted:
        model.transform.load_state_dict(linear.transform.narrowed(wanted).state_dict())
        return
    every, plain = (Moments(model.transform.along.mean.numel()) for _ in range(2))
    for patches, flags in _patches(model, crops, seed):
        every.update(patches)
        plain.update(patches[flags])
    if every.count < len(every.mean):
        raise OptionError(
            f"the crops gave {every.count} patches of {len(every.mean)} numbers; at least as many are "
            "needed. Prepare more or larger ones."
        )
    own, other = linear.transform, plain_spread(every, plain)
    further = extend(model.transform.along, own.along, mean=every.mean, covariance=every.covariance)
    extend(model.transform.plain, own.plain, mean=other.mean, covariance=other.covariance)
    model.transform.deviation.copy_(torch.cat([own.deviation.double(), further.sqrt()]))


def _patches(
    model: MotionModel, crops: Crops, seed: int
) -> Iterator[tuple[Float[Tensor, "n d"], Bool[Tensor, " n"]]]:
    """All patches of a random group of some crops, moved onto its first frame, and which are plain."""
    t, h, w = model.stride
    count = min(CROPS, len(crops))
    rows, columns = crops.side // h * h, crops.side // w * w
    for number in range(count):
        random = np.random.default_rng((seed, number))
        first = random.integers(0, max(1, crops.frames - t + 1))
        groups = to_model(crops[number * len(crops) // count][first : first + t, :rows, :columns])
        field = find_field(groups, t, model.cell)
        straight = rearrange(model.straightened(groups, field), "1 h w T d -> (h w) (T d)")
        yield straight, field.plain.flatten()
