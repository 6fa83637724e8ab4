"""Recipe for a prior: what says which symbols come next, so that files of a tokenizer become smaller."""

from tubelet.train.config import Optimizer
from tubelet.train.prior.config import PriorStage, PriorTrainConfig


def prior() -> PriorTrainConfig:
    """A context model of the symbols of a tokenizer, for smaller files.

    ``tubelet train prior --tokenizer tubelet-m --data DATA -o RUN --time-limit 80m``; the crops are encoded
    first, which takes up to a second each and is not part of that time. Windows grow to whole crops, whose
    averages are those of a step, and the last of the run computes in float32, as the prior will.
    """
    return PriorTrainConfig(
        optimizer=Optimizer(lr=3e-3, ema=0.998),
        stages=(
            PriorStage(until=0.5, batch=4, steps=6, side=16, exact=False),
            PriorStage(until=0.85, batch=2, steps=9, side=20, exact=False),
            PriorStage(until=1.0, batch=2, steps=9, side=20, exact=True),
        ),
    )
