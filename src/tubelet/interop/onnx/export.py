"""A tokenizer of ours as two ONNX files, ``encoder.onnx`` and ``decoder.onnx``."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tubelet.checkpoint import Checkpoint
from tubelet.errors import OptionError
from tubelet.files import replacing_folder
from tubelet.interop.onnx.facts import KEY, StepFacts, facts_to_text
from tubelet.interop.onnx.packages import export_package
from tubelet.models.klt.flat import FlatDecoder, FlatEncoder
from tubelet.models.klt.model import PART, KLTModel
from tubelet.tokenizers.continuous import ContinuousTokenizer

ENCODER, DECODER, CARD = FILES = ("encoder.onnx", "decoder.onnx", "card.md")
"""Of such a folder."""

OPSET = 20
"""Version of the operators of ONNX that the files are made of."""

_MOST_POSITIONS = 1 << 13
"""Rows or columns of positions."""

_EXAMPLE = (6, 7)
"""Rows and columns of the step that is traced; none is 1, which would be taken for a rule."""


def export_onnx(
    checkpoint: Checkpoint[ContinuousTokenizer],
    folder: Path,
    *,
    channels: int | None = None,
    force: bool = False,
) -> Path:
    """Write the encoder's and the decoder's step as ONNX, in float32, for steps of any rows and columns.

    Inputs and outputs are those of `tubelet.models.klt.flat`, as far as the tokenizer has them: ``frames``,
    ``latent``, ``counts``, ``first`` and ``past`` in; ``latent``, ``log_variance``, ``frames`` and
    ``past_next`` out.

    Args:
        checkpoint: the tokenizer.
        folder: where to.
        channels: leading channels to keep; all by default.
        force: whether a folder of such files is replaced.

    Returns:
        The folder.

    Raises:
        OptionError: the tokenizer's model has no form on four axes, or not so many channels; or a package is
            not installed.
        OutputError: the folder exists or cannot be written.
    """
    for package in ("onnx", "onnxscript"):
        export_package(package)
    tokenizer = checkpoint.tokenizer
    if not isinstance(tokenizer.model, KLTModel):
        raise OptionError(
            f"{checkpoint.name} is of a kind that is not exported; tokenizers of one part with a learned "
            "transform are. `tubelet models` shows them."
        )
    kept = tokenizer.check_channels(channels)
    model = tokenizer.model.eval().cpu().float()
    model = model if kept == model.channels else model.narrowed(kept).eval()
    encoder, decoder = FlatEncoder(model), FlatDecoder(model)
    facts = _facts(checkpoint, model, encoder, decoder)
    with replacing_folder(folder, holds=FILES, force=force) as beside:
        _write(encoder, _encoder_inputs(facts), _encoder_outputs(facts), facts, beside / ENCODER)
        _write(decoder, _decoder_inputs(facts), _decoder_outputs(facts), facts, beside / DECODER)
        (beside / CARD).write_text(_card(facts), encoding="utf-8")
    return folder


class _Input(NamedTuple):
    """What a step is given: an example, and the sides that vary."""

    example: Tensor
    sides: dict[int, Any] | None


def _encoder_inputs(facts: StepFacts) -> dict[str, _Input]:
    rows, columns = _sides()
    t, h, w = facts.stride
    height, width = _EXAMPLE[0] * h, _EXAMPLE[1] * w
    frames = torch.zeros(1, 3 * t, height, width)
    return {"frames": _Input(frames, {2: h * rows, 3: w * columns})} | _past_inputs(facts.encoder_past)


def _decoder_inputs(facts: StepFacts) -> dict[str, _Input]:
    rows, columns = _sides()
    sides = {2: rows, 3: columns}
    latent = torch.zeros(1, facts.channels, *_EXAMPLE)
    counts = torch.full((1, 1, *_EXAMPLE), facts.channels)
    given = {"latent": _Input(latent, sides), "counts": _Input(counts, sides)}
    return given | _past_inputs(facts.decoder_past)


def _past_inputs(channels: int) -> dict[str, _Input]:
    if not channels:
        return {}
    rows, columns = _sides()
    past = _Input(torch.zeros(1, channels, *_EXAMPLE), {2: rows, 3: columns})
    return {"first": _Input(torch.tensor([True]), None), "past": past}


def _encoder_outputs(facts: StepFacts) -> list[str]:
    names = ["latent"] + (["log_variance"] if facts.variational else [])
    return names + (["past_next"] if facts.encoder_past else [])


def _decoder_outputs(facts: StepFacts) -> list[str]:
    return ["frames"] + (["past_next"] if facts.decoder_past else [])


def _sides() -> tuple[Any, Any]:
    return (
        torch.export.Dim("rows", min=1, max=_MOST_POSITIONS),
        torch.export.Dim("columns", min=1, max=_MOST_POSITIONS),
    )


def _write(
    module: nn.Module,
    inputs: Mapping[str, _Input],
    outputs: list[str],
    facts: StepFacts,
    path: Path,
) -> None:
    """Trace a step and write it."""
    examples, sides = zip(*inputs.values(), strict=True)
    with _silence(), torch.no_grad():
        program = torch.onnx.export(
            _Given(module.eval()),
            examples,
            dynamo=True,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=(tuple(sides),),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None, "the exporter gives a program"
    program.model.metadata_props[KEY] = facts_to_text(facts)
    program.model.producer_name = "tubelet"
    program.save(path)


class _Given(nn.Module):
    """A step without what it does not have: the exporter takes no missing outputs."""

    def __init__(self, step: nn.Module) -> None:
        super().__init__()
        self.step = step

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        return tuple(each for each in self.step(*given) if each is not None)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what torch's exporter says of itself from the user; its errors stay."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _facts(
    checkpoint: Checkpoint[ContinuousTokenizer], model: KLTModel, encoder: FlatEncoder, decoder: FlatDecoder
) -> StepFacts:
    widths = [stack.width for stack in model.networks()]
    pixels = 3 * model.stride.t * model.stride.h * model.stride.w
    return StepFacts(
        name=checkpoint.name,
        sha256=checkpoint.sha256,
        stride=model.stride,
        channels=model.channels,
        lead_frame=checkpoint.tokenizer.lead_frame,
        variational=model.variational,
        warm_up=model.warm_up,
        encoder_halo=model.encoder_halo,
        decoder_halo=model.decoder_halo,
        encoder_past=encoder.past_channels,
        decoder_past=decoder.past_channels,
        # Of a block: the residual stream, what it remembers twice, and a few as wide.
        work=3 * pixels + 8 * max(widths, default=0) + 2 * max(encoder.past_channels, decoder.past_channels),
        flops_per_pixel=model.flops_per_pixel(),
        pixel_units=tuple(model.pixel_units()[PART].tolist()),
        coding_units=tuple(model.coding_units()[PART].tolist()),
    )


def _card(facts: StepFacts) -> str:
    t, h, w = facts.stride
    variance = ", `log_variance` likewise" if facts.variational else ""
    past = "" if not facts.encoder_past else f", `past` 1 x {facts.encoder_past} x h x w"
    known = "" if not facts.decoder_past else f", `past` 1 x {facts.decoder_past} x h x w"
    state = (
        "`first` is true in the first step of a clip, where `past` is not looked at; `past_next` is the "
        "`past` of the next step.\n"
        if facts.encoder_past or facts.decoder_past
        else ""
    )
    lead = "The first frame of a clip is a step of its own, repeated. " if facts.lead_frame else ""
    return f"""# {facts.name} as ONNX

Two functions of one step of {t} frames, in float32, opset {OPSET}, of operators on four axes; h and w are
positions of {h} x {w} pixels.

- `encoder.onnx`: `frames` 1 x {3 * t} x {h} h x {w} w in [-1, 1], all colours of the first frame first{past}
  to `latent` 1 x {facts.channels} x h x w{variance}.
- `decoder.onnx`: `latent`, `counts` 1 x 1 x h x w (how many leading channels each position has, whole
  numbers){known} to `frames`.

{state}{lead}Frames are filled up to whole positions by repeating their last rows and columns.

    tokenizer = tubelet.interop.onnx.opening.read_onnx(FOLDER).tokenizer

is a tokenizer of tubelet that computes with onnxruntime. Fingerprint of {facts.name}: {facts.sha256}.
"""
