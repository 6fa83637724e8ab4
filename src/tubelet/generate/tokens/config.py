"""The numbers that make a transformer of tokens, and nothing else."""

from dataclasses import dataclass, field

from tubelet.generate.config import GeneratorConfig
from tubelet.generate.tokens.digits import LARGEST_BASE
from tubelet.json_fields import bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenConfig(GeneratorConfig):
    """A transformer for the tokens of one tokenizer.

    Attributes:
        bases: how many values each digit of a position has, after `split_digits`.
    """

    bases: tuple[int, ...] = field(metadata=bounded(1, LARGEST_BASE))

    @property
    def patch_bases(self) -> tuple[int, ...]:
        """How many values each digit of a patch has: those of its positions, row by row."""
        return self.bases * self.patch**2

    @property
    def claimed_weights(self) -> int:
        """About how many weights the network has at most; asked before memory is taken for them."""
        values = sum(self.patch_bases)
        entering = self.text_width * self.width
        return (
            12 * self.blocks * self.width**2 + entering + values * (self.width + 32 * len(self.patch_bases))
        )
