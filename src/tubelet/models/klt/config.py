"""The numbers that make a KLT model, and nothing else."""

from dataclasses import dataclass, field

import torch

from tubelet.errors import OptionError
from tubelet.json_fields import bounded, check_fields
from tubelet.models.klt.model import KLTModel
from tubelet.models.klt.start import Crops, fit_to_crops
from tubelet.models.protocol import StepModel
from tubelet.nn.blocks import MEMORY, ResidualStack
from tubelet.nn.klt import KLTCascade
from tubelet.types import Stride

_SIZE = bounded(1, 1 << 16)
_BLOCKS = bounded(0, 1 << 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class KLTConfig:
    """A learned transform of one part; without blocks it is the linear one.

    Attributes:
        name: what files call the tokenizer.
        patches: the patch of each level of the KLT; the stride is their product.
        coefficients: coefficients that each level keeps; the last number is what the networks see.
        channels: channels of the latent, at most the last of `coefficients`.
        lead_frame: whether the first frame is a group of its own.
        width: channels inside the networks.
        encoder_blocks: residual blocks of the encoder; none for a linear encoder.
        decoder_blocks: residual blocks of the decoder; none for a linear decoder.
        memory: latent steps that each block looks back; zero for networks that see every step by itself.
        variational: whether the encoder gives a distribution: a mean and a variance.
        ahead: steps after the end of a latent that the decoder learns to predict, each with a padding of its
            own; none for one that predicts nothing.
        gate: whether what is predicted is blended with the last frame, by how still that was
            (`tubelet fit-gate`).
    """

    name: str
    patches: tuple[Stride, ...] = field(default=(Stride(4, 8, 8),), metadata=_SIZE)
    coefficients: tuple[int, ...] = field(default=(64,), metadata=_SIZE)
    channels: int = field(default=64, metadata=_SIZE)
    lead_frame: bool = True
    width: int = field(default=192, metadata=_SIZE)
    encoder_blocks: int = field(default=0, metadata=_BLOCKS)
    decoder_blocks: int = field(default=0, metadata=_BLOCKS)
    memory: int = field(default=MEMORY, metadata=_BLOCKS)
    variational: bool = False
    ahead: int = field(default=0, metadata=_BLOCKS)
    gate: bool = False

    def build(self) -> KLTModel:
        """Make the model; its statistics are those of no data until it is fitted or loaded.

        Raises:
            OptionError: a number is of another type or out of bounds, or they contradict one another.
        """
        check_fields(self)
        kept = self.coefficients[-1]
        if self.ahead and not (self.decoder_blocks and self.memory):
            raise OptionError(
                f"ahead is {self.ahead} and the decoder looks at no step before; give decoder_blocks and "
                "memory, or no ahead."
            )
        if self.gate and not self.ahead:
            raise OptionError("gate blends what is predicted, and ahead is 0; give ahead, or no gate.")
        if self.variational and not self.encoder_blocks:
            raise OptionError(
                "a linear encoder gives no distribution; give encoder_blocks, or no variational."
            )
        if not 1 <= self.channels <= kept:
            raise OptionError(f"channels is {self.channels}; the last KLT keeps {kept}, so give 1 to {kept}.")
        return KLTModel(
            KLTCascade(tuple(Stride(*patch) for patch in self.patches), self.coefficients),
            channels=self.channels,
            # What the encoder corrects: the channels, and their variances if there are any.
            encoder=self._stack(
                kept, self.channels * (2 if self.variational else 1), blocks=self.encoder_blocks
            ),
            # For steps to come, the decoder gives a second correction of every coefficient.
            decoder=self._stack(
                self.channels + 1, kept * (2 if self.ahead else 1), blocks=self.decoder_blocks, rated=True
            ),
            variational=self.variational,
            ahead=self.ahead,
            gated=self.gate,
        )

    def start(self, crops: Crops, *, seed: int, linear: StepModel | None = None) -> KLTModel:
        """Make a model as training starts: its linear part is fitted, and its networks change nothing yet.

        Args:
            crops: what it will be trained on.
            seed: of the patches that are looked at, and of the networks' first weights.
            linear: a linear model whose coefficients come first; none fits all of them.

        Raises:
            OptionError: the crops are too few, or `linear` is of another kind or shape.
        """
        if linear is not None and not isinstance(linear, KLTModel):
            raise OptionError("the linear tokenizer has no KLT. Start from another, or from none.")
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            model = self.build()
        fit_to_crops(model, crops, seed=seed, linear=linear)
        return model

    def _stack(self, inputs: int, outputs: int, *, blocks: int, rated: bool = False) -> ResidualStack | None:
        if not blocks:
            return None
        return ResidualStack(
            inputs,
            outputs,
            width=self.width,
            blocks=blocks,
            memory=self.memory,
            rated=rated,
            others=int(rated and self.ahead > 0),
        )
