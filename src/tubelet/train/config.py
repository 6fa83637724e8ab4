"""The numbers that every training run has, whatever it trains."""

import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from tubelet.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """How weights move.

    Attributes:
        kind: ``adamw`` for all of them, or ``muon`` for hidden matrices and AdamW for the others.
        lr: the peak learning rate; it rises over `warm_up` and falls to zero along a cosine.
        others: with Muon, the learning rate of what AdamW moves, as a fraction of `lr`.
        warm_up: fraction of the run.
        betas: decay of AdamW's two averages.
        weight_decay: decoupled, of matrices only.
        momentum: of Muon.
        clip: largest norm of all gradients together; larger ones are scaled down.
        ema: decay per iteration of the exponential moving average of the weights, which is what is exported.
    """

    kind: Literal["adamw", "muon"] = "adamw"
    lr: float = 5e-4
    others: float = 0.25
    warm_up: float = 0.02
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    momentum: float = 0.95
    clip: float = 1.0
    ema: float = 0.999

    def __post_init__(self) -> None:
        if not self.lr >= 0 or not 0 <= self.warm_up < 1 or not 0 <= self.ema < 1 or not self.clip > 0:
            raise OptionError(
                f"lr is {self.lr}, warm_up {self.warm_up}, ema {self.ema} and clip {self.clip}; the first is "
                "not negative, the next two lie from 0 to below 1, the last is positive."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """What the loop must know of a run; the configuration of a task adds its own fields.

    Attributes:
        optimizer: how weights move.
        iterations: length of the run; none if a time limit decides.
        bfloat16: whether networks compute in bfloat16 where the machine has instructions for it; losses and
            norms stay in float32.
        seed: of everything random.
        patience: bad iterations (gradients that are not finite, or that jump) in a row before giving up.
        jump: a norm of the gradients this many times its recent mean makes an iteration a bad one.
        save_seconds: seconds between checkpoints.
    """

    optimizer: Optimizer = field(default_factory=Optimizer)
    iterations: int | None = None
    bfloat16: bool = True
    seed: int = 0
    patience: int = 20
    jump: float = 20.0
    save_seconds: float = 180.0


def check_losses(losses: Any) -> None:  # noqa: ANN401  any dataclass of numbers
    """Raise unless all weights and constants of losses, the fields of a dataclass, are numbers from 0 on.

    Raises:
        OptionError: one is below zero, infinite or no number: what it weighs would be made worse.
    """
    for each in fields(losses):
        value = getattr(losses, each.name)
        if not 0 <= value < math.inf:
            raise OptionError(f"{each.name} of the losses is {value}; it is a number from 0 on.")
