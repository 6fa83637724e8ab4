"""What an exported tokenizer says of itself: JSON beside, or inside, each of its two functions."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tubelet.errors import CheckpointError
from tubelet.json_fields import bounded, fields_from_json
from tubelet.quantizers.digits import Bases
from tubelet.types import Stride

KEY = "tubelet"
"""Of the metadata of a file."""

NumberFormat = Literal["float32", "float16", "int8"]
"""What the maps of networks compute in; all that goes in and comes out is float32, or whole numbers."""

FORMAT = 1

_SIDE = bounded(1, 1 << 16)
_MAYBE = bounded(0, 1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFacts:
    """A tokenizer as two functions of one step.

    Attributes:
        name: of the tokenizer, as files call it.
        sha256: its fingerprint, before it was exported.
        stride: frames, rows and columns of pixels of a step of one position.
        channels: of the latent.
        lead_frame: whether the first frame is a step of its own, repeated to fill it.
        variational: whether the encoder gives logarithms of variances too.
        warm_up: steps that decoding must start before the first step that is wanted.
        encoder_halo: positions to each side that a position of the latent depends on.
        decoder_halo: positions to each side that those of the video depend on.
        encoder_past: channels of what the encoder remembers; none without a network.
        decoder_past: likewise of the decoder.
        work: numbers per position that a step holds at once; an upper estimate.
        flops_per_pixel: operations to encode and decode a pixel.
        pixel_units: by how much one of each channel changes pixels in [-1, 1].
        coding_units: what a file's quantiser takes for `pixel_units`.
        number_format: what the maps of its networks compute in.
        bases: of a discrete tokenizer: for each token of a position, how many values each of its digits has;
            its functions give and take these digits in place of a latent. None for a continuous one.
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
    work: int = field(metadata=_MAYBE)
    flops_per_pixel: float
    pixel_units: tuple[float, ...]
    coding_units: tuple[float, ...]
    number_format: NumberFormat = "float32"
    bases: Bases = ()


def facts_to_text(facts: StepFacts) -> str:
    """As the metadata hold it."""
    numbers = {name: value for name, value in asdict(facts).items() if value != ()}
    return json.dumps({"format": FORMAT, **numbers}, sort_keys=True)


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
    if facts.bases and sum(map(len, facts.bases)) != facts.channels:
        raise CheckpointError(f"{path} has other digits than channels. Export it again.")
    return facts
