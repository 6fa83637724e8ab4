"""Where the training of a flow starts: how large what a decoder's coefficients lack usually is."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.models.flow.model import FlowModel
from tubelet.models.flow.refiner import log_powers
from tubelet.models.klt.model import PART
from tubelet.models.klt.start import Crops
from tubelet.nn.blocks import RateGain
from tubelet.types import Latent, Video
from tubelet.video.pixels import to_model

WINDOWS = 96
"""Windows of the crops that are looked at."""

_FRAMES, _SIDE = 12, 96
_RIDGE = 1e-2
"""Of the mean square of the logarithms, so that coefficients that say the same share their weight."""

_LEAST_RIDGE = 1e-6
"""Where no channel is known, what is decoded is the same everywhere."""

_LEAST_SIZE = 1e-3


class Window(NamedTuple):
    """A window of a crop: its latent, and the coefficients that its frames have."""

    latent: Latent
    coefficients: Float[Tensor, "1 k t h w"]


@torch.no_grad()
def fit_sizes(model: FlowModel, crops: Crops, *, seed: int) -> None:
    """Measure the size of what is lacking at each knot of the rate, and how it depends on what is there.

    Args:
        model: what is fitted; its base is trained.
        crops: what it will be trained on.
        seed: of the windows.
    """
    channels = model.base.channels
    windows = [
        Window(model.base.encode_groups(each, None).latents[PART], model.base.transform(each))
        for each in _videos(model, crops, seed=seed)
    ]
    for knot, rate in enumerate(RateGain.KNOTS):
        decoded, lacking = _pairs(model, windows, count=round(rate * channels))
        size = lacking.square().mean(dim=0).sqrt().clamp_min(_LEAST_SIZE)
        # How far above its usual size everything that a position lacks is.
        level = (lacking / size).square().mean(dim=1).clamp_min(1e-4).log() / 2
        seen = rearrange(log_powers(rearrange(decoded, "n k -> 1 k 1 1 n")), "1 1 1 n k -> n k")
        weights = _regression(seen, level)
        model.refiner.business[knot] = weights
        # Such that noise of this size has the power of what is lacking, most of which is where it is busy.
        power = (seen @ weights[:-1] + weights[-1]).exp().square().mean()
        model.refiner.deviation[knot] = size / power.sqrt()


def _videos(model: FlowModel, crops: Crops, *, seed: int) -> Iterator[Video]:
    """Windows of crops that were drawn evenly, in whole steps of whole cells."""
    random = np.random.default_rng((seed, WINDOWS))
    stride = model.stride
    frames = max(1, min(_FRAMES, crops.frames) // stride.t) * stride.t
    side = max(1, min(_SIDE, crops.side) // stride.h) * stride.h
    for index in random.integers(len(crops), size=WINDOWS):
        crop = crops[int(index)]
        first = int(random.integers(crops.frames - frames + 1))
        top, left = (int(each) for each in random.integers(crops.side - side + 1, size=2))
        window = crop[first : first + frames, top : top + side, left : left + side]
        yield to_model(np.ascontiguousarray(window))


def _pairs(
    model: FlowModel, windows: Sequence[Window], *, count: int
) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
    """What the decoder gives of so many channels, and what that lacks, at every position."""
    known = {PART: torch.full((1, 1, 1, 1, 1), count)}
    decoded: list[Tensor] = []
    lacking: list[Tensor] = []
    for window in windows:
        given, _ = model.base.decode_coefficients({PART: window.latent}, None, known)
        decoded.append(rearrange(given.coefficients, "1 k t h w -> (t h w) k"))
        lacking.append(rearrange(window.coefficients - given.coefficients, "1 k t h w -> (t h w) k"))
    return torch.cat(decoded), torch.cat(lacking)


def _regression(seen: Float[Tensor, "n k"], level: Float[Tensor, " n"]) -> Float[Tensor, " d"]:
    """Ridge regression with a constant, which comes last."""
    seen, level = seen.double(), level.double()
    mean, target = seen.mean(dim=0), level.mean()
    centred = seen - mean
    gram = centred.T @ centred / len(seen)
    gram += (_RIDGE * gram.diagonal().mean() + _LEAST_RIDGE) * torch.eye(len(gram), dtype=gram.dtype)
    weights = torch.linalg.solve(gram, centred.T @ (level - target) / len(seen))
    return torch.cat([weights, (target - weights @ mean).reshape(1)]).float()
