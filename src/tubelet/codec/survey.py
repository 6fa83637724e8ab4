"""What several allocators make of the same steps: from it follows which of them keeps a budget."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64

from tubelet.codec.allocate import Allocator
from tubelet.types import Latent

_TRIES = 8
_ROUNDS = 3
_TRIED = 5
"""How many settings each round tries: three rounds tell 216 apart."""


@final
class Survey:
    """Gives the same steps to several allocators and adds up what they cost and how far they err.

    Args:
        allocators: by what tells them apart, such as quality or price; they should be at constant prices.
    """

    def __init__(self, allocators: Mapping[float, Allocator]) -> None:
        self._allocators = dict(sorted(allocators.items()))
        self._costs = np.zeros(len(allocators))
        self._errors = np.zeros(len(allocators))
        self.positions = 0
        """Positions of all steps so far."""

    def push(self, latent: Latent) -> None:
        """Take consecutive steps of one clip, any number of them."""
        for index, allocator in enumerate(self._allocators.values()):
            done = allocator.push(latent)
            self._costs[index] += done.costs.sum()
            self._errors[index] += done.errors.sum()
        self.positions += latent[0, 0].numel()

    def at_error(self, wanted: float) -> float:
        """What tells the allocator apart that would err so much in all; the nearest if none would."""
        return _crossing(self._settings(), self._errors, wanted)

    def at_cost(self, wanted: float) -> float:
        """What tells the allocator apart that would spend so much in all; the nearest if none would."""
        return _crossing(self._settings(), self._costs, wanted)

    def within(self, most: float) -> float | None:
        """What tells the allocator apart that spent most of those that kept within this; none if none did."""
        kept = {
            cost: setting for setting, cost in zip(self._allocators, self._costs, strict=True) if cost <= most
        }
        return kept[max(kept)] if kept else None

    def _settings(self) -> Float64[np.ndarray, " n"]:
        return np.array(list(self._allocators), dtype=np.float64)


class Found(NamedTuple):
    """What was searched for.

    Attributes:
        setting: the one that spends most of those that keep the budget.
        most: the budget of the whole clip.
    """

    setting: float
    most: float


def search(
    make: Callable[[float], Allocator],
    runs: Callable[[], Iterable[Latent]],
    *,
    most: Callable[[int], float],
    cells: int,
    between: tuple[float, float],
) -> Found:
    """The setting that spends most of those that keep a budget, by going through a clip several times.

    An allocator of that setting spends the same again, so the budget is kept without any further care.

    Args:
        make: an allocator at the constant price of a setting.
        runs: gives the clip's steps, a run at a time; called three times.
        most: what may be spent, by the number of steps.
        cells: positions of a step.
        between: the setting that spends least, which is found if even this spends too much, and the one that
            spends most.
    """
    low, high = between
    allowed = 0.0
    for _ in range(_ROUNDS):
        settings = np.linspace(low, high, _TRIED + 2)
        survey = Survey({float(each): make(float(each)) for each in settings[1:-1]})
        for latent in runs():
            survey.push(latent)
        allowed = most(survey.positions // cells)
        found = survey.within(allowed)
        kept = 0 if found is None else settings.tolist().index(found)
        low, high = float(settings[kept]), float(settings[kept + 1])
    return Found(low, allowed)


def _crossing(settings: Float64[np.ndarray, " n"], values: Float64[np.ndarray, " n"], wanted: float) -> float:
    """Where values, which rise or fall, are as wanted: between two settings by the logarithm of the value."""
    order = slice(None) if values[0] <= values[-1] else slice(None, None, -1)
    rising = np.log(np.maximum(np.maximum.accumulate(values[order]), 1e-12))
    return float(np.interp(np.log(max(wanted, 1e-12)), rising, settings[order]))


def solve(
    measure: Callable[[float], float], wanted: float, *, low: float, high: float, first: float, within: float
) -> float:
    """The setting at which a measure that rises with it is as wanted, by trying: several passes over a clip.

    Args:
        measure: what a setting gives; dear, so it is asked at most eight times.
        wanted: value of the measure.
        low: least setting.
        high: greatest setting.
        first: where to begin.
        within: how near is near enough, in the units of the measure.

    Returns:
        The setting that came nearest of those that were tried.
    """
    tried: dict[float, float] = {}
    setting = min(max(first, low), high)
    below, above = (low, None), (high, None)
    for _ in range(_TRIES):
        found = tried[setting] = measure(setting)
        if abs(found - wanted) <= within:
            break
        if found < wanted:
            below = (setting, found)
        else:
            above = (setting, found)
        following = _between(below, above, wanted)
        if following in tried:
            break
        setting = following
    return min(tried, key=lambda each: abs(tried[each] - wanted))


def _between(below: tuple[float, float | None], above: tuple[float, float | None], wanted: float) -> float:
    """Where to try next: on the line between two that were tried, else the end that was not."""
    if below[1] is None:
        return below[0]
    if above[1] is None:
        return above[0]
    share = (wanted - below[1]) / (above[1] - below[1])
    # Not at an end, where rounding could keep it for ever.
    return below[0] + min(max(share, 0.05), 0.95) * (above[0] - below[0])
