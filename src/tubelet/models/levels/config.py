"""The numbers that make a model of global and detail parts, and nothing else."""

from dataclasses import dataclass, field
from typing import ClassVar

from tubelet.errors import OptionError
from tubelet.json_fields import bounded
from tubelet.models.flow.config import FlowConfig
from tubelet.models.klt.start import Crops
from tubelet.models.levels.model import LevelsModel
from tubelet.models.protocol import StepModel


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelsConfig:
    """The latent of a tokenizer with a flow, in a global and a detail part.

    Attributes:
        name: what files call the tokenizer.
        base: the frozen tokenizer; one without networks, as it is by default, cannot be.
        channels: channels of the global part.
        seen: so many first channels of the frozen latent the global part is about.
        lead_frame: whether the first frame is a group of its own.
    """

    variational: ClassVar[bool] = False

    name: str
    base: FlowConfig = field(default_factory=lambda: FlowConfig(name=""))
    channels: int = field(default=128, metadata=bounded(1, 1 << 12))
    seen: int = field(default=16, metadata=bounded(1, 1 << 12))
    lead_frame: bool = True

    def build(self) -> LevelsModel:
        """Make the model; its statistics are those of no data until it is fitted or loaded.

        Raises:
            OptionError: the numbers contradict one another.
        """
        base = self.base.build()
        (latent,) = base.parts
        if self.seen > latent.channels:
            raise OptionError(
                f"the global part is to see {self.seen} channels, and the tokenizer has {latent.channels}. "
                "Let it see as many or fewer."
            )
        return LevelsModel(base, channels=self.channels, seen=self.seen)

    def start(self, crops: Crops, *, seed: int, linear: StepModel | None = None) -> LevelsModel:
        """A model as training starts: one that was fitted.

        Raises:
            OptionError: none is given; this model has nothing to train, and is fitted by `tubelet fit-klt`.
        """
        if not isinstance(linear, LevelsModel):
            raise OptionError(
                "a model of global and detail parts starts from a fitted one. Fit it with tubelet fit-klt "
                "--global NAME."
            )
        return linear
