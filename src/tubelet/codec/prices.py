"""What each class of counts costs and errs at each position of a step, and what is best at a price."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

PerClass = Float64[np.ndarray, "k h w"]
"""A number for each class of counts at each position of a step."""

Choice = Int64[np.ndarray, " h w"]
"""Which class each position takes."""

_BITS = 40
"""Prices lie from 2⁻⁴⁰ to 2⁴⁰."""

_HALVINGS = 46
"""Of the interval that holds the logarithm of a price: the last is 10⁻¹² wide."""


class StepTable(NamedTuple):
    """What a step may become.

    Attributes:
        errors: squared error of each class at each position, in units in which errors add up.
        costs: what each class takes there, in bits or in channels; finite, not negative.
    """

    errors: PerClass
    costs: PerClass

    def cheapest(self, price: float) -> Choice:
        """At every position the class of least error plus price times cost; of equals the first.

        For a sum of errors no other choice of the same cost is better (Everett 1963).
        """
        return (self.errors + price * self.costs).argmin(axis=0)

    def cost(self, choice: Choice) -> float:
        """What a choice costs in all."""
        return float(np.take_along_axis(self.costs, choice[None], axis=0).sum())

    def error(self, choice: Choice) -> float:
        """By how much a choice errs in all."""
        return float(np.take_along_axis(self.errors, choice[None], axis=0).sum())

    def price_of_cost(self, most: float) -> float:
        """The least price at which no more than this is spent; the highest there is if always more is."""
        return _least(lambda price: self.cost(self.cheapest(price)) <= most)

    def price_of_error(self, most: float) -> float:
        """The highest price at which no more than this is erred; the least there is if always more is."""
        return _least(lambda price: self.error(self.cheapest(price)) > most, just_below=True)


def _least(holds: Callable[[float], bool], *, just_below: bool = False) -> float:
    """The least price from which on something holds, or the one just below it."""
    low, high = -float(_BITS), float(_BITS)
    if not just_below and holds(2.0**low):
        return 2.0**low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(2.0**middle) else (middle, high)
    return 2.0 ** (low if just_below else high)
