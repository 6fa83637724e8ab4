"""A model's encoder and decoder as functions of one step: on four axes, where its kind has such a form."""

from itertools import chain
from typing import NamedTuple, cast

from torch import Tensor, nn

from tubelet.interop.steps.facts import Remembered
from tubelet.interop.steps.whole import WholeDecoder, WholeEncoder
from tubelet.models.klt.flat import FlatDecoder, FlatEncoder
from tubelet.models.klt.model import KLTModel
from tubelet.models.levels.flat import FlatLevelsDecoder, FlatLevelsEncoder
from tubelet.models.levels.model import LevelsModel
from tubelet.models.motion.flat import FlatMotionDecoder, FlatMotionEncoder
from tubelet.models.motion.model import MotionModel
from tubelet.models.protocol import GenerativeModel, StepModel
from tubelet.models.twin.flat import FlatTwinDecoder, FlatTwinEncoder
from tubelet.models.twin.model import TwinModel


class Forms(NamedTuple):
    """Two modules of one step, which take and give tensors in order.

    The encoder takes ``frames``, and gives each part and, of a distribution, logarithms of its variances; the
    decoder takes each part and its counts, and gives ``frames``. What remembers something takes ``first`` and
    ``past`` after all else, and gives ``past`` last.

    Attributes:
        encoder: to parts.
        decoder: of parts.
        encoder_past: what the encoder remembers.
        decoder_past: likewise of the decoder.
        on_four_axes: whether both are made of operators on four axes.
        work: numbers per cell that a step of either holds at once; an upper estimate.
    """

    encoder: nn.Module
    decoder: nn.Module
    encoder_past: Remembered
    decoder_past: Remembered
    on_four_axes: bool
    work: int


def without_chance(model: StepModel) -> StepModel:
    """The model whose latent this is, without what makes something up."""
    if not isinstance(model, GenerativeModel):
        return model
    base = cast("StepModel", model.base)
    return base if base.parts == model.parts else cast("StepModel", model.refined(0, seed=0))


def forms(model: StepModel, *, half: bool) -> Forms:
    """Both functions of a model.

    Args:
        model: one that makes nothing up; its weights are copied.
        half: whether maps of networks compute in float16.

    Raises:
        OptionError: its patches are not square, or what it remembers is not of cells.
    """
    match model:
        case KLTModel():
            pair = FlatEncoder(model, half=half), FlatDecoder(model, half=half)
        case MotionModel():
            pair = FlatMotionEncoder(model, half=half), FlatMotionDecoder(model, half=half)
        case TwinModel():
            pair = FlatTwinEncoder(model, half=half), FlatTwinDecoder(model, half=half)
        case LevelsModel():
            pair = FlatLevelsEncoder(model, half=half), FlatLevelsDecoder(model, half=half)
        case _:
            pair = WholeEncoder(model, half=half), WholeDecoder(model, half=half)
    encoder, decoder = pair
    pasts = [Remembered(each.past_channels, each.past_side) for each in pair]
    return Forms(
        _Given(encoder).eval(),
        _Given(decoder).eval(),
        *pasts,
        on_four_axes=not isinstance(encoder, WholeEncoder),
        # What is remembered goes in and comes out.
        work=max(encoder.work, decoder.work) + 2 * max(past.channels * past.side**2 for past in pasts),
    )


class _Given(nn.Module):
    """A step without what it does not have: exporters take no missing outputs."""

    def __init__(self, step: nn.Module) -> None:
        super().__init__()
        self.step = step
        for numbers in chain(step.parameters(), step.buffers()):
            # torch.export.save writes what lies in memory.
            numbers.data = numbers.data.contiguous()

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        return tuple(each for each in self.step(*given) if each is not None)
