"""The numbers that make a model of structure and dynamics, and nothing else."""

from dataclasses import dataclass, field

import torch

from tubelet.errors import OptionError
from tubelet.json_fields import bounded
from tubelet.models.protocol import StepModel
from tubelet.models.twin.model import Networks, TwinModel
from tubelet.models.twin.start import Crops, OnWindow, fit_to_crops
from tubelet.nn.blocks import MEMORY, ResidualStack

_SIZE = bounded(1, 1 << 12)
_FEW = bounded(1, 1 << 8)
_BLOCKS = bounded(0, 1 << 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinConfig:
    """A structure for each 16 x 16 pixels of a chunk of 16 frames, and dynamics of windows of 64 x 64 pixels.

    Attributes:
        name: what files call the tokenizer.
        structure: channels of the structure.
        dynamics: numbers for each row of eight pixels of a window at each step of four frames, and for each
            column.
        features: of 4 x 8 x 8 pixels, which the networks correct.
        lead_frame: whether the first frame is a chunk of its own.
        width: channels inside the networks.
        structure_blocks: residual blocks that see single frames.
        dynamics_blocks: residual blocks that see a step and the structure.
        decoder_blocks: residual blocks of the decoder. With none of any of these the model is linear.
        memory: steps that each block of the decoder looks back.
    """

    name: str
    structure: int = field(default=20, metadata=_SIZE)
    dynamics: int = field(default=8, metadata=_FEW)
    features: int = field(default=128, metadata=_SIZE)
    lead_frame: bool = True
    width: int = field(default=152, metadata=_SIZE)
    structure_blocks: int = field(default=1, metadata=_BLOCKS)
    dynamics_blocks: int = field(default=2, metadata=_BLOCKS)
    decoder_blocks: int = field(default=4, metadata=_BLOCKS)
    memory: int = field(default=MEMORY, metadata=_BLOCKS)

    def build(self) -> TwinModel:
        """Make the model; its statistics are those of no data until it is fitted or loaded.

        Raises:
            OptionError: the numbers contradict one another.
        """
        numbers = {"structure": self.structure, "dynamics": self.dynamics, "features": self.features}
        blocks = (self.structure_blocks, self.dynamics_blocks, self.decoder_blocks)
        if not any(blocks):
            return TwinModel(**numbers, networks=None)
        if not all(blocks):
            raise OptionError(
                f"structure_blocks, dynamics_blocks and decoder_blocks are {blocks}; give each network "
                "a block or, for a linear model, none of them."
            )
        stacks = [
            ResidualStack(inputs, outputs, width=self.width, blocks=count, memory=memory)
            for (inputs, outputs), count, memory in zip(
                TwinModel.network_sizes(**numbers).values(), blocks, (0, 0, self.memory), strict=True
            )
        ]
        return TwinModel(**numbers, networks=Networks(*stacks))

    def start(
        self,
        crops: Crops,
        *,
        seed: int,
        linear: StepModel | None = None,
        on_window: OnWindow = lambda _done, _of: None,
    ) -> TwinModel:
        """Make a model as training starts: its linear part is fitted, and its networks change nothing yet.

        Args:
            crops: what it will be trained on.
            seed: of the windows that are looked at, and of the networks' first weights.
            linear: none; there is no linear model of this shape to start from.
            on_window: called after each window that is looked at.

        Raises:
            OptionError: the crops are too few or too small, or `linear` is given.
        """
        if linear is not None:
            raise OptionError("a model of structure and dynamics fits its own linear part. Give no linear.")
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            model = self.build()
        fit_to_crops(model, crops, seed=seed, on_window=on_window)
        return model
