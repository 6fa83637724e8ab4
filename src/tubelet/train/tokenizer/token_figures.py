"""How a run's tokens are spread over the codebook: what tells a collapse while it can still be stopped."""

from typing import Any

from tubelet.metrics.usage import DigitFigures, DigitUsage
from tubelet.quantizers.digits import Bases, Digits

STEPS = 100
"""So many steps are counted together: on two cores some 200 thousand tokens."""


class TokenFigures:
    """Gathers the digits of steps, and gives figures once there are enough of them.

    Args:
        bases: of the quantiser.
    """

    def __init__(self, bases: Bases) -> None:
        self._bases = bases
        self._digits: list[Digits] = []

    def step(self, digits: Digits) -> dict[str, Any]:
        """Take the digits of one step; give the figures of the last `STEPS` when it was the last of them."""
        self._digits.append(digits.cpu())
        if len(self._digits) < STEPS:
            return {}
        usage = DigitUsage(self._bases)
        for each in self._digits:
            usage.update(each)
        self._digits = []
        return {"tokens": figures_to_json(usage.compute())}


def figures_to_json(figures: DigitFigures) -> dict[str, Any]:
    """Usage as a log, a card or a result holds it; entropies are in bits."""
    joint = figures.joint
    return {
        "count": joint.count,
        "used": joint.used,
        "size": joint.size,
        "share": round(joint.share, 6),
        "perplexity": round(joint.perplexity, 2),
        "entropy": round(joint.entropy, 4),
        "digit_entropies": [round(digit.entropy, 4) for digit in figures.digits],
        "total_correlation": round(figures.total_correlation, 4),
    }
