"""The same model as functions of one step, made of operators on four axes, with its state in sight.

What runs elsewhere (onnxruntime, browsers) is fast and reliable on batches of pictures: so time is folded
into channels, the frames of a step are ``1 (t c) H W``, and what the network remembers is one tensor, which
goes in and comes out. `tubelet.interop` exports these.

All that goes in and comes out is float32. Maps of networks may compute in half precision, as those of a
`KLTModel` may: transforms, norms, gains and the residual stream stay in float32.
"""

from collections.abc import Iterable
from math import prod
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.errors import OptionError
from tubelet.models.klt.model import FIRST_DEVIATION, KLTModel
from tubelet.nn.blocks import Block, RateGain, ResidualStack
from tubelet.nn.klt import KLT, KLTCascade

FlatFrames = Float[Tensor, "1 _ H W"]
"""The frames of a step, in [-1, 1]: first all colours of the first frame."""

Flat = Float[Tensor, "1 _ h w"]
"""Numbers of the cells of a step."""

FlatPast = Float[Tensor, "1 _ h w"]
"""What a network remembers: of each block its last inputs, oldest first."""


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

    Raises:
        OptionError: its patches are not square.
    """

    def __init__(self, model: KLTModel, *, half: bool = False) -> None:
        super().__init__()
        self.transform = _Transform(model.transform)
        self.channels, self.variational = model.channels, model.variational
        self.stack = None if model.encoder is None else _Stack(model.encoder, half=half)
        if self.stack is not None:
            self.register_buffer("units", _column(model.encoder_units()))
            self.register_buffer("mean", _column(model.latent_mean))
            self.register_buffer("deviation", _column(model.latent_deviation))
        self.units: Tensor
        self.mean: Tensor
        self.deviation: Tensor

    @property
    def past_channels(self) -> int:
        """Channels of what is remembered."""
        return 0 if self.stack is None else self.stack.past_channels

    def forward(
        self, frames: FlatFrames, first: Bool[Tensor, "1"] | None = None, past: FlatPast | None = None
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
        self.stack = None if model.decoder is None else _Stack(model.decoder, outputs=coefficients, half=half)
        deviation = model.transform.deviation
        self.register_buffer("channel", _column(torch.arange(model.channels)))
        self.register_buffer("own", _column(deviation))
        self.register_buffer("every", _column(torch.arange(len(deviation))))
        ones = torch.ones(model.channels)
        standardised = model.encoder is not None
        self.register_buffer("units", _column(model.latent_deviation if standardised else ones))
        self.register_buffer("mean", _column(model.latent_mean if standardised else 0 * ones))
        fill = 0 * ones if model.prefix is None else model.prefix.fill.detach()
        self.register_buffer("fill", _column(fill))
        self.channel: Tensor
        self.own: Tensor
        self.every: Tensor
        self.units: Tensor
        self.mean: Tensor
        self.fill: Tensor

    @property
    def past_channels(self) -> int:
        """Channels of what is remembered."""
        return 0 if self.stack is None else self.stack.past_channels

    def forward(
        self,
        latent: Flat,
        counts: Int[Tensor, "1 1 h w"],
        first: Bool[Tensor, "1"] | None = None,
        past: FlatPast | None = None,
    ) -> FlatDecoded:
        """Decode a step.

        Args:
            latent: all channels; what lies beyond a position's count is not looked at.
            counts: how many leading channels each position has, from none to all.
            first: whether it is the first of a clip, so that `past` means nothing.
            past: what the step before gave.
        """
        raw = latent * self.units + self.mean
        there = self.channel < counts
        skip = torch.where(there, raw, 0.0)
        missing = self.own.shape[1] - latent.shape[1]
        if missing:
            skip = F.pad(skip, (0, 0, 0, 0, 0, missing))
        if self.stack is None:
            return FlatDecoded(self.inverse(skip), None)
        share = counts.to(latent.dtype) / latent.shape[1]
        inputs = torch.cat([torch.where(there, raw, self.fill), share], dim=1)
        correction, past = self.stack(inputs, first, past, _knots(share))
        # The deviation of the first channel that is missing; as a sum, for to gather takes more axes.
        missed = counts.clamp(max=self.own.shape[1] - 1)
        reach = torch.where(self.every == missed, self.own, 0.0).sum(dim=1, keepdim=True)
        return FlatDecoded(self.inverse(skip + torch.minimum(reach, self.own) / self.own * correction), past)


class _Stack(nn.Module):
    """`ResidualStack` on one step; of its outputs the first ones alone, if so said."""

    def __init__(self, stack: ResidualStack, *, outputs: int | None = None, half: bool) -> None:
        super().__init__()
        self.enter = _pointwise(stack.enter.weight, stack.enter.bias)
        self.leave = _pointwise(stack.leave.weight[:outputs], stack.leave.bias[:outputs])
        self.blocks = nn.ModuleList(_Block(block) for block in stack.blocks if isinstance(block, Block))
        if half:
            for block in _blocks(self.blocks):
                for layer in (block.look, block.mix, block.draw):
                    layer.half()
            self.enter.half()
            self.leave.half()

    @property
    def past_channels(self) -> int:
        return sum(block.past_channels for block in _blocks(self.blocks))

    def forward(
        self, x: Flat, first: Tensor | None, past: FlatPast | None, knots: Flat | None
    ) -> tuple[Flat, FlatPast | None]:
        hidden, begin = _mapped(self.enter, x), 0
        after: list[Tensor] = []
        for block in _blocks(self.blocks):
            end = begin + block.past_channels
            hidden, remembered = block(hidden, first, None if past is None else past[:, begin:end], knots)
            after.append(remembered)
            begin = end
        return _mapped(self.leave, hidden), torch.cat(after, dim=1) if begin else None


class _Block(nn.Module):
    """`Block` on one step."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.memory = block.mix.memory
        self.width = block.mix.map.in_features // (self.memory + 1)
        self.register_buffer("gain", _column(block.norm.gain.detach()))
        self.gain: Tensor
        self.look, self.draw = _spatial(block.look.map), _spatial(block.draw.map)
        self.mix = _pointwise(block.mix.map.weight, block.mix.map.bias)
        self.gain_in, self.gain_out = _gain(block.gain_in), _gain(block.gain_out)

    @property
    def past_channels(self) -> int:
        return self.memory * self.width

    def forward(
        self, x: Flat, first: Tensor | None, past: FlatPast | None, knots: Flat | None
    ) -> tuple[Flat, FlatPast]:
        inside = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1) * self.gain
        if self.gain_in is not None and knots is not None:
            inside = inside * self.gain_in(knots)
        now = F.silu(_mapped(self.look, inside))
        # A clip stands still before it begins: its first step is also what was before it.
        still = torch.cat([now] * self.memory, dim=1) if self.memory else now[:, :0]
        before = still if past is None or first is None else torch.where(first, still, past)
        taps = torch.cat([before, now], dim=1)
        change = _mapped(self.draw, F.silu(_mapped(self.mix, taps)))
        if self.gain_out is not None and knots is not None:
            change = change * self.gain_out(knots)
        return x + change, taps[:, taps.shape[1] - self.past_channels :]


class _Transform(nn.Module):
    """`KLTCascade.forward` of the frames of one step."""

    def __init__(self, cascade: KLTCascade) -> None:
        super().__init__()
        self.frames = cascade.stride.t
        self.steps = [level.patch.t for level in cascade.klts]
        self.levels = nn.ModuleList(_patches(level) for level in cascade.klts)
        self.register_buffer("deviation", _column(cascade.deviation))
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
        self.sides = [_side(level) for level in levels]
        self.levels = nn.ModuleList(
            _pointwise(
                rearrange(
                    level.basis,
                    "k (t h w c) -> (t c h w) k",
                    t=level.patch.t,
                    h=level.patch.h,
                    w=level.patch.w,
                ),
                rearrange(
                    level.mean, "(t h w c) -> (t c h w)", t=level.patch.t, h=level.patch.h, w=level.patch.w
                ),
            )
            for level in levels
        )
        self.channels = prod((cascade.stride.t, 3))
        self.register_buffer("deviation", _column(cascade.deviation))
        self.deviation: Tensor

    def forward(self, coefficients: Flat) -> FlatFrames:
        x = coefficients * self.deviation
        for level, (steps, side) in zip(self.levels, self.sides, strict=True):
            x = F.pixel_shuffle(level(x), side)
            x = x.reshape(x.shape[0] * steps, x.shape[1] // steps, x.shape[2], x.shape[3])
        return x.reshape(1, self.channels, x.shape[2], x.shape[3])


class _Gain(nn.Module):
    """`RateGain` on one step."""

    def __init__(self, gain: RateGain) -> None:
        super().__init__()
        # Rows beyond those of the knots are of steps to come.
        table = gain.table[: len(RateGain.KNOTS)]
        self.map = _pointwise(table.T, torch.ones(table.shape[1]))

    def forward(self, knots: Flat) -> Flat:
        return self.map(knots)


def _mapped(layer: nn.Conv2d, x: Flat) -> Flat:
    """What a layer makes of numbers, in their precision."""
    return layer(x.to(layer.weight.dtype)).to(x.dtype)


def _gain(gain: RateGain | None) -> "_Gain | None":
    return None if gain is None else _Gain(gain)


def _knots(share: Float[Tensor, "1 1 h w"]) -> Float[Tensor, "1 k h w"]:
    """`RateGain.weigh`, knots where channels are."""
    knots = torch.tensor(RateGain.KNOTS)
    low, high = _column(knots[:-1]), _column(knots[1:])
    rising = ((share - low) / (high - low)).clamp(0, 1)
    ones = torch.ones_like(share)
    return torch.cat([ones, rising], dim=1) - torch.cat([rising, 0 * ones], dim=1)


def _pointwise(weight: Float[Tensor, "d c"], bias: Float[Tensor, " d"]) -> nn.Conv2d:
    """A linear map of every position."""
    return _convolution(rearrange(weight, "d c -> d c 1 1"), bias)


def _spatial(linear: nn.Linear) -> nn.Conv2d:
    """A `SpatialConv`'s map."""
    kernel = rearrange(linear.weight, "d (kh kw c) -> d c kh kw", kh=3, kw=3)
    return _convolution(kernel, linear.bias, padding=1)


def _patches(level: KLT) -> nn.Conv2d:
    """A transform of patches, whose steps are folded into channels."""
    t, h, w = level.patch
    kernel = rearrange(level.basis, "k (t h w c) -> k (t c) h w", t=t, h=h, w=w)
    return _convolution(kernel, -(level.basis @ level.mean), stride=(h, w))


def _convolution(
    kernel: Float[Tensor, "d c kh kw"],
    bias: Float[Tensor, " d"],
    *,
    stride: tuple[int, int] = (1, 1),
    padding: int = 0,
) -> nn.Conv2d:
    """A convolution of pictures with these weights."""
    outputs, inputs, height, width = kernel.shape
    layer = nn.Conv2d(inputs, outputs, (height, width), stride=stride, padding=padding, device="meta")
    layer.weight = nn.Parameter(kernel.detach().clone())
    layer.bias = nn.Parameter(bias.detach().clone())
    return layer


def _side(level: KLT) -> tuple[int, int]:
    """Steps, and rows or columns, of a patch."""
    steps, height, width = level.patch
    if height != width:
        raise OptionError(f"a patch of {height}x{width} is not square; only square ones are exported.")
    return steps, height


def _column(values: Tensor) -> Tensor:
    """One value per channel, ready to meet a step."""
    return rearrange(values.detach().clone(), "c -> 1 c 1 1")


def _blocks(modules: Iterable[nn.Module]) -> list[_Block]:
    return [module for module in modules if isinstance(module, _Block)]
