"""Residual blocks that are local in space and causal in time, with their streaming state outside.

Every operator looks at a bounded neighbourhood and every norm at one position, so a stack gives the same
numbers whether a clip is processed whole, in runs or in tiles with a halo. Time enters only through
`CausalMix`, whose last inputs are the whole state: the caller holds it and passes it back.

Inside a stack channels come last: then a convolution of every step, a linear map of every position and a
norm read memory in the order in which it lies.
"""

from collections.abc import Sequence

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Features = Float[Tensor, "b t h w c"]
Mapped = Float[Tensor, "b t h w d"]
"""Features of the same positions with another number of channels."""

Past = Float[Tensor, "b _ _ _ _"]
"""What a `CausalMix` remembers: its last inputs, ``b m h w c``; the sides are those of a tile."""

Rates = Float[Tensor, "_ _ _ _ k"]
"""How much of each knot of `RateGain` a position's rate is; sides of 1 stand for all positions."""

MEMORY = 2
"""Latent steps that a `CausalMix` looks back in a network that uses time."""

BLOCK_RADIUS = 2
"""Positions that one `Block` looks to each side: two 3 x 3 convolutions."""


class PositionNorm(nn.Module):
    """A soft root-mean-square norm of each position's channels (Zhang & Sennrich 2019, arXiv:1910.07467).

    One is added to the mean square, so strong positions come out with unit power and weak ones as they are:
    a flat patch, whose coefficients are near zero, is not blown up into a busy one.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))

    def forward(self, x: Features) -> Features:
        """Scale every position, then each channel by its gain."""
        power = x.square().mean(dim=-1, keepdim=True)
        return x * torch.rsqrt(power + 1) * self.gain


class SpatialConv(nn.Module):
    """A 3 x 3 convolution of every latent step by itself; zeros beyond the frame.

    The kernel is kept as the matrix that it is, ``d (3 3 c)``: in this order it lies in memory as a
    convolution with channels last reads it, and optimisers that work on matrices can work on it.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.map = nn.Linear(9 * inputs, outputs)

    def forward(self, x: Features) -> Mapped:
        """Convolve whole frames."""
        return self._convolve(x, padding=(1, 1))

    def inner_rows(self, x: Features) -> Float[Tensor, "b t _ w d"]:
        """Convolve a part of the rows of a frame: all of `x` but its first and last row come out."""
        return self._convolve(x, padding=(0, 1))

    def _convolve(self, x: Features, *, padding: tuple[int, int]) -> Float[Tensor, "b t _ w d"]:
        """Fold time into the batch: a 2-D convolution is the fast one on every machine."""
        kernel = rearrange(self.map.weight, "d (kh kw c) -> d c kh kw", kh=3, kw=3)
        folded = F.conv2d(rearrange(x, "b t h w c -> (b t) c h w"), kernel, self.map.bias, padding=padding)
        return rearrange(folded, "(b t) c h w -> b t h w c", b=x.shape[0])


class CausalMix(nn.Module):
    """A linear map of each position's present and its last `memory` steps: a causal convolution over time.

    With a memory of zero it is a linear map of every position by itself.
    """

    def __init__(self, inputs: int, outputs: int, *, memory: int = MEMORY) -> None:
        super().__init__()
        self.memory = memory
        self.map = nn.Linear((memory + 1) * inputs, outputs)

    def forward(self, x: Features, past: Past | None) -> tuple[Mapped, Past]:
        """Mix `x` with what came before it.

        Args:
            x: one or more consecutive latent steps.
            past: the steps before `x`; none at the start of a clip, which stands still before it begins.

        Returns:
            The mixed steps, and the past for the steps after `x`.
        """
        if past is None:
            past = repeat(x[:, 0], "b h w c -> b m h w c", m=self.memory)
        steps = x.shape[1]
        known = torch.cat([past, x], dim=1)
        taps = torch.cat([known[:, tap : tap + steps] for tap in range(self.memory + 1)], dim=-1)
        # A copy: a view would keep steps alive that nobody will look at again.
        return self.map(taps), known[:, steps:].clone()


class RateGain(nn.Module):
    """A gain per channel that depends on a position's rate, linear between `KNOTS`; one until trained.

    The rate is the share of the latent's channels that a position has. With a gain of its own at every rate
    a branch can serve the lowest one and keep out of the way of the highest.

    Args:
        width: channels that are scaled.
        others: how many gains there are for what else weights may say of a position, the last rows of the
            table: that its step is yet to come, or where on the way from noise it is.
    """

    KNOTS = (0.0, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0)

    def __init__(self, width: int, *, others: int = 0) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(len(self.KNOTS) + others, width))

    def forward(self, rates: Rates) -> Features:
        """Gains of positions whose rates were weighed by `weigh`."""
        return 1 + rates.to(self.table.dtype) @ self.table

    @classmethod
    def weigh(cls, rates: Float[Tensor, "_ _ _ _ 1"]) -> Rates:
        """Write rates from 0 to 1 as weights of the two knots that they lie between."""
        return hats(rates, cls.KNOTS)


def hats(values: Float[Tensor, "_ _ _ _ 1"], knots: Sequence[float]) -> Float[Tensor, "_ _ _ _ k"]:
    """Numbers between the first and the last knot as weights of the two that they lie between."""
    places = torch.tensor(knots, dtype=values.dtype, device=values.device)
    rising = ((values - places[:-1]) / (places[1:] - places[:-1])).clamp(0, 1)
    return F.pad(rising, (1, 0), value=1) - F.pad(rising, (0, 1))


class Block(nn.Module):
    """Norm, 1x3x3, SiLU, causal 3x1x1, SiLU, 1x3x3, added to the input; the last convolution starts at zero.

    Of the blocks compared at equal training time on a CPU, this order gave the most dB (docs/lab-log.md).
    """

    def __init__(self, width: int, *, memory: int = MEMORY, rated: bool = False, others: int = 0) -> None:
        super().__init__()
        self.norm = PositionNorm(width)
        self.look = SpatialConv(width, width)
        self.mix = CausalMix(width, width, memory=memory)
        self.draw = SpatialConv(width, width)
        self.gain_in = RateGain(width, others=others) if rated else None
        self.gain_out = RateGain(width, others=others) if rated else None
        _zero(self.draw.map)

    def forward(self, x: Features, past: Past | None, rates: Rates | None = None) -> tuple[Features, Past]:
        """Refine `x`; `past` and the returned past are those of the causal convolution.

        Args:
            x: the residual stream, which keeps its own precision whatever the weights have.
            past: what the block gave for the steps before; none at the start of a clip.
            rates: weights of `RateGain.weigh`; none in a network that knows no rates.
        """
        mixed, after = self.mix(F.silu(self.look(self.scaled_in(x, rates))), past)
        return x + self.scaled_out(self.draw(F.silu(mixed)), rates, x.dtype), after

    def scaled_in(self, x: Features, rates: Rates | None) -> Features:
        """What the first convolution gets of the residual stream."""
        hidden = self.norm(x)
        if self.gain_in is not None and rates is not None:
            hidden = hidden * self.gain_in(rates)
        return hidden.to(self.mix.map.weight.dtype)

    def scaled_out(self, change: Features, rates: Rates | None, dtype: torch.dtype) -> Features:
        """What is added to the residual stream of what the last convolution gives."""
        change = change.to(dtype)
        if self.gain_out is not None and rates is not None:
            change = change * self.gain_out(rates)
        return change


class ResidualStack(nn.Module):
    """Project to the width, refine in blocks, project to a correction that starts at zero.

    Args:
        inputs: channels that come in.
        outputs: channels of the correction.
        width: channels inside.
        blocks: how many refine.
        memory: latent steps that each block looks back; zero for a network without time.
        rated: whether the blocks have gains that depend on a position's rate.
        others: how many more gains they have; see `RateGain`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int,
        blocks: int,
        memory: int = MEMORY,
        rated: bool = False,
        others: int = 0,
    ) -> None:
        super().__init__()
        self.width = width
        self.enter = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            Block(width, memory=memory, rated=rated, others=others) for _ in range(blocks)
        )
        self.leave = nn.Linear(width, outputs)
        self._memory = memory
        self._rated = rated
        self._others = others
        _zero(self.leave)

    def resized(
        self, *, inputs: int | None = None, outputs: int | None = None, others: int | None = None
    ) -> "ResidualStack":
        """A new stack that differs in what comes in or goes out, and has weights of its own."""
        return ResidualStack(
            self.enter.in_features if inputs is None else inputs,
            self.leave.out_features if outputs is None else outputs,
            width=self.width,
            blocks=len(self.blocks),
            memory=self._memory,
            rated=self._rated,
            others=self._others if others is None else others,
        )

    @property
    def radius(self) -> int:
        """Positions to each side that an output depends on."""
        return BLOCK_RADIUS * len(self.blocks)

    @property
    def memory(self) -> int:
        """Earlier latent steps that an output depends on."""
        return self._memory * len(self.blocks)

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the convolutions and linear maps."""
        return self.enter.weight.dtype

    @property
    def multiplications(self) -> int:
        """How often a weight is multiplied at each position."""
        return sum(each.numel() for name, each in self.named_parameters() if name.endswith("weight"))

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices of the blocks, from hidden features to hidden features."""
        named = self.blocks.named_parameters()
        return [weight for name, weight in named if weight.ndim == 2 and name.endswith("map.weight")]

    def forward(
        self,
        x: Float[Tensor, "b c t h w"],
        past: tuple[Past, ...] | None,
        rates: Rates | None = None,
    ) -> tuple[Float[Tensor, "b d t h w"], tuple[Past, ...]]:
        """Give the correction for `x` in the precision of `x`, and the past of every block."""
        hidden = self.project_in(x)
        after: list[Past] = []
        for index, block in enumerate(self.blocks):
            hidden, last = block(hidden, None if past is None else past[index], rates)
            after.append(last)
        return self.project_out(hidden), tuple(after)

    def project_in(self, x: Float[Tensor, "b c t h w"]) -> Mapped:
        """The residual stream that the blocks refine, in the precision of `x`."""
        return self.enter(rearrange(x, "b c t h w -> b t h w c").to(self.dtype)).to(x.dtype)

    def project_out(self, hidden: Features) -> Float[Tensor, "b d t h w"]:
        """The correction that a refined residual stream stands for, in its precision."""
        correction = self.leave(hidden.to(self.dtype)).to(hidden.dtype)
        return rearrange(correction, "b t h w c -> b c t h w")


def _zero(layer: nn.Linear) -> None:
    """Let a layer give zero, so that a residual branch starts as no change."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
