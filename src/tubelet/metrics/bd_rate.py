"""Bjøntegaard's delta rate: what one rate-distortion curve saves against another, in the mean.

Curves are a few measured points; between them they are interpolated. Bjøntegaard (VCEG-M33, 2001) laid one
cubic through four points, the logarithm of the rate as a function of quality. Later practice in ITU-T and
JVET (technical paper HSTP-VID-WPOM, 2020) is a piecewise cubic that keeps the monotony of the points, for a
single one may swing between them: it is the default here. Herglotz et al. 2023 (arXiv:2304.12852) compare
these and more.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64

from tubelet.errors import OptionError

Fit = Literal["pchip", "cubic"]
"""A monotone piecewise cubic, or a single cubic by least squares."""

Line = Float64[np.ndarray, " _"]


class RatePoint(NamedTuple):
    """One point of a rate-distortion curve.

    Attributes:
        rate: bits per second, bits per pixel or bytes; the same for both curves, above 0.
        quality: of any measure of which more is better, such as PSNR in dB.
    """

    rate: float
    quality: float


class Curve(NamedTuple):
    """Points to be interpolated; both grow."""

    x: Line
    y: Line


def bd_rate(anchor: Sequence[RatePoint], test: Sequence[RatePoint], *, fit: Fit = "pchip") -> float:
    """How much more rate `test` needs than `anchor` for the same quality, in percent; below 0 if it saves.

    The mean of the difference of the logarithms of the rates, over the qualities that both curves reach, as a
    factor minus one.

    Raises:
        OptionError: a curve has too few points (2 for ``pchip``, 4 for ``cubic``) or falls somewhere, a
            number is not finite, a rate is not positive, or the curves have no quality in common.
    """
    # As a function of quality, the logarithm of the rate.
    one, other = _curve("anchor", anchor, fit), _curve("test", test, fit)
    mean = _mean_difference(Curve(one.y, one.x), Curve(other.y, other.x), fit)
    return 100 * (10**mean - 1)


def _curve(name: str, points: Sequence[RatePoint], fit: Fit) -> Curve:
    """The qualities as a function of the logarithm of the rate."""
    least = 4 if fit == "cubic" else 2
    if len(points) < least:
        raise OptionError(
            f"the {name} has {len(points)} points; the fit {fit!r} needs {least}. Measure more rates."
        )
    if not all(math.isfinite(number) for point in points for number in point):
        raise OptionError(
            f"the {name} holds what is not a finite number; a point without error has no place on a curve. "
            "Leave it out."
        )
    if min(point.rate for point in points) <= 0:
        raise OptionError(
            f"the {name} has a rate of 0 or below; its logarithm is taken. Give positive rates."
        )
    ordered = sorted(points)
    for one, other in pairwise(ordered):
        if other.rate == one.rate or other.quality <= one.quality:
            raise OptionError(
                f"the {name} falls: quality {one.quality} at rate {one.rate}, then {other.quality} at "
                f"{other.rate}; more rate must give more quality. Leave out points that others beat."
            )
    rates, qualities = np.array(ordered, np.float64).T
    return Curve(np.log10(rates), qualities)


def _mean_difference(anchor: Curve, test: Curve, fit: Fit) -> float:
    """The mean of `test` minus `anchor` over the qualities that both cover."""
    low, high = max(anchor.x[0], test.x[0]), min(anchor.x[-1], test.x[-1])
    if low >= high:
        raise OptionError(
            f"the anchor covers {anchor.x[0]:.4g} to {anchor.x[-1]:.4g} of quality, the test {test.x[0]:.4g} "
            f"to {test.x[-1]:.4g}; they must overlap. Measure more points between."
        )
    integral = _integral_of_cubic if fit == "cubic" else _integral_of_pieces
    return float((integral(test, low, high) - integral(anchor, low, high)) / (high - low))


def _integral_of_cubic(curve: Curve, low: float, high: float) -> float:
    """Of the cubic with the least squared distance from the points; with four it goes through them."""
    # Centred, for powers of a quality of 40 dB would lose the digits that matter.
    middle, scale = float(curve.x.mean()), float(np.ptp(curve.x))
    antiderivative = np.polyint(np.polyfit((curve.x - middle) / scale, curve.y, 3))
    ends = (np.array([low, high]) - middle) / scale
    return float(np.diff(np.polyval(antiderivative, ends))[0]) * scale


def _integral_of_pieces(curve: Curve, low: float, high: float) -> float:
    """Of the piecewise cubic through the points with the slopes of `_slopes`, exactly."""
    x, y = curve
    slopes = _slopes(curve)
    total = 0.0
    for i in range(len(x) - 1):
        start, stop = max(low, float(x[i])), min(high, float(x[i + 1]))
        if start >= stop:
            continue
        width = float(x[i + 1] - x[i])
        secant = (y[i + 1] - y[i]) / width
        # The cubic in s = x - x[i] with these values and slopes at both ends.
        square = (3 * secant - 2 * slopes[i] - slopes[i + 1]) / width
        cube = (slopes[i] + slopes[i + 1] - 2 * secant) / width**2
        antiderivative = np.polyint([cube, square, slopes[i], y[i]])
        total += float(np.diff(np.polyval(antiderivative, [start - x[i], stop - x[i]]))[0])
    return total


def _slopes(curve: Curve) -> Line:
    """Slopes at the points that keep each piece monotone (Fritsch & Butland 1984, as in PCHIM).

    Inside, the harmonic mean of the slopes on both sides, weighed by the widths; at the ends, that of the
    parabola through three points, where it grows.
    """
    widths = np.diff(curve.x)
    secants = np.diff(curve.y) / widths
    if len(widths) == 1:
        return np.repeat(secants, 2)
    slopes = np.zeros_like(curve.x)
    left, right = 2 * widths[1:] + widths[:-1], widths[1:] + 2 * widths[:-1]
    # Curves grow, so no secant is zero or negative.
    slopes[1:-1] = (left + right) / (left / secants[:-1] + right / secants[1:])
    slopes[0] = _slope_at_end(widths[0], widths[1], secants[0], secants[1])
    slopes[-1] = _slope_at_end(widths[-1], widths[-2], secants[-1], secants[-2])
    return slopes


def _slope_at_end(width: float, next_width: float, secant: float, next_secant: float) -> float:
    """Never negative, for the secants are positive; the parabola may be."""
    slope = ((2 * width + next_width) * secant - width * next_secant) / (width + next_width)
    return max(0.0, float(slope))
