"""What lies beside an exported tokenizer: in words, what goes in and comes out."""

from tubelet.interop.steps.facts import StepFacts

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
    what = "digits" if facts.bases else "latent"
    variance = ", `log_variance` likewise" if facts.variational else ""
    past = "" if not facts.encoder_past else f", `past` 1 x {facts.encoder_past} x h x w"
    known = "" if not facts.decoder_past else f", `past` 1 x {facts.decoder_past} x h x w"
    counts = (
        ""
        if facts.bases
        else ", `counts` 1 x 1 x h x w (how many leading channels each position has, whole\n  numbers)"
    )
    digits = (
        f"Digits are whole numbers of 32 bits; their bases, by token, are {_bases_text(facts)}. A token is "
        "its digits\nin mixed radix, the first counting least.\n"
        if facts.bases
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

Two functions of one step of {t} frames, {_FORMATS[facts.number_format]},
made of operators on four axes; h and w are positions of {h} x {w} pixels.

- `{files[0]}`: `frames` 1 x {3 * t} x {h} h x {w} w in [-1, 1], all colours of the first frame
  first{past}
  to `{what}` 1 x {facts.channels} x h x w{variance}.
- `{files[1]}`: `{what}`{counts}{known} to `frames`.

{digits}{state}{lead}Frames are filled up to whole
positions by repeating their last rows and columns.

    {read_by}

Fingerprint of {facts.name}: {facts.sha256}.
"""


def _bases_text(facts: StepFacts) -> str:
    return " and ".join(" x ".join(map(str, token)) for token in facts.bases)
