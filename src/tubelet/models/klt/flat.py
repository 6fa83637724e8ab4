"""The same model as functions of one step, made of operators on four axes, with its state in sight.

What runs elsewhere (onnxruntime, browsers) is fast and reliable on batches of pictures: so time is folded
into channels, the frames of a step are ``1 (t c) H W``, and what the network remembers is one tensor, which
goes in and comes out. `tubelet.interop` exports these.

All that goes in and comes out is float32. Maps of networks may compute in half precision, as those of a
`KLTModel` may: transforms, norms, gains and the residual stream stay in float32.
"""

from math import prod
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.models.klt.model import FIRST_DEVIATION, KLTModel
from tubelet.nn.blocks import ResidualStack
from tubelet.nn.flat import (
    First,
    Flat,
    FlatCorrectionScale,
    FlatFrames,
    FlatInverseKLT,
    FlatKLT,
    FlatPast,
    FlatPrefix,
    FlatStack,
    flat_column,
    rate_knots,
)
from tubelet.nn.klt import KLTCascade


class FlatEncoded(NamedTuple):
    """A step that was encoded.

    Attributes:
        latent: the mean, where the model knows a distribution.
        log_variance: natural logarithm of the variance around it; none where it knows none.
        past: for the step that follows; none where nothing is remembered.
    """

    latent: Flat
    log_variance: Flat | None
    past: FlatPast | None


class FlatDecoded(NamedTuple):
    """The frames of a step, and what is remembered for the one that follows."""

    frames: FlatFrames
    past: FlatPast | None


class FlatEncoder(nn.Module):
    """`KLTModel.encode_step` of a whole frame.

    Args:
        model: whose encoder; its weights are copied.
        half: whether its maps compute in float16.

    Attributes:
        work: numbers per cell that a step holds at once, beside what is remembered; an upper estimate.

    Raises:
        OptionError: its patches are not square.
    """

    def __init__(self, model: KLTModel, *, half: bool = False) -> None:
        super().__init__()
        self.transform = _Transform(model.transform)
        self.channels, self.variational = model.channels, model.variational
        self.work = _work(model, model.encoder)
        self.stack = None if model.encoder is None else FlatStack(model.encoder, half=half)
        if self.stack is not None:
            self.register_buffer("units", flat_column(model.encoder_units()))
            self.register_buffer("mean", flat_column(model.latent_mean))
            self.register_buffer("deviation", flat_column(model.latent_deviation))
        self.units: Tensor
        self.mean: Tensor
        self.deviation: Tensor

    past_side = 1

    @property
    def past_channels(self) -> int:
        """Channels of what is remembered."""
        return 0 if self.stack is None else self.stack.past_channels

    def forward(
        self, frames: FlatFrames, first: First | None = None, past: FlatPast | None = None
    ) -> FlatEncoded:
        """Encode a step.

        Args:
            frames: of it.
            first: whether it is the first of a clip, so that `past` means nothing.
            past: what the step before gave.
        """
        coefficients = self.transform(frames)
        linear = coefficients[:, : self.channels]
        if self.stack is None:
            return FlatEncoded(linear, None, None)
        correction, past = self.stack(coefficients, first, past, None)
        raw = linear + self.units * correction[:, : self.channels]
        latent = (raw - self.mean) / self.deviation
        if not self.variational:
            return FlatEncoded(latent, None, past)
        spread = correction[:, self.channels :] + 2 * torch.log(torch.tensor(FIRST_DEVIATION))
        return FlatEncoded(latent, spread - 2 * self.deviation.log(), past)


class FlatDecoder(nn.Module):
    """`KLTModel.decode_step` of a whole frame, of steps that are known; arguments as `FlatEncoder`.

    What a decoder has learnt of steps to come is left out.

    Raises:
        OptionError: its patches are not square.
    """

    def __init__(self, model: KLTModel, *, half: bool = False) -> None:
        super().__init__()
        self.inverse = _Inverse(model.transform)
        coefficients = len(model.transform.deviation)
        self.stack = (
            None if model.decoder is None else FlatStack(model.decoder, outputs=coefficients, half=half)
        )
        self.missing = coefficients - model.channels
        self.work = _work(model, model.decoder)
        self.scale = FlatCorrectionScale(model.transform.deviation)
        ones = torch.ones(model.channels)
        standardised = model.encoder is not None
        self.register_buffer("units", flat_column(model.latent_deviation if standardised else ones))
        self.register_buffer("mean", flat_column(model.latent_mean if standardised else 0 * ones))
        self.prefix = FlatPrefix(0 * ones if model.prefix is None else model.prefix.fill)
        self.units: Tensor
        self.mean: Tensor

    past_side = 1

    @property
    def past_channels(self) -> int:
        """Channels of what is remembered."""
        return 0 if self.stack is None else self.stack.past_channels

    def forward(
        self,
        latent: Flat,
        counts: Int[Tensor, "1 1 h w"],
        first: First | None = None,
        past: FlatPast | None = None,
    ) -> FlatDecoded:
        """Decode a step.

        Args:
            latent: all channels; what lies beyond a position's count is not looked at.
            counts: how many leading channels each position has, from none to all.
            first: whether it is the first of a clip, so that `past` means nothing.
            past: what the step before gave.
        """
        shown = self.prefix(latent * self.units + self.mean, counts)
        skip = shown.skip
        if self.missing:
            skip = F.pad(skip, (0, 0, 0, 0, 0, self.missing))
        if self.stack is None:
            return FlatDecoded(self.inverse(skip), None)
        correction, past = self.stack(shown.inputs, first, past, rate_knots(shown.share))
        return FlatDecoded(self.inverse(skip + self.scale(counts) * correction), past)


def _work(model: KLTModel, stack: ResidualStack | None) -> int:
    """Numbers per cell: of frames; and of a block the residual stream and some tensors as wide."""
    return 3 * 3 * prod(model.stride) + 8 * (0 if stack is None else stack.width)


class _Transform(nn.Module):
    """`KLTCascade.forward` of the frames of one step."""

    def __init__(self, cascade: KLTCascade) -> None:
        super().__init__()
        self.frames = cascade.stride.t
        self.steps = [level.patch.t for level in cascade.klts]
        self.levels = nn.ModuleList(FlatKLT(level) for level in cascade.klts)
        self.register_buffer("deviation", flat_column(cascade.deviation))
        self.deviation: Tensor

    def forward(self, frames: FlatFrames) -> Flat:
        _, channels, height, width = frames.shape
        x = frames.reshape(self.frames, channels // self.frames, height, width)
        for level, steps in zip(self.levels, self.steps, strict=True):
            x = level(x.reshape(x.shape[0] // steps, steps * x.shape[1], x.shape[2], x.shape[3]))
        return x / self.deviation


class _Inverse(nn.Module):
    """`KLTCascade.inverse` to the frames of one step."""

    def __init__(self, cascade: KLTCascade) -> None:
        super().__init__()
        levels = list(reversed(cascade.klts))
        self.steps = [level.patch.t for level in levels]
        self.levels = nn.ModuleList(FlatInverseKLT(level) for level in levels)
        self.channels = 3 * cascade.stride.t
        self.register_buffer("deviation", flat_column(cascade.deviation))
        self.deviation: Tensor

    def forward(self, coefficients: Flat) -> FlatFrames:
        x = coefficients * self.deviation
        for level, steps in zip(self.levels, self.steps, strict=True):
            x = level(x)
            x = x.reshape(x.shape[0] * steps, x.shape[1] // steps, x.shape[2], x.shape[3])
        return x.reshape(1, self.channels, x.shape[2], x.shape[3])
