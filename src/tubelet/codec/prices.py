"""What each class of counts costs and errs at each position of a step, and what is best at a price."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

PerClass = Float64[np.ndarray, "k h w"]
"""A number for each class of counts at each position of a step."""

Choice = Int64[np.ndarray, " h w"]
"""Which class each position takes."""


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
