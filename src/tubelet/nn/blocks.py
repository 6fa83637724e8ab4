"""Residual blocks that are local in space and causal in time, with their streaming state outside.

Every operator looks at a bounded neighbourhood and every norm at one position, so a stack gives the same
numbers whether a clip is processed whole, in runs or in tiles with a halo. Time enters only through
`CausalMix`, whose last inputs are the whole state: the caller holds it and passes it back.
"""

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Features = Float[Tensor, "b c t h w"]
Mapped = Float[Tensor, "b d t h w"]
"""Features of the same positions with another number of channels."""

Past = Float[Tensor, "b _ 2 _ _"]
"""What a `CausalMix` remembers; its sides are those of a tile."""

MEMORY = 2
"""Latent steps that `CausalMix` looks back."""

BLOCK_RADIUS = 2
"""Positions that one `Block` looks to each side: two 3 x 3 convolutions."""


class PositionNorm(nn.Module):
    """Root-mean-square norm of each position's channels (Zhang & Sennrich 2019, arXiv:1910.07467)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))

    def forward(self, x: Features) -> Features:
        """Scale every position to unit mean square, then each channel by its gain."""
        power = x.square().mean(dim=1, keepdim=True)
        return x * torch.rsqrt(power + 1e-6) * rearrange(self.gain, "c -> c 1 1 1")


class SpatialConv(nn.Module):
    """A 3 x 3 convolution of every latent step by itself; zeros beyond the frame."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)

    def forward(self, x: Features) -> Mapped:
        """Fold time into the batch: a 2-D convolution is the fast one on every machine."""
        folded = self.conv(rearrange(x, "b c t h w -> (b t) c h w"))
        return rearrange(folded, "(b t) c h w -> b c t h w", b=x.shape[0])


class PointMap(nn.Module):
    """A linear map of the channels of every position: a 1 x 1 x 1 convolution.

    Done as a 2-D convolution, because a 3-D one takes a slow path in float32 on a CPU.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size=1)

    def forward(self, x: Features) -> Mapped:
        """Map every position by itself."""
        mapped = self.conv(rearrange(x, "b c t h w -> (b t) c h w"))
        return rearrange(mapped, "(b t) c h w -> b c t h w", b=x.shape[0])


class CausalMix(nn.Module):
    """A linear map of each position's present and its last two steps: a causal 3 x 1 x 1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.map = nn.Conv2d((MEMORY + 1) * inputs, outputs, kernel_size=1)

    def forward(self, x: Features, past: Past | None) -> tuple[Mapped, Past]:
        """Mix `x` with what came before it.

        Args:
            x: one or more consecutive latent steps.
            past: the two steps before `x`; none at the start of a clip, which stands still before it begins.

        Returns:
            The mixed steps, and the past for the steps after `x`.
        """
        if past is None:
            past = repeat(x[:, :, 0], "b c h w -> b c m h w", m=MEMORY)
        steps = x.shape[2]
        known = torch.cat([past, x], dim=2)
        taps = torch.cat([known[:, :, tap : tap + steps] for tap in range(MEMORY + 1)], dim=1)
        mixed = self.map(rearrange(taps, "b c t h w -> (b t) c h w"))
        return rearrange(mixed, "(b t) c h w -> b c t h w", b=x.shape[0]), known[:, :, steps:]


class Block(nn.Module):
    """Norm, 1x3x3, SiLU, causal 3x1x1, SiLU, 1x3x3, added to the input; the last convolution starts at zero.

    Of the blocks compared at equal training time on a CPU, this order gave the most dB (docs/lab-log.md).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = PositionNorm(width)
        self.look = SpatialConv(width, width)
        self.mix = CausalMix(width, width)
        self.draw = SpatialConv(width, width)
        _zero(self.draw.conv)

    def forward(self, x: Features, past: Past | None) -> tuple[Features, Past]:
        """Refine `x`; `past` and the returned past are those of the causal convolution."""
        mixed, after = self.mix(F.silu(self.look(self.norm(x))), past)
        return x + self.draw(F.silu(mixed)), after


class ResidualStack(nn.Module):
    """Project to the width, refine in blocks, project to a correction that starts at zero."""

    def __init__(self, inputs: int, outputs: int, *, width: int, blocks: int) -> None:
        super().__init__()
        self.width = width
        self.enter = PointMap(inputs, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.leave = PointMap(width, outputs)
        _zero(self.leave.conv)

    @property
    def radius(self) -> int:
        """Positions to each side that an output depends on."""
        return BLOCK_RADIUS * len(self.blocks)

    @property
    def memory(self) -> int:
        """Earlier latent steps that an output depends on."""
        return MEMORY * len(self.blocks)

    def forward(self, x: Features, past: tuple[Past, ...] | None) -> tuple[Mapped, tuple[Past, ...]]:
        """Give the correction for `x`, and the past of every block for the steps after it."""
        hidden = self.enter(x)
        after: list[Past] = []
        for index, block in enumerate(self.blocks):
            hidden, last = block(hidden, None if past is None else past[index])
            after.append(last)
        return self.leave(hidden), tuple(after)


def _zero(conv: nn.Conv2d) -> None:
    """Let a convolution give zero, so that a residual branch starts as no change."""
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
