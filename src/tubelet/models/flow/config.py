"""The numbers that make a model with a flow, and nothing else."""

from dataclasses import dataclass, field

import torch

from tubelet.errors import OptionError
from tubelet.json_fields import bounded
from tubelet.models.flow.model import FlowModel
from tubelet.models.flow.refiner import Refiner
from tubelet.models.flow.start import Crops, fit_sizes
from tubelet.models.klt.config import KLTConfig
from tubelet.models.klt.model import KLTModel
from tubelet.models.protocol import StepModel


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowConfig:
    """A frozen tokenizer and a flow that refines its frames.

    Attributes:
        name: what files call the tokenizer.
        base: the tokenizer that is refined; one without networks, as it is by default, cannot be.
        lead_frame: whether the first frame is a group of its own.
        width: channels inside the network of the flow.
        blocks: residual blocks of it.
    """

    name: str
    base: KLTConfig = field(default_factory=lambda: KLTConfig(name=""))
    lead_frame: bool = True
    width: int = field(default=128, metadata=bounded(1, 1 << 12))
    blocks: int = field(default=4, metadata=bounded(1, 1 << 8))

    def build(self) -> FlowModel:
        """Make the model; its weights are those of no data until it is fitted or loaded.

        Raises:
            OptionError: the numbers contradict one another.
        """
        refiner = Refiner(self.base.coefficients[-1], width=self.width, blocks=self.blocks)
        return FlowModel(self.base.build(), refiner)

    def start(self, crops: Crops, *, seed: int, linear: StepModel | None = None) -> FlowModel:
        """Make a model as training starts: the sizes of what is lacking are measured.

        Args:
            crops: what it will be trained on.
            seed: of the windows that are looked at, and of the network's first weights.
            linear: the model that is refined; it is copied.

        Raises:
            OptionError: `linear` is none, or of other numbers than `base`.
        """
        if not isinstance(linear, KLTModel):
            raise OptionError("a flow refines a trained tokenizer of one part. Give it.")
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            model = self.build()
        model.base.load_state_dict(linear.state_dict())
        fit_sizes(model, crops, seed=seed)
        return model
