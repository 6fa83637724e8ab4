"""What is exported of a tokenizer: two functions of one step, what goes in and what comes out."""

import copy
import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tubelet.checkpoint import Checkpoint
from tubelet.errors import OptionError
from tubelet.interop.steps.facts import (
    NumberFormat,
    PartFacts,
    Remembered,
    StepFacts,
    counts_name,
    variance_name,
)
from tubelet.interop.steps.forms import Forms, forms, without_chance
from tubelet.models.protocol import StepModel
from tubelet.quantizers.flat import FlatQuantizer, flat_quantizer
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
    """A tokenizer, continuous or discrete, as two functions of one step.

    What a flow adds, and what a decoder has learnt of steps to come, is left out.

    Args:
        checkpoint: the tokenizer, of any `StepModel`; the weights are copied.
        channels: leading channels to keep; all by default.
        number_format: what maps compute in; those of ``int8`` are in float32 here, and are rounded when
            they are written.

    Raises:
        OptionError: the tokenizer has no such functions, or not so many channels; or it is discrete, and
            channels are to be left out.
    """
    tokenizer: Tokenizer = checkpoint.tokenizer
    model = _model_of(checkpoint, channels)
    pair = forms(model, half=number_format == "float16")
    if number_format == "int8" and not pair.on_four_axes:
        raise OptionError(
            f"{checkpoint.name} is of a kind whose networks are not exported in int8. Use float16 or float32."
        )
    facts = _facts(checkpoint, model, pair, number_format)
    _LOG.debug("%s as steps of %d channels, %s", checkpoint.name, facts.channels, number_format)
    encoder, decoder = pair.encoder, pair.decoder
    if isinstance(tokenizer, DiscreteTokenizer):
        digits = flat_quantizer(tokenizer.quantizer)
        encoder, decoder = _TokenEncoder(encoder, digits).eval(), _TokenDecoder(decoder, digits).eval()
    return Exported(
        Step(encoder, _encoder_inputs(facts), _encoder_outputs(facts)),
        Step(decoder, _decoder_inputs(facts), _decoder_outputs(facts)),
        facts,
    )


def _model_of(checkpoint: Checkpoint[Any], channels: int | None) -> StepModel:
    """The model that is exported, in float32.

    Raises:
        OptionError: it has not so many channels.
    """
    tokenizer: Tokenizer = checkpoint.tokenizer
    discrete = isinstance(tokenizer, DiscreteTokenizer)
    backbone = tokenizer.backbone if discrete else tokenizer
    whole = without_chance(backbone.model)
    # A latent of several parts, of which none is the main one, has no number of channels to keep.
    kept = None if channels is None else backbone.check_channels(channels)
    narrow = kept is not None and kept != backbone.channels
    if discrete and narrow:
        raise OptionError(
            f"{checkpoint.name} is a discrete tokenizer, whose tokens need all {backbone.channels} channels. "
            "Leave the number of channels out."
        )
    # A module, as every model is; its weights stay where they are, and a copy of them is exported.
    model: Any = copy.deepcopy(whole)
    model = model.eval().cpu().float()
    return model.narrowed(kept).eval() if narrow else model


class _TokenEncoder(nn.Module):
    """Frames to digits."""

    def __init__(self, step: nn.Module, digits: FlatQuantizer) -> None:
        super().__init__()
        self.step, self.digits = step, digits

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        latent, *past = self.step(*given)
        return (self.digits.quantize(latent), *past)


class _TokenDecoder(nn.Module):
    """Digits to frames."""

    def __init__(self, step: nn.Module, digits: FlatQuantizer) -> None:
        super().__init__()
        self.step, self.digits = step, digits

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        digits, *state = given
        latent = self.digits.dequantize(digits)
        counts = torch.full_like(digits[:, :1], latent.shape[1], dtype=torch.int64)
        return self.step(latent, counts, *state)


def _facts(
    checkpoint: Checkpoint[Any], model: StepModel, pair: Forms, number_format: NumberFormat
) -> StepFacts:
    tokenizer: Tokenizer = checkpoint.tokenizer
    bases = tokenizer.bases if isinstance(tokenizer, DiscreteTokenizer) else ()
    digits = sum(map(len, bases))
    several = [part for part in model.parts if len(model.parts) > 1 or part.stride != model.stride]
    return StepFacts(
        name=checkpoint.name,
        sha256=checkpoint.sha256,
        stride=model.stride,
        channels=digits or sum(part.channels for part in model.parts),
        lead_frame=tokenizer.lead_frame,
        variational=model.variational,
        warm_up=model.warm_up,
        encoder_halo=model.encoder_halo,
        decoder_halo=model.decoder_halo,
        encoder_past=pair.encoder_past.channels,
        decoder_past=pair.decoder_past.channels,
        encoder_past_side=pair.encoder_past.side,
        decoder_past_side=pair.decoder_past.side,
        work=pair.work,
        flops_per_pixel=model.flops_per_pixel(),
        pixel_units=(1.0,) * digits or _in_order(model, model.pixel_units()),
        coding_units=(1.0,) * digits or _in_order(model, model.coding_units()),
        number_format=number_format,
        bases=bases,
        parts=tuple(PartFacts(**part._asdict()) for part in several),
    )


def _in_order(model: StepModel, units: Mapping[str, Tensor]) -> tuple[float, ...]:
    return tuple(number for part in model.parts for number in units[part.name].tolist())


def _encoder_inputs(facts: StepFacts) -> dict[str, Input]:
    rows, columns = _sides()
    t, h, w = facts.stride
    height, width = _EXAMPLE[0] * h, _EXAMPLE[1] * w
    # Not all alike, so that no path is taken that a video would not take.
    frames = torch.rand(1, 3 * t, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return {"frames": Input(frames, {2: h * rows, 3: w * columns})} | _past_inputs(facts.encoder_memory)


def _decoder_inputs(facts: StepFacts) -> dict[str, Input]:
    rows, columns = _sides()
    if facts.bases:
        digits = torch.zeros(1, len(list(chain.from_iterable(facts.bases))), *_EXAMPLE, dtype=torch.int32)
        return {"digits": Input(digits, {2: rows, 3: columns})} | _past_inputs(facts.decoder_memory)
    given: dict[str, Input] = {}
    for part in facts.latent_parts():
        steps, down, right = (a // b for a, b in zip(facts.stride, part.stride, strict=True))
        size, sides = (down * _EXAMPLE[0], right * _EXAMPLE[1]), {2: down * rows, 3: right * columns}
        given[part.name] = Input(torch.zeros(1, steps * part.channels, *size), sides)
        given[counts_name(facts, part.name)] = Input(torch.full((1, steps, *size), part.channels), sides)
    return given | _past_inputs(facts.decoder_memory)


def _past_inputs(memory: Remembered) -> dict[str, Input]:
    if not memory.channels:
        return {}
    rows, columns, side = *_sides(), memory.side
    past = Input(torch.zeros(memory.size(_EXAMPLE)), {2: side * rows, 3: side * columns})
    return {"first": Input(torch.tensor([True]), None), "past": past}


def _encoder_outputs(facts: StepFacts) -> list[str]:
    names = ["digits"] if facts.bases else [part.name for part in facts.latent_parts()]
    if facts.variational and not facts.bases:
        names += [variance_name(facts, name) for name in list(names)]
    return names + (["past_next"] if facts.encoder_past else [])


def _decoder_outputs(facts: StepFacts) -> list[str]:
    return ["frames"] + (["past_next"] if facts.decoder_past else [])


def _sides() -> tuple[Any, Any]:
    return (
        torch.export.Dim("rows", min=1, max=_MOST_POSITIONS),
        torch.export.Dim("columns", min=1, max=_MOST_POSITIONS),
    )
