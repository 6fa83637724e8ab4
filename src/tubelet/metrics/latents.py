"""What latents look like: moments, how they change in time, and what spatial frequencies they hold."""

import math
from dataclasses import dataclass

import torch
from einops import rearrange, reduce
from jaxtyping import Bool, Float64
from torch import Tensor

from tubelet.checks import check_finite, check_floating
from tubelet.errors import ShapeError
from tubelet.types import Latent

LAGS = (1, 2, 4)
"""Latent steps over which change is measured."""

BINS = 23
"""Rings of the spectrum, each 1/32 cycle per position wide; they reach the corner, 0.707."""

_BINS_PER_CYCLE = 32

PerChannel = tuple[float, ...]
"""One number for each channel, in order."""

Wide = Float64[Tensor, "b c t h w"]


@dataclass(frozen=True)
class LatentFigures:
    """Figures of all latents that were added, per channel. NaN stands where there was nothing to measure.

    Attributes:
        positions: how many positions there were.
        mean: 0 if a latent is ready to use.
        deviation: standard deviation, 1 if a latent is ready to use.
        kurtosis: fourth central moment over the squared variance; 3 for a Gaussian.
        distance: by lag, the mean squared change over so many steps, over the variance: 0 if nothing changes,
            2 if steps have nothing to do with each other.
        predictability: share of the variance of a step that the best linear guess explains, from all channels
            of the same position one step before: 0 to 1.
        frequencies: the middle of each ring of the spectrum, in cycles per position.
        spectrum: by channel and ring, the mean power at such spatial frequencies; white noise has its
            variance in every ring.
    """

    positions: int
    mean: PerChannel
    deviation: PerChannel
    kurtosis: PerChannel
    distance: dict[int, PerChannel]
    predictability: PerChannel
    frequencies: tuple[float, ...]
    spectrum: tuple[tuple[float, ...], ...]


class LatentStatistics:
    """Diagnostics of latents, clip by clip; memory does not grow with their number.

    Every update brings whole clips: change and prediction are measured inside of them and never from one
    update to the next. All sums are in float64, about the mean of the first update. Steps at a clip's start
    count as any others. Prediction is fitted on the positions that it is measured on: with n pairs of steps
    and c channels it explains c/n of pure noise, so take many; below c + 2 pairs it is NaN.
    """

    def __init__(self) -> None:
        self._positions = 0
        self._shift: Float64[Tensor, " c"] = torch.zeros(0, dtype=torch.float64)

    def update(self, latent: Latent) -> None:
        """Add whole clips.

        Raises:
            OptionError: this is not a floating-point tensor.
            ShapeError: it is not ``b c t h w``, or there are other channels than before.
            LatentError: a value is NaN or infinite.
        """
        check_floating(latent, "latent", cure="Tokens are counted by TokenUsage.")
        if latent.ndim != 5:
            raise ShapeError(
                f"latent is {tuple(latent.shape)}; it must be (clips, channels, steps, rows, columns)."
            )
        if not latent.numel():
            return
        check_finite(latent, "latent", cure="Check the encoder.")
        wide = latent.detach().to("cpu", torch.float64)
        if not self._positions:
            self._begin(wide)
        if wide.shape[1] != len(self._shift):
            raise ShapeError(
                f"the latent has {wide.shape[1]} channels and those before {len(self._shift)}; one object "
                "measures one kind of latent. Use another LatentStatistics."
            )
        centred = wide - rearrange(self._shift, "c -> 1 c 1 1 1")
        self._add_moments(centred)
        self._add_changes(centred)
        self._add_spectrum(centred)

    def compute(self) -> LatentFigures:
        """The figures of all latents so far.

        Raises:
            ShapeError: no latent was added.
        """
        if not self._positions:
            raise ShapeError("no latents were added; statistics need at least one. Call update first.")
        first, second, third, fourth = self._powers / self._positions
        variance = second - first**2
        central = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
        varies = self._varies(variance)
        nan = torch.full_like(variance, math.nan)
        distance = {
            lag: _floats(
                torch.where(varies & (self._steps[lag] > 0), each / self._steps[lag] / variance, nan)
            )
            for lag, each in self._changes.items()
        }
        spectrum = torch.where(self._ring_counts > 0, self._rings / self._ring_counts, math.nan)
        return LatentFigures(
            positions=self._positions,
            mean=_floats(self._shift + first),
            deviation=_floats(variance.clamp(min=0).sqrt()),
            kurtosis=_floats(torch.where(varies, central / variance**2, nan)),
            distance=distance,
            predictability=_floats(self._explained()),
            frequencies=tuple((ring + 0.5) / _BINS_PER_CYCLE for ring in range(BINS)),
            spectrum=tuple(_floats(each) for each in spectrum),
        )

    def _begin(self, wide: Wide) -> None:
        self._shift = reduce(wide, "b c t h w -> c", "mean")
        channels = len(self._shift)
        self._powers = torch.zeros(4, channels, dtype=torch.float64)
        self._changes = {lag: torch.zeros(channels, dtype=torch.float64) for lag in LAGS}
        self._steps = {lag: torch.zeros((), dtype=torch.float64) for lag in LAGS}
        # Products of a step, with a constant 1 behind its channels, and of that with the next step.
        self._gram = torch.zeros(channels + 1, channels + 1, dtype=torch.float64)
        self._cross = torch.zeros(channels + 1, channels, dtype=torch.float64)
        self._next = torch.zeros(2, channels, dtype=torch.float64)
        self._rings = torch.zeros(channels, BINS, dtype=torch.float64)
        self._ring_counts = torch.zeros(BINS, dtype=torch.float64)

    def _add_moments(self, centred: Wide) -> None:
        power = torch.ones_like(centred)
        for exponent in range(len(self._powers)):
            power *= centred
            self._powers[exponent] += reduce(power, "b c t h w -> c", "sum")
        self._positions += centred.numel() // centred.shape[1]

    def _add_changes(self, centred: Wide) -> None:
        for lag in LAGS:
            change = centred[:, :, lag:] - centred[:, :, :-lag]
            self._changes[lag] += reduce(change**2, "b c t h w -> c", "sum")
            self._steps[lag] += change.numel() // change.shape[1]
        before = rearrange(centred[:, :, :-1], "b c t h w -> (b t h w) c")
        after = rearrange(centred[:, :, 1:], "b c t h w -> (b t h w) c")
        before = torch.cat([before, torch.ones(len(before), 1, dtype=torch.float64)], dim=1)
        self._gram += before.T @ before
        self._cross += before.T @ after
        self._next += torch.stack([after.sum(dim=0), (after**2).sum(dim=0)])

    def _explained(self) -> Float64[Tensor, " c"]:
        """One minus the residual variance of least squares over the variance of the next step."""
        channels = len(self._shift)
        pairs = self._gram[-1, -1]
        if pairs < channels + 2:
            return torch.full((channels,), math.nan, dtype=torch.float64)
        mean = self._gram[:-1, -1] / pairs
        next_mean, next_square = self._next / pairs
        covariance = self._gram[:-1, :-1] / pairs - torch.outer(mean, mean)
        cross = self._cross[:-1] / pairs - torch.outer(mean, next_mean)
        variance = next_square - next_mean**2
        # Channels may depend on each other, or stand still: directions without variance predict nothing.
        inverse = torch.linalg.pinv(covariance, rtol=1e-10, hermitian=True)
        explained = torch.einsum("ic,ij,jc->c", cross, inverse, cross)
        return torch.where(self._varies(variance), (explained / variance).clamp(0, 1), math.nan)

    def _varies(self, variance: Float64[Tensor, " c"]) -> Bool[Tensor, " c"]:
        """Whether there is more variance than the rounding of a constant leaves."""
        return variance > 1e-28 * self._shift**2

    def _add_spectrum(self, centred: Wide) -> None:
        clips, _, steps, height, width = centred.shape
        power = torch.fft.fft2(centred).abs().square() / (height * width)
        rows, columns = (torch.fft.fftfreq(size, dtype=torch.float64) for size in (height, width))
        frequency = torch.hypot(rearrange(rows, "h -> h 1"), rearrange(columns, "w -> 1 w")).flatten()
        # A hair more, so that a frequency on the edge of two rings never falls to the lower by rounding.
        ring = (frequency * _BINS_PER_CYCLE + 1e-9).long()
        # The mean of a map is not a pattern in it.
        counted = (frequency > 0).to(torch.float64)
        summed = reduce(power, "b c t h w -> c (h w)", "sum") * counted
        self._rings.index_add_(1, ring, summed)
        self._ring_counts.index_add_(0, ring, counted * (clips * steps))


def _floats(values: Float64[Tensor, " n"]) -> tuple[float, ...]:
    return tuple(values.tolist())
