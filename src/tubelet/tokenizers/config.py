"""The numbers that make a tokenizer, and nothing else."""

from dataclasses import dataclass

from tubelet.errors import OptionError
from tubelet.nn.blocks import MEMORY, ResidualStack
from tubelet.nn.klt import KLTCascade
from tubelet.quantizers.config import QuantizerConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.types import Stride


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuousConfig:
    """A continuous tokenizer; without blocks it is the linear one.

    Attributes:
        name: what files call it.
        patches: the patch of each level of the KLT; the stride is their product.
        coefficients: coefficients that each level keeps; the last number is what the networks see.
        channels: channels of the latent, at most the last of `coefficients`.
        lead_frame: whether the first frame is a group of its own.
        width: channels inside the networks.
        encoder_blocks: residual blocks of the encoder; none for a linear encoder.
        decoder_blocks: residual blocks of the decoder; none for a linear decoder.
        memory: latent steps that each block looks back; zero for networks that see every step by itself.
        variational: whether the encoder gives a distribution: a mean and a variance.
    """

    name: str
    patches: tuple[Stride, ...] = (Stride(4, 8, 8),)
    coefficients: tuple[int, ...] = (64,)
    channels: int = 64
    lead_frame: bool = True
    width: int = 192
    encoder_blocks: int = 0
    decoder_blocks: int = 0
    memory: int = MEMORY
    variational: bool = False

    def build(self) -> ContinuousTokenizer:
        """Make the tokenizer; its statistics are those of no data until it is fitted or loaded.

        Raises:
            OptionError: the numbers contradict one another.
        """
        kept = self.coefficients[-1]
        if self.variational and not self.encoder_blocks:
            raise OptionError(
                "a linear encoder gives no distribution; give encoder_blocks, or no variational."
            )
        if not 1 <= self.channels <= kept:
            raise OptionError(f"channels is {self.channels}; the last KLT keeps {kept}, so give 1 to {kept}.")
        return ContinuousTokenizer(
            KLTCascade(self.patches, self.coefficients),
            channels=self.channels,
            lead_frame=self.lead_frame,
            encoder=self._stack(kept, self._encoder_outputs, blocks=self.encoder_blocks),
            decoder=self._stack(self.channels + 1, kept, blocks=self.decoder_blocks, rated=True),
            variational=self.variational,
        )

    @property
    def _encoder_outputs(self) -> int:
        """What the encoder corrects: the channels, and their variances if there are any."""
        return self.channels * (2 if self.variational else 1)

    def _stack(self, inputs: int, outputs: int, *, blocks: int, rated: bool = False) -> ResidualStack | None:
        if not blocks:
            return None
        return ResidualStack(
            inputs, outputs, width=self.width, blocks=blocks, memory=self.memory, rated=rated
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscreteConfig:
    """A discrete tokenizer.

    Attributes:
        name: what files call it.
        backbone: the continuous tokenizer around the quantiser; its channels are those that are quantised.
        quantizer: what makes digits of them.
    """

    name: str
    backbone: ContinuousConfig
    quantizer: QuantizerConfig

    @property
    def lead_frame(self) -> bool:
        """Whether the first frame is a group of its own."""
        return self.backbone.lead_frame

    def build(self) -> DiscreteTokenizer:
        """Make the tokenizer; its statistics are those of no data until it is fitted or loaded.

        Raises:
            OptionError: the numbers contradict one another.
        """
        return DiscreteTokenizer(self.backbone.build(), self.quantizer.build(self.backbone.channels))
