"""Networks and transforms on one step, made of operators on four axes: for `tubelet.interop`.

A step is ``1 c h w``, its frames are ``1 (t c) H W``, and what a network remembers is one tensor. Each class
has copies of the weights of the module that it is the flat form of. All is float32; maps of networks may
compute in half precision.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.errors import OptionError
from tubelet.nn.blocks import Block, RateGain, ResidualStack
from tubelet.nn.klt import KLT

Flat = Float[Tensor, "_ _ h w"]
"""Numbers of the positions of a step, or of several steps that do not depend on each other."""

FlatPart = Float[Tensor, "_ _ _ _"]
"""Numbers of the positions of a step, on a grid of their own."""

FlatFrames = Float[Tensor, "_ _ H W"]
"""The frames of a step, in [-1, 1]: first all colours of the first frame."""

FlatPast = Float[Tensor, "_ _ h w"]
"""What a network remembers: of each block its last inputs, oldest first."""

First = Bool[Tensor, "1"]
"""Whether a step is the first of a clip, so that what is remembered means nothing."""


class FlatStack(nn.Module):
    """`ResidualStack` on one step.

    Args:
        stack: whose weights.
        outputs: of its outputs so many first ones; all by default.
        half: whether maps compute in float16.
        order: which input of the stack each channel that comes in is; as they are by default.
    """

    def __init__(
        self,
        stack: ResidualStack,
        *,
        outputs: int | None = None,
        half: bool = False,
        order: Tensor | None = None,
    ) -> None:
        super().__init__()
        enter = stack.enter.weight if order is None else stack.enter.weight[:, order]
        self.enter = pointwise(enter, stack.enter.bias)
        self.leave = pointwise(stack.leave.weight[:outputs], stack.leave.bias[:outputs])
        self.blocks = nn.ModuleList(_Block(block) for block in stack.blocks if isinstance(block, Block))
        if half:
            for block in _blocks(self.blocks):
                for layer in (block.look, block.mix, block.draw):
                    layer.half()
            self.enter.half()
            self.leave.half()

    @property
    def past_channels(self) -> int:
        """Channels of what is remembered."""
        return sum(block.past_channels for block in _blocks(self.blocks))

    def forward(
        self, x: Flat, first: First | None = None, past: FlatPast | None = None, knots: Flat | None = None
    ) -> tuple[Flat, FlatPast | None]:
        """The correction of a step, and what is remembered; none without memory.

        Args:
            x: what comes in; several steps at once, if nothing is remembered.
            first: whether it is the first of a clip.
            past: what this gave for the step before.
            knots: weights of `rate_knots`, for a network that knows rates.
        """
        hidden, begin = mapped(self.enter, x), 0
        after: list[Tensor] = []
        for block in _blocks(self.blocks):
            end = begin + block.past_channels
            hidden, remembered = block(hidden, first, None if past is None else past[:, begin:end], knots)
            after.append(remembered)
            begin = end
        return mapped(self.leave, hidden), torch.cat(after, dim=1) if begin else None


class FlatKLT(nn.Module):
    """`KLT.forward` on one step, whose frames are folded into channels: ``1 (t c) H W`` to ``1 k h w``.

    Args:
        level: whose basis and mean.
    """

    def __init__(self, level: KLT) -> None:
        super().__init__()
        t, h, w = level.patch
        kernel = rearrange(level.basis, "k (t h w c) -> k (t c) h w", t=t, h=h, w=w)
        self.map = convolution(kernel, -(level.basis @ level.mean), stride=(h, w))

    def forward(self, frames: FlatFrames) -> Flat:
        """Coefficients; steps that do not depend on each other lie along the first axis."""
        return self.map(frames)


class FlatInverseKLT(nn.Module):
    """`KLT.inverse` on one step: ``1 k h w`` to ``1 (t c) H W``.

    Args:
        level: whose basis and mean.

    Raises:
        OptionError: its patches are not square.
    """

    def __init__(self, level: KLT) -> None:
        super().__init__()
        t, self.side, width = level.patch
        if self.side != width:
            raise OptionError(f"a patch of {self.side}x{width} is not square; only square ones are exported.")
        sides = {"t": t, "h": self.side, "w": width}
        self.map = pointwise(
            rearrange(level.basis, "k (t h w c) -> (t c h w) k", **sides),
            rearrange(level.mean, "(t h w c) -> (t c h w)", **sides),
        )

    def forward(self, coefficients: Flat) -> FlatFrames:
        """Frames; steps that do not depend on each other lie along the first axis."""
        return F.pixel_shuffle(self.map(coefficients), self.side)


class FlatUnshuffle(nn.Module):
    """`torch.nn.PixelUnshuffle` without more than four axes: pixels of each position become channels.

    Args:
        side: rows and columns of pixels of a position.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("pixels", torch.eye(side**2).reshape(-1, 1, side, side))
        self.pixels: Tensor

    def forward(self, x: FlatFrames) -> FlatPart:
        """``n c H W`` to ``n (c side side) h w``; every number is multiplied by one, and zeros are added."""
        images, channels, height, width = x.shape
        apart = F.conv2d(x.reshape(images * channels, 1, height, width), self.pixels, stride=self.side)
        return apart.reshape(images, channels * self.side**2, height // self.side, width // self.side)


class FlatPrefixed(NamedTuple):
    """What `tubelet.nn.prefix.PrefixFeatures` says of one step.

    Attributes:
        skip: all channels, zero where one is missing.
        inputs: all channels, the learned fill where one is missing, and the share of channels that are there.
        share: that share alone.
    """

    skip: FlatPart
    inputs: FlatPart
    share: FlatPart


class FlatPrefix(nn.Module):
    """`PrefixInput` on steps that are known, which lie along the first axis.

    Args:
        fill: what stands for a missing channel, of each.
    """

    def __init__(self, fill: Float[Tensor, " c"]) -> None:
        super().__init__()
        self.register_buffer("fill", flat_column(fill))
        self.register_buffer("channel", flat_column(torch.arange(len(fill))))
        self.fill: Tensor
        self.channel: Tensor

    def forward(self, latent: FlatPart, counts: Tensor) -> FlatPrefixed:
        """Write out all channels, of which each position has so many leading ones, from none to all."""
        there = self.channel < counts
        share = counts.to(latent.dtype) / latent.shape[1]
        return FlatPrefixed(
            skip=torch.where(there, latent, 0.0),
            inputs=torch.cat([torch.where(there, latent, self.fill), share], dim=1),
            share=share,
        )


class FlatCorrectionScale(nn.Module):
    """`tubelet.nn.klt.correction_scale` at the positions of one step.

    Args:
        deviation: of each coefficient.
    """

    def __init__(self, deviation: Float[Tensor, " k"]) -> None:
        super().__init__()
        self.register_buffer("own", flat_column(deviation))
        self.register_buffer("every", flat_column(torch.arange(len(deviation))))
        self.own: Tensor
        self.every: Tensor

    def forward(self, counts: Tensor) -> Flat:
        """A factor for each coefficient, where so many channels are known."""
        # The deviation of the first channel that is missing; as a sum, for to gather takes more axes.
        missed = counts.clamp(max=self.own.shape[1] - 1)
        reach = torch.where(self.every == missed, self.own, 0.0).sum(dim=1, keepdim=True)
        return torch.minimum(reach, self.own) / self.own


class _Block(nn.Module):
    """`Block` on one step."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.memory = block.mix.memory
        self.width = block.mix.map.in_features // (self.memory + 1)
        self.register_buffer("gain", flat_column(block.norm.gain))
        self.gain: Tensor
        self.look, self.draw = _spatial(block.look.map), _spatial(block.draw.map)
        self.mix = pointwise(block.mix.map.weight, block.mix.map.bias)
        self.gain_in, self.gain_out = _gain(block.gain_in), _gain(block.gain_out)

    @property
    def past_channels(self) -> int:
        return self.memory * self.width

    def forward(
        self, x: Flat, first: First | None, past: FlatPast | None, knots: Flat | None
    ) -> tuple[Flat, FlatPast]:
        inside = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1) * self.gain
        if self.gain_in is not None and knots is not None:
            inside = inside * self.gain_in(knots)
        now = F.silu(mapped(self.look, inside))
        # A clip stands still before it begins: its first step is also what was before it.
        still = torch.cat([now] * self.memory, dim=1) if self.memory else now[:, :0]
        before = still if past is None or first is None else torch.where(first, still, past)
        taps = torch.cat([before, now], dim=1)
        change = mapped(self.draw, F.silu(mapped(self.mix, taps)))
        if self.gain_out is not None and knots is not None:
            change = change * self.gain_out(knots)
        return x + change, taps[:, taps.shape[1] - self.past_channels :]


class _Gain(nn.Module):
    """`RateGain` on one step."""

    def __init__(self, gain: RateGain) -> None:
        super().__init__()
        # Rows beyond those of the knots are of steps to come.
        table = gain.table[: len(RateGain.KNOTS)]
        self.map = pointwise(table.T, torch.ones(table.shape[1]))

    def forward(self, knots: Flat) -> Flat:
        return self.map(knots)


def rate_knots(share: Float[Tensor, "1 1 h w"]) -> Float[Tensor, "1 k h w"]:
    """`RateGain.weigh`, knots where channels are."""
    knots = torch.tensor(RateGain.KNOTS)
    low, high = flat_column(knots[:-1]), flat_column(knots[1:])
    rising = ((share - low) / (high - low)).clamp(0, 1)
    ones = torch.ones_like(share)
    return torch.cat([ones, rising], dim=1) - torch.cat([rising, 0 * ones], dim=1)


def pointwise(weight: Float[Tensor, "d c"], bias: Float[Tensor, " d"]) -> nn.Conv2d:
    """A linear map of every position."""
    return convolution(rearrange(weight, "d c -> d c 1 1"), bias)


def convolution(
    kernel: Float[Tensor, "d c kh kw"],
    bias: Float[Tensor, " d"] | None,
    *,
    stride: tuple[int, int] = (1, 1),
    padding: int = 0,
) -> nn.Conv2d:
    """A convolution of pictures with copies of these weights."""
    outputs, inputs, height, width = kernel.shape
    layer = nn.Conv2d(
        inputs,
        outputs,
        (height, width),
        stride=stride,
        padding=padding,
        bias=bias is not None,
        device="meta",
    )
    layer.weight = nn.Parameter(kernel.detach().clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone())
    return layer


def mapped(layer: nn.Conv2d, x: Flat) -> Flat:
    """What a layer makes of numbers, in its own precision and back."""
    return layer(x.to(layer.weight.dtype)).to(x.dtype)


def flat_column(values: Tensor) -> Tensor:
    """One value per channel, ready to meet a step."""
    return rearrange(values.detach().clone(), "c -> 1 c 1 1")


def _spatial(linear: nn.Linear) -> nn.Conv2d:
    """A `SpatialConv`'s map."""
    kernel = rearrange(linear.weight, "d (kh kw c) -> d c kh kw", kh=3, kw=3)
    return convolution(kernel, linear.bias, padding=1)


def _gain(gain: RateGain | None) -> "_Gain | None":
    return None if gain is None else _Gain(gain)


def _blocks(modules: Iterable[nn.Module]) -> list[_Block]:
    return [module for module in modules if isinstance(module, _Block)]
