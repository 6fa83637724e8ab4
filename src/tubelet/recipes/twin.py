"""Recipe for structure and dynamics: a tokenizer that can show one clip's things with another's motion."""

from tubelet.models.twin.config import TwinConfig
from tubelet.train.config import Optimizer
from tubelet.train.twin.config import TwinStage, TwinTrainConfig


def twin() -> TwinTrainConfig:
    """Structure and dynamics: as many numbers as `m` at 4 channels, 0.04 MFLOP per pixel.

    ``tubelet train twin --data DATA -o RUN --time-limit 6h``. Half of the pairs are rendered; see
    `TwinTrainConfig` for the losses. In the last stage the decoder alone is trained, on larger clips.
    """
    return TwinTrainConfig(
        model=TwinConfig(name="tubelet-twin"),
        stages=(
            TwinStage(until=0.8, batch=4, frames=33, side=64),
            TwinStage(until=1.0, batch=2, frames=33, side=128, encoder=False),
        ),
        optimizer=Optimizer(kind="muon", lr=1.5e-3, clip=0.1),
    )
