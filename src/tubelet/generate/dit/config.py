"""The numbers that make a diffusion transformer, and nothing else."""

from dataclasses import dataclass, field

from tubelet.generate.config import SIDE, GeneratorConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class DiTConfig(GeneratorConfig):
    """A transformer for the latents of one tokenizer.

    Attributes:
        channels: of a latent.
    """

    channels: int = field(metadata=SIDE)

    @property
    def claimed_weights(self) -> int:
        """About how many weights the network has; asked before memory is taken for them."""
        entering = self.channels * self.patch**2 + self.text_width
        return 12 * self.blocks * self.width**2 + entering * self.width
