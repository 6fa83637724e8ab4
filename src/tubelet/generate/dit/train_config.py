"""Every number of a diffusion transformer's training, in a frozen dataclass."""

from dataclasses import asdict, dataclass

from tubelet.errors import OptionError
from tubelet.generate.config import PromptFacts
from tubelet.generate.dit.config import DiTConfig
from tubelet.generate.train_config import GeneratorTrainConfig

MOST_TIME_MEAN = 4.0
"""Beyond it, nearly all clips are noise, or data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiTTrainConfig(GeneratorTrainConfig):
    """A complete training run of a diffusion transformer.

    Attributes:
        weight_power: how much more a channel counts that moves pixels more; the loss of each is weighed by
            this power of its deviation in pixels.
        time_mean: where times are drawn, most of them: the mean of their logits, whose deviation is 1. 0 is
            half way; below it more clips are near noise, where it is settled what is where, and above it
            more are near data, where details are (Esser et al. 2024, arXiv:2403.03206, logit-normal).
    """

    weight_power: float = 0.5
    time_mean: float = 0.0

    def __post_init__(self) -> None:
        GeneratorTrainConfig.__post_init__(self)
        if not 0 <= self.weight_power <= 2:
            raise OptionError(f"weight_power is {self.weight_power}; it lies between 0 and 2.")
        if not abs(self.time_mean) <= MOST_TIME_MEAN:
            raise OptionError(
                f"time_mean is {self.time_mean}; it lies between -{MOST_TIME_MEAN:g} and {MOST_TIME_MEAN:g}."
            )

    def network(
        self, *, tokenizer_sha256: str, shape: tuple[int, int, int, int], fps: float, prompts: PromptFacts
    ) -> DiTConfig:
        """The numbers of the network.

        Args:
            tokenizer_sha256: fingerprint of the tokenizer.
            shape: channels, steps, rows and columns of a latent.
            fps: frames per second.
            prompts: how it reads them.

        Raises:
            OptionError: rows or columns are not multiples of the patch, or the width does not split.
        """
        channels, steps, rows, columns = shape
        self.check_patch(rows, columns)
        return DiTConfig(
            name="dit", tokenizer=self.tokenizer, tokenizer_sha256=tokenizer_sha256, channels=channels,
            steps=steps, rows=rows, columns=columns, fps=fps, width=self.width, blocks=self.blocks,
            heads=self.heads, patch=self.patch, **asdict(prompts),
        )  # fmt: skip
