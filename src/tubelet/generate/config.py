"""The numbers that every generator is made from, whatever it makes."""

from dataclasses import dataclass, field

from tubelet.errors import OptionError
from tubelet.json_fields import bounded

SIDE = bounded(1, 1 << 10)

MOST_SLOTS = 256
"""Words or tokens of a prompt, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFacts:
    """How a generator reads prompts; fields as those of `GeneratorConfig`."""

    words: tuple[str, ...]
    slots: int
    text_encoder: str = ""
    text_sha256: str = ""
    text_width: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorConfig:
    """A transformer for what one tokenizer makes of clips.

    Attributes:
        name: what files call it.
        tokenizer: name or folder of the tokenizer.
        tokenizer_sha256: its fingerprint.
        steps: latent steps of a window, as it was trained; a longer clip is made window by window.
        rows: latent rows of the clips it was trained on; it takes any others.
        columns: their latent columns.
        fps: frames per second of the clips it was trained on.
        words: the vocabulary; with a text encoder the words of the captions that it was trained on.
        slots: words of a prompt that it reads, or tokens of a text encoder.
        width: features per position.
        blocks: of the transformer.
        heads: of the attention of each block.
        patch: rows and columns of latent positions that become one.
        text_encoder: folder or hub name of the text encoder that reads prompts; empty for the vocabulary.
        text_sha256: its fingerprint.
        text_width: features of its states.

    Raises:
        OptionError: the numbers contradict one another.
    """

    name: str
    tokenizer: str
    tokenizer_sha256: str
    steps: int = field(metadata=SIDE)
    rows: int = field(metadata=SIDE)
    columns: int = field(metadata=SIDE)
    fps: float
    words: tuple[str, ...]
    slots: int = field(default=10, metadata=bounded(1, MOST_SLOTS))
    width: int = field(default=256, metadata=bounded(8, 1 << 12))
    blocks: int = field(default=6, metadata=bounded(1, 128))
    heads: int = field(default=4, metadata=bounded(1, 64))
    patch: int = field(default=2, metadata=bounded(1, 16))
    text_encoder: str = ""
    text_sha256: str = ""
    text_width: int = field(default=0, metadata=bounded(0, 1 << 16))

    def __post_init__(self) -> None:
        if self.width % self.heads or self.width // self.heads % 8:
            raise OptionError(
                f"width is {self.width} and heads are {self.heads}; every head has a multiple of 8 features, "
                "for positions along three axes. Choose others."
            )
        if not self.fps > 0:
            raise OptionError(f"fps is {self.fps}; it is positive.")
        if len(set(self.words)) != len(self.words):
            raise OptionError("a word stands in the vocabulary twice; each is known once.")
        if len({bool(self.text_encoder), bool(self.text_sha256), self.text_width > 0}) > 1:
            raise OptionError(
                f"the text encoder is {self.text_encoder!r}, its fingerprint {self.text_sha256!r:.16} and "
                f"its width {self.text_width}; all three are there, or none."
            )
