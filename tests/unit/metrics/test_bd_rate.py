import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline, PchipInterpolator

from tubelet.errors import OptionError
from tubelet.metrics.bd_rate import RatePoint, bd_rate

steps = st.lists(st.tuples(st.floats(0.05, 1.5), st.floats(0.1, 6)), min_size=4, max_size=7)


def curve(*points: tuple[float, float]) -> list[RatePoint]:
    return [RatePoint(*point) for point in points]


ANCHOR = curve((100, 30), (220, 33.5), (480, 36), (1000, 38.2))
TEST = curve((90, 31), (180, 33), (500, 37), (900, 39))


def grown(rises: list[tuple[float, float]]) -> list[RatePoint]:
    rate, quality = np.cumsum(np.array(rises), axis=0).T
    return [RatePoint(*point) for point in zip(10.0**rate, 30 + quality, strict=True)]


def by_interpolator(anchor, test, make) -> float:
    """The mean difference of the logarithms of the rates, integrated by an interpolator of scipy."""
    lines = []
    for points in (anchor, test):
        rates, qualities = np.array(points).T
        lines.append((qualities, np.log10(rates)))
    low = max(x[0] for x, _ in lines)
    high = min(x[-1] for x, _ in lines)
    first, second = (make(x, y).integrate(low, high) for x, y in lines)
    return (second - first) / (high - low)


@given(steps, steps)
def test_it_is_the_integral_of_scipys_pchip(one, other):
    anchor, test = grown(one), grown(other)
    # Hardly any overlap would measure the rounding of a difference.
    assume(max(anchor[0].quality, test[0].quality) + 0.01 < min(anchor[-1].quality, test[-1].quality))
    factor = 10 ** by_interpolator(anchor, test, PchipInterpolator)
    # Both integrate the same cubics in double precision.
    assert bd_rate(anchor, test) == pytest.approx(100 * (factor - 1), rel=1e-9, abs=1e-9)


def test_with_four_points_the_cubic_is_the_one_through_them():
    # Not-a-knot on four points is a single cubic.
    expected = by_interpolator(ANCHOR, TEST, lambda x, y: CubicSpline(x, y, bc_type="not-a-knot"))
    assert bd_rate(ANCHOR, TEST, fit="cubic") == pytest.approx(100 * (10**expected - 1), rel=1e-9)


@pytest.mark.parametrize("fit", ["pchip", "cubic"])
def test_a_curve_saves_nothing_against_itself(fit):
    assert bd_rate(ANCHOR, ANCHOR, fit=fit) == 0


@pytest.mark.parametrize("fit", ["pchip", "cubic"])
@pytest.mark.parametrize(("factor", "percent"), [(2, 100), (0.5, -50), (1.1, 10)])
def test_a_constant_factor_of_the_rate_is_the_delta_of_the_rate(fit, factor, percent):
    test = [RatePoint(point.rate * factor, point.quality) for point in ANCHOR]
    assert bd_rate(ANCHOR, test, fit=fit) == pytest.approx(percent, rel=1e-9)


@given(steps, steps)
def test_exchanging_the_curves_inverts_the_factor(one, other):
    anchor, test = grown(one), grown(other)
    try:
        there, back = bd_rate(anchor, test), bd_rate(test, anchor)
    except OptionError:
        return
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("fit", ["pchip", "cubic"])
def test_the_order_of_the_points_does_not_matter(fit):
    assert bd_rate(ANCHOR[::-1], TEST, fit=fit) == bd_rate(ANCHOR, TEST, fit=fit)


def test_two_points_are_a_straight_line():
    anchor, test = curve((10, 30), (1000, 34)), curve((20, 30), (500, 34))
    assert bd_rate(anchor, test) == pytest.approx(0, abs=1e-9)


def test_curves_without_a_quality_in_common_are_refused():
    far = [RatePoint(point.rate, point.quality + 20) for point in ANCHOR]
    with pytest.raises(OptionError, match=r"covers 30 to 38.2 of quality, the test 50 to 58.2"):
        bd_rate(ANCHOR, far)


@pytest.mark.parametrize("second", [(200, 30), (200, 29), (100, 31)])
def test_a_curve_that_does_not_grow_is_refused(second):
    with pytest.raises(OptionError, match="the test falls"):
        bd_rate(ANCHOR, curve((100, 30), second, (400, 36), (900, 40)))


def test_what_is_no_point_is_refused():
    with pytest.raises(OptionError, match="the anchor has 1 points; the fit 'pchip' needs 2"):
        bd_rate(ANCHOR[:1], TEST)
    with pytest.raises(OptionError, match="the test has 3 points; the fit 'cubic' needs 4"):
        bd_rate(ANCHOR, TEST[:3], fit="cubic")
    with pytest.raises(OptionError, match="not a finite number"):
        bd_rate(ANCHOR, [*TEST, RatePoint(2000, math.inf)])
    with pytest.raises(OptionError, match="rate of 0 or below"):
        bd_rate(ANCHOR, [RatePoint(0, 20), *TEST])
