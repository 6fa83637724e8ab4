"""Where training starts: a linear model, around which networks change nothing yet."""

from collections.abc import Iterator
from math import prod
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Float64
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.models.klt.model import KLTModel
from tubelet.models.klt.moments import Moments, principal_axes, set_level
from tubelet.nn.klt import KLT, KLTCascade
from tubelet.types import Frames, Stride
from tubelet.video.pixels import to_model

PATCHES = 400_000
"""About as many patches are looked at; they come from all crops evenly."""


@runtime_checkable
class Crops(Protocol):
    """Clips of one size.

    Attributes:
        frames: of each.
        side: rows and columns of pixels of each.
    """

    @property
    def frames(self) -> int:
        """Frames of each."""
        ...

    @property
    def side(self) -> int:
        """Rows and columns of pixels of each."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Frames: ...


def fit_to_crops(model: KLTModel, crops: Crops, *, seed: int, linear: KLTModel | None = None) -> None:
    """Fit the linear part of a model; its networks change nothing yet.

    Every crop counts the same, so every clip does.

    Args:
        model: what is fitted.
        crops: what it will be trained on.
        seed: of the patches that are looked at.
        linear: a linear model whose coefficients come first; those that follow are the KLT of what they
            leave, at the last level. None fits all of them.

    Raises:
        OptionError: the crops give fewer patches than a patch has numbers, or `linear` is of another shape.
    """
    cascade = model.transform.requires_grad_(requires_grad=False)
    if linear is not None:
        _check_linear(linear.transform, cascade)
    strengths = torch.zeros(0) if linear is None else linear.transform.deviation.double().square()
    for depth, level in enumerate(cascade.klts):
        known = None if linear is None else linear.transform.klts[depth]
        if known is not None and len(known.basis) == len(level.basis):
            level.load_state_dict(known.state_dict())
            continue
        moments = Moments(level.mean.numel())
        for vectors in _vectors(cascade, depth, crops, seed):
            moments.update(vectors)
        if known is None:
            strengths = set_level(level, moments)
        else:
            further = extend(level, known, mean=moments.mean, covariance=moments.covariance)
            strengths = torch.cat([strengths, further])
    cascade.deviation.copy_(strengths.sqrt())


def _check_linear(linear: KLTCascade, cascade: KLTCascade) -> None:
    known, wanted = ([len(level.basis) for level in each.klts] for each in (linear, cascade))
    same = linear.patches == cascade.patches and known[:-1] == wanted[:-1]
    if not same or known[-1] > wanted[-1]:
        raise OptionError(
            f"the linear tokenizer has patches {linear.patches} and {known} coefficients, and "
            f"the model {cascade.patches} and {wanted}; only the last level can be extended. Start from "
            "another, or from none."
        )


def extend(
    level: KLT, known: KLT, *, mean: Float64[Tensor, " d"], covariance: Float64[Tensor, "d d"]
) -> Float64[Tensor, " k"]:
    """Take the coefficients of a KLT over and add those of what it leaves; give the variances of these.

    Args:
        level: what is set, of more coefficients.
        known: what is taken over.
        mean: of what was seen.
        covariance: about it.
    """
    basis, origin = known.basis.double(), known.mean.double()
    about = mean - origin
    scatter = covariance + torch.outer(about, about)
    left = torch.eye(len(origin), dtype=torch.float64) - basis.T @ basis
    further = principal_axes(left @ scatter @ left, len(level.basis) - len(basis))
    level.basis.copy_(torch.cat([basis, further.basis]))
    level.mean.copy_(origin)
    return further.variances


def _vectors(cascade: KLTCascade, depth: int, crops: Crops, seed: int) -> Iterator[Float[Tensor, "n d"]]:
    """Random patches of a random group of frames of every crop, as one level of a cascade sees them."""
    patch = cascade.patches[depth]
    stride = Stride(*(prod(sides) for sides in zip(*cascade.patches[: depth + 1], strict=True)))
    side = crops.side // stride.h * stride.h
    wanted = -(-PATCHES // len(crops))
    for index in range(len(crops)):
        random = np.random.default_rng((seed, index, depth))
        first = random.integers(0, max(1, crops.frames - stride.t + 1))
        x = to_model(crops[index][first : first + stride.t, :side, :side])
        for level in cascade.klts[:depth]:
            x = level(x)
        vectors = rearrange(
            x, "1 c (t pt) (h ph) (w pw) -> (t h w) (pt ph pw c)", pt=patch.t, ph=patch.h, pw=patch.w
        )
        yield vectors[torch.from_numpy(random.permutation(len(vectors))[:wanted])]
