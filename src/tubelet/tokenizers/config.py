"""The numbers that make a tokenizer, and nothing else."""

from dataclasses import dataclass

from tubelet.errors import OptionError
from tubelet.nn.blocks import ResidualStack
from tubelet.nn.klt import KLTCascade
from tubelet.tokenizers.continuous import ContinuousTokenizer
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
    """

    name: str
    patches: tuple[Stride, ...] = (Stride(4, 8, 8),)
    coefficients: tuple[int, ...] = (64,)
    channels: int = 64
    lead_frame: bool = True
    width: int = 192
    encoder_blocks: int = 0
    decoder_blocks: int = 0

    def build(self) -> ContinuousTokenizer:
        """Make the tokenizer; its statistics are those of no data until it is fitted or loaded.

        Raises:
            OptionError: the numbers contradict one another.
        """
        kept = self.coefficients[-1]
        if not 1 <= self.channels <= kept:
            raise OptionError(f"channels is {self.channels}; the last KLT keeps {kept}, so give 1 to {kept}.")
        return ContinuousTokenizer(
            KLTCascade(self.patches, self.coefficients),
            channels=self.channels,
            lead_frame=self.lead_frame,
            encoder=_stack(kept, self.channels, width=self.width, blocks=self.encoder_blocks),
            decoder=_stack(self.channels + 1, kept, width=self.width, blocks=self.decoder_blocks),
        )


def _stack(inputs: int, outputs: int, *, width: int, blocks: int) -> ResidualStack | None:
    return ResidualStack(inputs, outputs, width=width, blocks=blocks) if blocks else None
