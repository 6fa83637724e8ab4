"""What lies beside an exported tokenizer: in words, what goes in and comes out."""

from tubelet.interop.steps.facts import Remembered, StepFacts, counts_name, variance_name
from tubelet.types import Part

_FORMATS = {
    "float32": "computing in float32",
    "float16": "whose networks compute in float16, between float32",
    "int8": "whose networks compute in 8-bit whole numbers, with scales that are found at each step",
}


def card_text(facts: StepFacts, *, written_as: str, files: tuple[str, str], read_by: str) -> str:
    """A card in Markdown.

    Args:
        facts: of the tokenizer.
        written_as: what the files are, for the title and the first sentence: ``ONNX, opset 20``.
        files: names of the encoder's and the decoder's.
        read_by: a line of Python that reads them.
    """
    t, h, w = facts.stride
    given, found = _tensors(facts)
    past, known = _past(facts.encoder_memory), _past(facts.decoder_memory)
    digits = (
        f"Digits are whole numbers of 32 bits; their bases, by token, are {_bases_text(facts)}. A token is "
        "its digits\nin mixed radix, the first counting least.\n"
        if facts.bases
        else ""
    )
    counts = (
        ""
        if facts.bases
        else "Counts are whole numbers of 64 bits: how many leading channels each position has.\n"
    )
    parts = (
        "Where a part has several steps in one, all channels of the first come first.\n"
        if any(part.stride.t < t for part in facts.latent_parts())
        else ""
    )
    state = (
        "`first` is true in the first step of a clip, where `past` is not looked at; `past_next` is the "
        "`past` of the\nnext step.\n"
        if facts.encoder_past or facts.decoder_past
        else ""
    )
    lead = "The first frame of a clip is a step of its own, repeated. " if facts.lead_frame else ""
    return f"""# {facts.name} as {written_as}

Two functions of one step of {t} frames, {_FORMATS[facts.number_format]};
h and w are positions of {h} x {w} pixels.

- `{files[0]}`: `frames` 1 x {3 * t} x {h} h x {w} w in [-1, 1], all colours of the first frame
  first{past}
  to {found}.
- `{files[1]}`: {given}{known} to `frames`.

{digits}{counts}{parts}{state}{lead}Frames are filled up to whole
positions by repeating their last rows and columns.

    {read_by}

Fingerprint of {facts.name}: {facts.sha256}.
"""


def _bases_text(facts: StepFacts) -> str:
    return " and ".join(" x ".join(map(str, token)) for token in facts.bases)


def _tensors(facts: StepFacts) -> tuple[str, str]:
    """What the decoder is given, and what the encoder gives."""
    if facts.bases:
        digits = f"`digits` 1 x {facts.channels} x h x w"
        return digits, digits
    latents = [_size(facts, part, part.channels, part.name) for part in facts.latent_parts()]
    counts = [_size(facts, part, 1, counts_name(facts, part.name)) for part in facts.latent_parts()]
    variances = [f"`{variance_name(facts, part.name)}`" for part in facts.latent_parts()]
    likewise = f", {', '.join(variances)} likewise" if facts.variational else ""
    given = ",\n  ".join(f"{latent}, {count}" for latent, count in zip(latents, counts, strict=True))
    return given, ",\n  ".join(latents) + likewise


def _size(facts: StepFacts, part: Part, channels: int, name: str) -> str:
    """A tensor and its sides; if a part has several steps in one, they lie in its channels."""
    steps, down, right = (whole // side for whole, side in zip(facts.stride, part.stride, strict=True))
    sides = [" * ".join(str(count) for count in (steps, channels) if count > 1) or "1"]
    sides += [f"{count}{letter}" if count > 1 else letter for count, letter in ((down, "h"), (right, "w"))]
    return f"`{name}` 1 x {' x '.join(sides)}"


def _past(memory: Remembered) -> str:
    if not memory.channels:
        return ""
    side = "" if memory.side == 1 else str(memory.side)
    return f", `past` 1 x {memory.channels} x {side}h x {side}w"
