"""What is exported of a tokenizer: two functions of one step, what goes in and what comes out."""

import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tubelet.checkpoint import Checkpoint
from tubelet.errors import OptionError
from tubelet.interop.steps.facts import NumberFormat, StepFacts
from tubelet.models.klt.flat import FlatDecoder, FlatEncoder
from tubelet.models.klt.model import PART, KLTModel
from tubelet.models.protocol import GenerativeModel, StepModel
from tubelet.quantizers.flat import FlatFSQ, FlatSigns, flat_quantizer
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer

_LOG = logging.getLogger("tubelet.interop")

_MOST_POSITIONS = 1 << 13
"""Rows or columns of positions."""

_EXAMPLE = (6, 7)
"""Rows and columns of the step that is traced; none is 1, which would be taken for a rule."""


class Input(NamedTuple):
    """What a step is given: an example, and the sides that vary."""

    example: Tensor
    sides: dict[int, Any] | None


class Step(NamedTuple):
    """A function of one step.

    Attributes:
        module: computes it; takes and gives tensors in order.
        inputs: by name, in order.
        outputs: their names, in order.
    """

    module: nn.Module
    inputs: Mapping[str, Input]
    outputs: Sequence[str]

    def program(self) -> torch.export.ExportedProgram:
        """The function as a program of `torch.export`, for steps of any rows and columns."""
        examples, sides = self.arguments()
        with torch.no_grad():
            return torch.export.export(self.module, examples, dynamic_shapes=(sides,))

    def arguments(self) -> tuple[tuple[Tensor, ...], tuple[dict[int, Any] | None, ...]]:
        """Examples of the inputs, and their sides that vary."""
        examples, sides = zip(*self.inputs.values(), strict=True)
        return examples, sides


class Exported(NamedTuple):
    """A tokenizer as two functions of one step."""

    encoder: Step
    decoder: Step
    facts: StepFacts


Tokenizer = ContinuousTokenizer | DiscreteTokenizer


def exported_steps(
    checkpoint: Checkpoint[Any], *, channels: int | None = None, number_format: NumberFormat = "float32"
) -> Exported:
    """A tokenizer, continuous or with a quantiser that rounds or takes signs, as two functions of one step.

    What a flow adds, and what a decoder has learnt of steps to come, is left out.

    Args:
        checkpoint: the tokenizer; the weights are copied.
        channels: leading channels to keep; all by default.
        number_format: what maps compute in; those of ``int8`` are in float32 here, and are rounded when
            they are written.

    Raises:
        OptionError: the tokenizer has no form on four axes, or not so many channels; or it is discrete, and
            channels are to be left out.
    """
    tokenizer: Tokenizer = checkpoint.tokenizer
    discrete = isinstance(tokenizer, DiscreteTokenizer)
    backbone = tokenizer.backbone if discrete else tokenizer
    model = _exportable(checkpoint.name, backbone.model)
    kept = backbone.check_channels(channels)
    if discrete and kept != model.channels:
        raise OptionError(
            f"{checkpoint.name} is a discrete tokenizer, whose tokens need all {model.channels} channels. "
            "Leave the number of channels out."
        )
    model = model.eval().cpu().float()
    model = model if kept == model.channels else model.narrowed(kept).eval()
    half = number_format == "float16"
    encoder, decoder = FlatEncoder(model, half=half), FlatDecoder(model, half=half)
    facts = _facts(checkpoint, model, encoder, decoder, number_format)
    _LOG.debug("%s as steps of %d channels, %s", checkpoint.name, kept, number_format)
    if not discrete:
        return Exported(
            Step(_Given(encoder).eval(), _encoder_inputs(facts), _encoder_outputs(facts)),
            Step(_Given(decoder).eval(), _decoder_inputs(facts), _decoder_outputs(facts)),
            facts,
        )
    if (digits := flat_quantizer(tokenizer.quantizer)) is None:
        raise OptionError(
            f"{checkpoint.name} has a quantiser that is not exported; those that round or take signs (FSQ, "
            "LFQ, BSQ) are. `tubelet models` shows them."
        )
    return Exported(
        Step(_TokenEncoder(encoder, digits).eval(), _encoder_inputs(facts), _encoder_outputs(facts)),
        Step(_TokenDecoder(decoder, digits).eval(), _decoder_inputs(facts), _decoder_outputs(facts)),
        facts,
    )


class _Given(nn.Module):
    """A step without what it does not have: exporters take no missing outputs."""

    def __init__(self, step: nn.Module) -> None:
        super().__init__()
        self.step = step

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        return tuple(each for each in self.step(*given) if each is not None)


class _TokenEncoder(nn.Module):
    """Frames to digits."""

    def __init__(self, step: FlatEncoder, digits: FlatFSQ | FlatSigns) -> None:
        super().__init__()
        self.step, self.digits = step, digits

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        encoded = self.step(*given)
        past = () if encoded.past is None else (encoded.past,)
        return (self.digits.quantize(encoded.latent), *past)


class _TokenDecoder(nn.Module):
    """Digits to frames."""

    def __init__(self, step: FlatDecoder, digits: FlatFSQ | FlatSigns) -> None:
        super().__init__()
        self.step, self.digits = step, digits

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        digits, *state = given
        latent = self.digits.dequantize(digits)
        counts = torch.full_like(digits[:, :1], latent.shape[1], dtype=torch.int64)
        return tuple(each for each in self.step(latent, counts, *state) if each is not None)


def _exportable(name: str, model: StepModel) -> KLTModel:
    """The model whose steps have a form on four axes.

    Raises:
        OptionError: there is none.
    """
    base = model.base if isinstance(model, GenerativeModel) else model
    if not isinstance(base, KLTModel):
        raise OptionError(
            f"{name} is of a kind that is not exported; tokenizers of one part with a learned transform are. "
            "`tubelet models` shows them."
        )
    return base


def _facts(
    checkpoint: Checkpoint[Any],
    model: KLTModel,
    encoder: FlatEncoder,
    decoder: FlatDecoder,
    number_format: NumberFormat,
) -> StepFacts:
    tokenizer: Tokenizer = checkpoint.tokenizer
    widths = [stack.width for stack in model.networks()]
    pixels = 3 * model.stride.t * model.stride.h * model.stride.w
    return StepFacts(
        name=checkpoint.name,
        sha256=checkpoint.sha256,
        stride=model.stride,
        channels=model.channels,
        lead_frame=tokenizer.lead_frame,
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
        number_format=number_format,
        bases=tokenizer.bases if isinstance(tokenizer, DiscreteTokenizer) else (),
    )


def _encoder_inputs(facts: StepFacts) -> dict[str, Input]:
    rows, columns = _sides()
    t, h, w = facts.stride
    height, width = _EXAMPLE[0] * h, _EXAMPLE[1] * w
    frames = torch.zeros(1, 3 * t, height, width)
    return {"frames": Input(frames, {2: h * rows, 3: w * columns})} | _past_inputs(facts.encoder_past)


def _decoder_inputs(facts: StepFacts) -> dict[str, Input]:
    rows, columns = _sides()
    sides = {2: rows, 3: columns}
    if facts.bases:
        digits = torch.zeros(1, len(list(chain.from_iterable(facts.bases))), *_EXAMPLE, dtype=torch.int32)
        return {"digits": Input(digits, sides)} | _past_inputs(facts.decoder_past)
    latent = torch.zeros(1, facts.channels, *_EXAMPLE)
    counts = torch.full((1, 1, *_EXAMPLE), facts.channels)
    given = {"latent": Input(latent, sides), "counts": Input(counts, sides)}
    return given | _past_inputs(facts.decoder_past)


def _past_inputs(channels: int) -> dict[str, Input]:
    if not channels:
        return {}
    rows, columns = _sides()
    past = Input(torch.zeros(1, channels, *_EXAMPLE), {2: rows, 3: columns})
    return {"first": Input(torch.tensor([True]), None), "past": past}


def _encoder_outputs(facts: StepFacts) -> list[str]:
    names = ["digits"] if facts.bases else ["latent"] + (["log_variance"] if facts.variational else [])
    return names + (["past_next"] if facts.encoder_past else [])


def _decoder_outputs(facts: StepFacts) -> list[str]:
    return ["frames"] + (["past_next"] if facts.decoder_past else [])


def _sides() -> tuple[Any, Any]:
    return (
        torch.export.Dim("rows", min=1, max=_MOST_POSITIONS),
        torch.export.Dim("columns", min=1, max=_MOST_POSITIONS),
    )
