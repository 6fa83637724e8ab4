"""Which price a step is allocated at: rules that look at what came before it, and at nothing later."""

import math
from collections import deque
from collections.abc import Callable
from copy import copy as shallow_copy
from typing import Protocol, final, runtime_checkable

from tubelet.codec.prices import StepTable


@runtime_checkable
class PriceRule(Protocol):
    """Chooses the price of one step after the other."""

    def price(self, table: StepTable) -> float:
        """Error that one unit of cost must take away in the step that comes next."""
        ...

    def paid(self, *, cost: float, error: float) -> None:
        """Take note of what the step took, and of how far it errs."""
        ...

    def correct(self, *, cost: float = 0.0, error: float = 0.0) -> None:
        """Take note that steps took, or erred, by so much more than was said; less if negative."""
        ...

    def copy(self) -> "PriceRule":
        """The same, to go on from differently."""
        ...


@final
class ConstantPrice:
    """The same price always: constant quality, for one pass, or for the last of several.

    Args:
        price: of each step.
        total: what all steps together may take; where it runs out, the price rises.
    """

    def __init__(self, price: float, *, total: float = math.inf) -> None:
        self._price = price
        self._left = total

    def price(self, table: StepTable) -> float:
        """The price, or a higher one if the step could not be paid."""
        if self._left == math.inf or table.cost(table.cheapest(self._price)) <= self._left:
            return self._price
        return table.price_of_cost(self._left)

    def paid(self, *, cost: float, error: float) -> None:
        """Take the cost from what is left."""
        self._left -= cost

    def correct(self, *, cost: float = 0.0, error: float = 0.0) -> None:
        """Take the difference from what is left."""
        self._left -= cost

    def copy(self) -> "ConstantPrice":
        """The same, to go on from differently."""
        return shallow_copy(self)


@final
class WithinAllowance:
    """Spend at most what each step is allowed, and what those before it left.

    At every moment no more was spent than all steps so far were allowed, so wherever a clip ends, its budget
    is kept. What an easy step leaves is kept for harder ones. No step is bought at less than the floor: below
    it there is little to buy but the quantiser's noise. The floor depends on no budget, so a step that is
    easy for a small budget is easy for a larger one too, and leaves it no less.

    Args:
        allowance: what a step may take, by its number in the clip.
        floor: the least price.
        window: so many consecutive steps never take more than these are allowed; none for all of them.
    """

    def __init__(
        self, allowance: Callable[[int], float], *, floor: float = 0.0, window: int | None = None
    ) -> None:
        self._allowance = allowance
        self._floor = floor
        self._step = 0
        self._left = 0.0
        """What the steps so far left."""
        self._recent: deque[float] | None = None if window is None else deque(maxlen=window - 1)
        """What each of the steps before left of its own allowance, as far as the window reaches."""

    def price(self, table: StepTable) -> float:
        """The least price at which the step can be paid, or the floor."""
        left = self._left if self._recent is None else min(self._left, sum(self._recent))
        return max(self._floor, table.price_of_cost(left + self._allowance(self._step)))

    def paid(self, *, cost: float, error: float) -> None:
        """Take the cost from what is left."""
        left = self._allowance(self._step) - cost
        self._left += left
        self._step += 1
        if self._recent is not None:
            self._recent.append(left)

    def correct(self, *, cost: float = 0.0, error: float = 0.0) -> None:
        """Take the difference from what is left."""
        self._left -= cost
        if self._recent:
            self._recent[-1] -= cost

    def copy(self) -> "WithinAllowance":
        """The same, to go on from differently."""
        same = shallow_copy(self)
        same._recent = None if self._recent is None else self._recent.copy()
        return same


@final
class ConstantError:
    """Let the mean error be what is asked for, at the highest price that gives it.

    What is known of a step is the error of its latent. By how much that of the decoded frames differs is told
    afterwards with `correct`, and expected of the next step too; what is missing is made up for.

    Args:
        error: of a step, in the units of the table.
    """

    def __init__(self, error: float) -> None:
        self._wanted = error
        self._owed = 0.0
        """By how much the steps so far erred more than they should have."""
        self._beyond = 0.0
        """By how much the last step erred more than its latent says."""

    def price(self, table: StepTable) -> float:
        """The highest price at which the step errs as it should."""
        # No step is made worse by more than half to make up for better ones, nor better without bounds.
        aim = self._wanted - math.copysign(min(abs(self._owed), self._wanted / 2), self._owed)
        return table.price_of_error(aim - self._beyond)

    def paid(self, *, cost: float, error: float) -> None:
        """Take note of the error."""
        self._owed += error - self._wanted

    def correct(self, *, cost: float = 0.0, error: float = 0.0) -> None:
        """Take note of what the decoder's frames err beyond the latent."""
        self._owed += error
        self._beyond = error

    def copy(self) -> "ConstantError":
        """The same, to go on from differently."""
        return shallow_copy(self)
