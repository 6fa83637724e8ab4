"""The numbers that every training of a generator has."""

import math
from dataclasses import dataclass, field

from tubelet.errors import OptionError
from tubelet.generate.config import MOST_SLOTS
from tubelet.generate.scenes import SceneData
from tubelet.train.config import LoopConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorStage:
    """A part of a run.

    Attributes:
        until: fraction of the run at which it ends; that of the last stage is 1.
        batch: clips per iteration, over all processes.
    """

    until: float = 1.0
    batch: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorTrainConfig(LoopConfig):
    """A training run of a generator; each kind adds its own fields.

    Attributes:
        tokenizer: whose latents or tokens it makes: a shipped tokenizer or a folder.
        start: a generator of the same sizes, shipped or a folder, whose weights are trained further, with
            other words, slots and sizes of clips if need be; a new one for none.
        width: features per position.
        blocks: of the transformer.
        heads: of the attention of each block.
        patch: rows and columns of latent positions that become one.
        slots: words of a caption that it reads, without a text encoder.
        text: text encoder of transformers that reads captions: a folder, or ``owner/name`` on the hub; the
            words of the captions as a vocabulary for none.
        text_tokens: of a caption that the text encoder reads; those of the longest one for none, 128 at most.
        stages: what is trained on, one after the other.
        unprompted: fraction of the clips that are trained without their caption, for guidance.
        given: fraction of the clips whose first step is given, as a picture to go on from.
        continued: fraction of the iterations in which clips have lost their first step, and go on from one or
            more of the others, so that longer clips can be made.
        scenes: what is rendered to train on, where no data are given.
    """

    tokenizer: str = "tubelet-m16"
    start: str | None = None
    width: int = 256
    blocks: int = 6
    heads: int = 4
    patch: int = 2
    slots: int = 8
    text: str | None = None
    text_tokens: int | None = None
    stages: tuple[GeneratorStage, ...] = (GeneratorStage(),)
    unprompted: float = 0.1
    given: float = 0.1
    continued: float = 0.1
    scenes: SceneData = field(default_factory=SceneData)

    def __post_init__(self) -> None:
        ends = [stage.until for stage in self.stages]
        if not ends or ends != sorted(ends) or ends[-1] != 1.0:
            raise OptionError(f"stages end at {ends}; ends must rise to 1, the whole run.")
        if self.text_tokens is not None and not 1 <= self.text_tokens <= MOST_SLOTS:
            raise OptionError(f"text_tokens are {self.text_tokens}; they lie between 1 and {MOST_SLOTS}.")
        if self.text_tokens is not None and self.text is None:
            raise OptionError(
                f"text_tokens are {self.text_tokens}, and there is no text encoder; --text names one."
            )
        shares = (self.unprompted, self.given, self.continued)
        if not all(0 <= share <= 1 for share in shares):
            raise OptionError(
                f"unprompted, given and continued are {shares}; they are fractions from 0 to 1."
            )

    def stage_at(self, progress: float) -> GeneratorStage:
        """The stage in which a run is, by the fraction that is done."""
        return next((stage for stage in self.stages if progress < stage.until), self.stages[-1])

    def check_patch(self, rows: int, columns: int) -> None:
        """See whether positions go into patches.

        Raises:
            OptionError: rows or columns are not multiples of the patch.
        """
        if rows % self.patch or columns % self.patch:
            fits = math.gcd(rows, columns, self.patch)
            raise OptionError(
                f"patch is {self.patch}, and clips have {rows} rows and {columns} columns of positions, "
                f"which it does not divide. Give --patch {fits}, or clips of another size."
            )
