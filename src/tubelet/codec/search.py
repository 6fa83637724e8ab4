"""The greatest setting whose value stays within a limit, found by trying few of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Result = TypeVar("Result")

_TRIES = 9
"""Settings that are tried at most once one is known that is within the limit."""

_CLOSEST = 1e-3
"""How far settings are apart at least that are told apart."""


@dataclass(frozen=True, slots=True)
class Tried(Generic[Result]):
    """A setting, its value, and what came with it."""

    setting: float
    value: float
    result: Result


def largest_within(
    measure: Callable[[float], tuple[float, Result]],
    limit: float,
    *,
    start: float,
    low: float,
    high: float,
    near: float,
) -> Tried[Result]:
    """Find about the greatest setting whose value is at most `limit`.

    Values rise with settings, roughly by a power; where they do not, that costs tries alone.

    Args:
        measure: gives the value of a setting, positive, and what comes with it.
        limit: what the value may be.
        start: where to begin.
        low: the least setting; it is the answer where even its value is beyond the limit.
        high: the greatest setting.
        near: the share of the limit from which a value is good enough.
    """
    below: Tried[Result] | None = None
    above: Tried[Result] | None = None
    setting, stride, tries = min(max(start, low), high), 1.0, 0
    while below is None or tries < _TRIES:
        tries += 1
        tried = Tried(setting, *measure(setting))
        if tried.value <= limit:
            below = tried if below is None or tried.setting > below.setting else below
            if tried.value >= near * limit or setting == high:
                return tried
        else:
            above = tried
            if setting == low:
                return tried
        if below is not None and above is not None:
            if abs(above.setting - below.setting) < _CLOSEST or above.setting < below.setting:
                break
            setting = _between(below, above, limit * (1 + near) / 2)
        else:
            # In strides that double, until the limit lies between two settings.
            setting = min(max(setting + (stride if above is None else -stride), low), high)
            stride *= 2
    assert below is not None, "a loop ends with one"
    return below


def _between(below: Tried[Result], above: Tried[Result], aim: float) -> float:
    """Where on the line through the logarithms of two values the aim lies; not near their ends."""
    low, high = max(below.value, 1e-12), max(above.value, 1e-12)
    share = math.log(max(aim, 1e-12) / low) / math.log(high / low)
    return below.setting + min(max(share, 0.15), 0.85) * (above.setting - below.setting)
