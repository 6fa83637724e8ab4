"""Every number of a diffusion transformer's training, in a frozen dataclass."""

from dataclasses import asdict, dataclass

from tubelet.errors import OptionError
from tubelet.generate.config import PromptFacts
from tubelet.generate.dit.config import DiTConfig
from tubelet.generate.train_config import GeneratorTrainConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class DiTTrainConfig(GeneratorTrainConfig):
    """A complete training run of a diffusion transformer.

    Attributes:
        weight_power: how much more a channel counts that moves pixels more; the loss of each is weighed by
            this power of its deviation in pixels.
    """

    weight_power: float = 0.5

    def __post_init__(self) -> None:
        GeneratorTrainConfig.__post_init__(self)
        if not 0 <= self.weight_power <= 2:
            raise OptionError(f"weight_power is {self.weight_power}; it lies between 0 and 2.")

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
