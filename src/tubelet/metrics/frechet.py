"""Fréchet distance between two sets of clips in the features of a network, such as FVD and rFVD.

The network is any `VideoFeatures`: what `tubelet.perceptual.i3d_weights` reads for FVD as published, what
`tubelet.perceptual.videomae_weights` reads for that of Ge et al. 2024. tubelet holds no weights and fetches
none; without them there is no figure.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from tubelet.checks import check_clip, check_floating, check_values
from tubelet.errors import ShapeError
from tubelet.types import Video

Features = Float[Tensor, "n d"]
"""d numbers for each of n clips."""


@runtime_checkable
class VideoFeatures(Protocol):
    """Anything that gives features of clips."""

    def __call__(self, video: Video, /) -> Features:
        """Give the features of each clip, RGB in [-1, 1]; what scaling it needs, it does itself."""
        ...


class Gaussian(NamedTuple):
    """The mean and the covariance of features."""

    mean: Float64[Tensor, " d"]
    covariance: Float64[Tensor, "d d"]


class FeatureMoments:
    """Mean and covariance of more features than memory holds, in float64 (Chan, Golub & LeVeque 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self._mean: Float64[Tensor, " d"] = torch.zeros(0, dtype=torch.float64)
        self._scatter: Float64[Tensor, "d d"] = torch.zeros(0, 0, dtype=torch.float64)

    def update(self, features: Features) -> None:
        """Add the features of some clips.

        Raises:
            ShapeError: they are not as many numbers as before, or not all of them finite.
        """
        check_floating(features, "features", cure="Check the network.")
        if features.ndim != 2:
            raise ShapeError(
                f"features are {tuple(features.shape)}; they are a row of numbers for each clip."
            )
        batch = features.detach().to("cpu", torch.float64)
        count, size = batch.shape
        if not bool(batch.isfinite().all()):
            raise ShapeError("features hold NaN or infinity, which have no mean. Check the network.")
        if not self.count:
            self._mean = torch.zeros(size, dtype=torch.float64)
            self._scatter = torch.zeros(size, size, dtype=torch.float64)
        if size != len(self._mean):
            raise ShapeError(
                f"the features are {size} numbers per clip and were {len(self._mean)} before; one network "
                "gives all of them."
            )
        if not count:
            return
        total = self.count + count
        mean = batch.mean(dim=0)
        shift = mean - self._mean
        centred = batch - mean
        self._scatter += centred.T @ centred + torch.outer(shift, shift) * (self.count * count / total)
        self._mean += shift * (count / total)
        self.count = total

    def compute(self) -> Gaussian:
        """Mean and covariance, the latter over count - 1, as numpy's ``cov``.

        Raises:
            ShapeError: there are fewer than two clips.
        """
        if self.count < 2:
            raise ShapeError(f"there are features of {self.count} clips; a covariance needs two at least.")
        return Gaussian(self._mean.clone(), self._scatter / (self.count - 1))


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """The squared Fréchet distance of two Gaussians (Dowson & Landau 1982; Heusel et al. 2017, eq. 6).

    |μ₁ - μ₂|² + tr C₁ + tr C₂ - 2 · tr (C₁C₂)^½. The last trace is the sum of the singular values of
    C₁^½ C₂^½, and the roots come from eigenvalues, negative ones by rounding taken as 0: so it is exact where
    covariances have no full rank, as with fewer clips than features.

    Raises:
        ShapeError: the sizes differ.
    """
    if one.mean.shape != other.mean.shape:
        raise ShapeError(
            f"the Gaussians have {len(one.mean)} and {len(other.mean)} dimensions; features of one network "
            "are compared."
        )
    shared = torch.linalg.svdvals(_root(one.covariance) @ _root(other.covariance)).sum()
    spread = one.covariance.trace() + other.covariance.trace() - 2 * shared
    return max(0.0, float((one.mean - other.mean).square().sum() + spread))


class FrechetVideoDistance:
    """Fréchet distance between clips and their reconstructions: rFVD, with the network that FVD takes.

    It compares whole clips, so update takes clips in full, not runs of frames. Both sets grow together here;
    for generated clips, which have no reference each, take two `FeatureMoments` and `frechet_distance`. The
    distance falls with the number of clips (about 2000 are usual): print `clips` beside it.

    Source: Unterthiner et al. 2018 (arXiv:1812.01717).
    """

    def __init__(self, features: VideoFeatures) -> None:
        self.features = features
        self._reference = FeatureMoments()
        self._video = FeatureMoments()

    @property
    def clips(self) -> int:
        """How many clips were added."""
        return self._video.count

    def update(self, reference: Video, video: Video) -> None:
        """Add whole clips.

        Raises:
            ShapeError: these are not clips; or the network gives no feature vector per clip, other sizes than
                before, or no numbers.
            OptionError: the clips are not floating-point tensors, or of another scale than [-1, 1].
            LatentError: they hold NaN or infinity.
        """
        for name, clips in (("reference", reference), ("video", video)):
            check_clip(clips, name)
            check_values(clips, name)
        with torch.no_grad():
            for moments, clips in ((self._reference, reference), (self._video, video)):
                features = self.features(clips)
                if features.ndim != 2 or len(features) != len(clips):
                    raise ShapeError(
                        f"the network gave features of shape {tuple(features.shape)} for {len(clips)} clips; "
                        "it must give one row per clip. Flatten what comes after the clips."
                    )
                moments.update(features)

    def compute(self) -> float:
        """The distance; 0 for equal sets.

        Raises:
            ShapeError: there are fewer than two clips.
        """
        return frechet_distance(self._reference.compute(), self._video.compute())


def _root(covariance: Float64[Tensor, "d d"]) -> Float64[Tensor, "d d"]:
    """The symmetric square root."""
    values, vectors = torch.linalg.eigh(covariance)
    # What rounding left of directions without variance would come out as its root, a million times as large.
    floor = values[-1].clamp(min=0) * len(values) * torch.finfo(torch.float64).eps
    return (vectors * torch.where(values > floor, values, 0.0).sqrt()) @ vectors.T
