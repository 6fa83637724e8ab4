"""What an exported tokenizer says of itself: JSON beside, or inside, each of its two functions."""

import json
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tubelet.errors import CheckpointError
from tubelet.json_fields import bounded, fields_from_json
from tubelet.quantizers.digits import Bases
from tubelet.types import Part, Stride

KEY = "tubelet"
"""Of the metadata of a file."""

NumberFormat = Literal["float32", "float16", "int8"]
"""What the maps of networks compute in; all that goes in and comes out is float32, or whole numbers."""

FORMAT = 1

_SIDE = bounded(1, 1 << 16)
_MAYBE = bounded(0, 1 << 20)


PART = "latent"
"""The name of the only part, where there is one."""


class Remembered(NamedTuple):
    """What a step gives the one after it.

    Attributes:
        channels: of it; none for 0.
        side: rows and columns of its positions in a cell.
    """

    channels: int
    side: int

    def size(self, cells: tuple[int, int]) -> tuple[int, int, int, int]:
        """The shape of its tensor, of a frame of so many cells."""
        return 1, self.channels, self.side * cells[0], self.side * cells[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFacts:
    """A part of a latent that has several; see `tubelet.types.Part`.

    Attributes:
        name: what its tensor is called.
        channels: of it.
        stride: frames, rows and columns of pixels of a position of it.
        exact: whether files keep its values as they are.
        whole: whether budgets and numbers of channels are about other parts.
    """

    name: str
    channels: int = field(metadata=_SIDE)
    stride: Stride = field(metadata=_SIDE)
    exact: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFacts:
    """A tokenizer as two functions of one step.

    Attributes:
        name: of the tokenizer, as files call it.
        sha256: its fingerprint, before it was exported.
        stride: frames, rows and columns of pixels of a step of one position.
        channels: of the latent; of all its parts together. Of a discrete tokenizer the digits of a position.
        lead_frame: whether the first frame is a step of its own, repeated to fill it.
        variational: whether the encoder gives logarithms of variances too.
        warm_up: steps that decoding must start before the first step that is wanted.
        encoder_halo: positions to each side that a position of the latent depends on.
        decoder_halo: positions to each side that those of the video depend on.
        encoder_past: channels of what the encoder remembers; none without a network.
        decoder_past: likewise of the decoder.
        work: numbers per position that a step holds at once; an upper estimate.
        flops_per_pixel: operations to encode and decode a pixel.
        pixel_units: by how much one of each channel changes pixels in [-1, 1], part by part; 1 of digits.
        coding_units: what a file's quantiser takes for `pixel_units`.
        number_format: what the maps of its networks compute in.
        bases: of a discrete tokenizer: for each token of a position, how many values each of its digits has;
            its functions give and take these digits in place of a latent. None for a continuous one.
        encoder_past_side: rows and columns of positions of what the encoder remembers, in a cell.
        decoder_past_side: likewise of the decoder.
        parts: of a latent of several; none stands for one of the tokenizer's own stride.
    """

    name: str
    sha256: str
    stride: Stride = field(metadata=_SIDE)
    channels: int = field(metadata=_SIDE)
    lead_frame: bool
    variational: bool
    warm_up: int = field(metadata=_MAYBE)
    encoder_halo: int = field(metadata=_MAYBE)
    decoder_halo: int = field(metadata=_MAYBE)
    encoder_past: int = field(metadata=_MAYBE)
    decoder_past: int = field(metadata=_MAYBE)
    work: int = field(metadata=bounded(0, 1 << 30))
    flops_per_pixel: float
    pixel_units: tuple[float, ...]
    coding_units: tuple[float, ...]
    number_format: NumberFormat = "float32"
    bases: Bases = ()
    encoder_past_side: int = field(default=1, metadata=_SIDE)
    decoder_past_side: int = field(default=1, metadata=_SIDE)
    parts: tuple[PartFacts, ...] = ()

    @property
    def encoder_memory(self) -> Remembered:
        """What a step of the encoder gives the one after it."""
        return Remembered(self.encoder_past, self.encoder_past_side)

    @property
    def decoder_memory(self) -> Remembered:
        """Likewise of the decoder."""
        return Remembered(self.decoder_past, self.decoder_past_side)

    def latent_parts(self) -> tuple[Part, ...]:
        """The parts of the latent, in the order of its tensors."""
        if not self.parts:
            return (Part(PART, self.channels, self.stride),)
        return tuple(
            Part(each.name, each.channels, each.stride, exact=each.exact, whole=each.whole)
            for each in self.parts
        )

    def by_part(self, numbers: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
        """Numbers of all channels, part by part."""
        ends = list(accumulate(part.channels for part in self.latent_parts()))
        return {
            part.name: numbers[end - part.channels : end]
            for part, end in zip(self.latent_parts(), ends, strict=True)
        }


def facts_to_text(facts: StepFacts) -> str:
    """As the metadata hold it."""
    numbers = {
        name: value for name, value in asdict(facts).items() if value != () and not _usual(name, value)
    }
    return json.dumps({"format": FORMAT, **numbers}, sort_keys=True)


def _usual(name: str, value: object) -> bool:
    """Whether a number is left out, because readers that do not know it take it for this one."""
    return name.endswith("_past_side") and value == 1


def text_to_facts(text: str | None, path: Path) -> StepFacts:
    """Undo `facts_to_text`.

    Raises:
        CheckpointError: the file is not one of ours, newer than this program, or damaged; `path` is named.
    """
    if text is None:
        raise CheckpointError(f"{path} says nothing of a tokenizer; `tubelet export` makes such files.")
    try:
        numbers: Any = json.loads(text)
        version = numbers.pop("format")
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise CheckpointError(f"what {path} says of its tokenizer is damaged. Export it again.") from error
    if version != FORMAT:
        raise CheckpointError(
            f"{path} is of format {version!r:.20}; this program reads {FORMAT}. Upgrade it."
        )
    facts = fields_from_json(StepFacts, numbers, str(path))
    if not len(facts.pixel_units) == len(facts.coding_units) == facts.channels:
        raise CheckpointError(f"{path} has units of other channels than it has. Export it again.")
    parts = facts.latent_parts()
    if sum(part.channels for part in parts) != facts.channels or len({part.name for part in parts}) < len(
        parts
    ):
        raise CheckpointError(f"{path} has other parts than channels. Export it again.")
    if any(whole % side for part in parts for whole, side in zip(facts.stride, part.stride, strict=True)):
        raise CheckpointError(f"{path} has a part whose stride does not divide its own. Export it again.")
    if facts.bases and sum(map(len, facts.bases)) != facts.channels:
        raise CheckpointError(f"{path} has other digits than channels. Export it again.")
    return facts


def counts_name(facts: StepFacts, part: str) -> str:
    """What the tensor is called that says how many channels each position of a part has."""
    return f"{part}_counts" if facts.parts else "counts"


def variance_name(facts: StepFacts, part: str) -> str:
    """What the tensor is called that has logarithms of the variances of a part."""
    return f"{part}_log_variance" if facts.parts else "log_variance"
