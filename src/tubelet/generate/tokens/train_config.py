"""Every number of a token generator's training, in a frozen dataclass."""

from dataclasses import asdict, dataclass
from typing import Literal

from tubelet.generate.config import PromptFacts
from tubelet.generate.tokens.config import TokenConfig
from tubelet.generate.train_config import GeneratorTrainConfig

Order = Literal["masked", "autoregressive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTrainConfig(GeneratorTrainConfig):
    """A complete training run of a token generator.

    Attributes:
        order: in which digits are made: ``masked``, the surest first, or ``autoregressive``, one after the
            other.
    """

    tokenizer: str = "tubelet-fsq"
    order: Order = "masked"

    def network(
        self,
        *,
        tokenizer_sha256: str,
        bases: tuple[int, ...],
        shape: tuple[int, int, int],
        fps: float,
        prompts: PromptFacts,
    ) -> TokenConfig:
        """The numbers of the network.

        Args:
            tokenizer_sha256: fingerprint of the tokenizer.
            bases: of the digits of a position, after `split_digits`.
            shape: steps, rows and columns of a clip.
            fps: frames per second.
            prompts: how it reads them.

        Raises:
            OptionError: rows or columns are not multiples of the patch, or the width does not split.
        """
        steps, rows, columns = shape
        self.check_patch(rows, columns)
        return TokenConfig(
            name=self.order, tokenizer=self.tokenizer, tokenizer_sha256=tokenizer_sha256, bases=bases,
            steps=steps, rows=rows, columns=columns, fps=fps, width=self.width, blocks=self.blocks,
            heads=self.heads, patch=self.patch, **asdict(prompts),
        )  # fmt: skip
