"""What blocks.py compares: blocks of other shapes than the product's, and tokenizers built otherwise.

Every block takes and gives what `tubelet.nn.blocks.Block` does, and has its norm, its gains per rate, its
SiLU and its last layer that starts at zero; only what lies between differs. All of them are causal in time.
Matrices inside blocks have names that end in `map`, so that Muon moves them as it does the product's.
"""

import math
from typing import Protocol

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.models.klt.model import KLTModel
from tubelet.models.protocol import Decoded, Encoded
from tubelet.models.whole_tile import WholeTileModel
from tubelet.nn.blocks import BLOCK_RADIUS, MEMORY, Block, CausalMix, PositionNorm, RateGain, SpatialConv
from tubelet.nn.klt import correction_scale
from tubelet.nn.prefix import PrefixFeatures
from tubelet.types import Known, Latents, Stride, Video

Past = Tensor | tuple[Tensor, ...] | None
"""What a layer remembers of the steps before; none at the start of a clip, and in layers without time."""

FINE_WIDTH, FINE_BLOCKS = 64, 1
"""Of the stage at 1/4 resolution; with its map to pixels it takes about the time of a block of width 192."""


class MakeBlock(Protocol):
    """Makes a block of a width, with gains that depend on the rate or without."""

    @property
    def __name__(self) -> str:
        """What files call it."""
        ...

    def __call__(self, width: int, /, *, rated: bool) -> nn.Module:
        """Make one."""
        ...


def ours(width: int, *, rated: bool) -> nn.Module:
    """1x3x3, causal 3x1x1, 1x3x3: the product's."""
    return Block(width, rated=rated)


def dense(width: int, *, rated: bool) -> nn.Module:
    """Two causal 3x3x3."""
    return Residual(width, Dense(width), rated=rated)


def two_frames(width: int, *, rated: bool) -> nn.Module:
    """3x3 over a step and the one before it, 3x3."""
    return Residual(width, TwoFrames(width), rated=rated)


def look_mix(width: int, *, rated: bool) -> nn.Module:
    """1x3x3, causal 3x1x1."""
    return Residual(width, LookMix(width), rated=rated)


def depthwise3(width: int, *, rated: bool) -> nn.Module:
    """Depthwise 3x3 and causal 3x1x1; added; pointwise, four times as wide inside."""
    return Pair(
        Residual(width, DepthwiseMix(width, side=3), rated=rated), Residual(width, Wide(width), rated=rated)
    )


def depthwise7(width: int, *, rated: bool) -> nn.Module:
    """Depthwise 7x7 and causal 3x1x1; added; pointwise, four times as wide inside."""
    return Pair(
        Residual(width, DepthwiseMix(width, side=7), rated=rated), Residual(width, Wide(width), rated=rated)
    )


class Residual(nn.Module):
    """Norm, gain, what is inside, gain, added to the input: `Block` with another inside."""

    def __init__(self, width: int, inside: nn.Module, *, rated: bool) -> None:
        super().__init__()
        self.norm = PositionNorm(width)
        self.inside = inside
        self.gain_in = RateGain(width) if rated else None
        self.gain_out = RateGain(width) if rated else None

    def forward(self, x: Tensor, past: Past, rates: Tensor | None = None) -> tuple[Tensor, Past]:
        """As `Block.forward`."""
        hidden = self.norm(x)
        if self.gain_in is not None and rates is not None:
            hidden = hidden * self.gain_in(rates)
        change, after = self.inside(hidden.to(next(self.inside.parameters()).dtype), past)
        change = change.to(x.dtype)
        if self.gain_out is not None and rates is not None:
            change = change * self.gain_out(rates)
        return x + change, after


class Pair(nn.Module):
    """Two residual branches, the first with time."""

    def __init__(self, first: Residual, second: Residual) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, x: Tensor, past: Past, rates: Tensor | None = None) -> tuple[Tensor, Past]:
        """As `Block.forward`."""
        x, after = self.first(x, past, rates)
        return self.second(x, None, rates)[0], after


class CausalConv(nn.Module):
    """A 3x3x3 convolution that looks back in time; the kernel is kept as a matrix, as in `SpatialConv`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.map = nn.Linear(27 * inputs, outputs)

    def forward(self, x: Tensor, past: Tensor | None) -> tuple[Tensor, Tensor]:
        """Convolve `x`, which comes after `past`."""
        if past is None:
            past = repeat(x[:, 0], "b h w c -> b m h w c", m=MEMORY)
        known = torch.cat([past, x], dim=1)
        kernel = rearrange(self.map.weight, "d (kt kh kw c) -> d c kt kh kw", kt=3, kh=3, kw=3)
        out = F.conv3d(rearrange(known, "b t h w c -> b c t h w"), kernel, self.map.bias, padding=(0, 1, 1))
        return rearrange(out, "b c t h w -> b t h w c"), known[:, x.shape[1] :]


class Dense(nn.Module):
    """Two causal 3x3x3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = CausalConv(width, width)
        self.draw = CausalConv(width, width)
        _zero(self.draw.map)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Past]:
        """Convolve, SiLU, convolve; each convolution has a past of its own."""
        first, second = (None, None) if past is None else past
        hidden, first = self.look(x, first)
        change, second = self.draw(F.silu(hidden), second)
        return change, (first, second)


class TwoFrames(nn.Module):
    """A 3x3 over the channels of a step and of the one before it, and another 3x3.

    It is how TAEHV (github.com/madebyollin/taehv) remembers.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = SpatialConv(2 * width, width)
        self.draw = SpatialConv(width, width)
        _zero(self.draw.map)

    def forward(self, x: Tensor, past: Tensor | None) -> tuple[Tensor, Past]:
        """Convolve, SiLU, convolve; the past is one step."""
        known = torch.cat([x[:, :1] if past is None else past, x], dim=1)
        both = torch.cat([known[:, :-1], x], dim=-1)
        return self.draw(F.silu(self.look(both))), known[:, -1:]


class LookMix(nn.Module):
    """1x3x3, causal 3x1x1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = SpatialConv(width, width)
        self.mix = CausalMix(width, width)
        _zero(self.mix.map)

    def forward(self, x: Tensor, past: Tensor | None) -> tuple[Tensor, Past]:
        """Convolve, SiLU, mix."""
        return self.mix(F.silu(self.look(x)), past)


class DepthwiseMix(nn.Module):
    """A convolution of every channel by itself, and a causal mix: all that looks sideways in a DCVC block.

    DCVC-FM (Li et al. 2024, arXiv:2402.17414) has a pointwise layer where the causal mix is here.
    """

    def __init__(self, width: int, *, side: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, side, padding=side // 2, groups=width)
        self.mix = CausalMix(width, width)
        _zero(self.mix.map)

    def forward(self, x: Tensor, past: Tensor | None) -> tuple[Tensor, Past]:
        """Convolve, SiLU, mix."""
        folded = F.silu(self.depthwise(rearrange(x, "b t h w c -> (b t) c h w")))
        return self.mix(rearrange(folded, "(b t) c h w -> b t h w c", b=x.shape[0]), past)


class Wide(nn.Module):
    """Every position by itself, four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.widen_map = nn.Linear(width, 4 * width)
        self.narrow_map = nn.Linear(4 * width, width)
        _zero(self.narrow_map)

    def forward(self, x: Tensor, past: Past) -> tuple[Tensor, Past]:
        """Widen, SiLU, narrow; there is no past."""
        return self.narrow_map(F.silu(self.widen_map(x))), past


class FineStage(nn.Module):
    """A last stage of a decoder: narrow blocks at positions split 2 x 2, and a linear map to pixels.

    Args:
        stride: pixels per position before the split.
    """

    def __init__(self, stride: Stride) -> None:
        super().__init__()
        self.stride = stride
        self.blocks = nn.ModuleList(Block(FINE_WIDTH) for _ in range(FINE_BLOCKS))
        self.leave = nn.Linear(FINE_WIDTH, 3 * math.prod(stride) // 4)
        _zero(self.leave)

    def forward(self, split: Tensor, level: Tensor, past: Past) -> tuple[Video, Past]:
        """Correct pixels.

        Args:
            split: four times its width in channels, ``b c t h w``.
            level: what a correction of one is in pixels, ``b 1 t h w``, or with sides of 1.
            past: what this gave for the steps before; none at the start of a clip.
        """
        hidden = rearrange(split, "b (sh sw c) t h w -> b t (h sh) (w sw) c", sh=2, sw=2)
        after = []
        for index, block in enumerate(self.blocks):
            hidden, last = block(hidden, None if past is None else past[index])
            after.append(last)
        pixels = self.leave(hidden.to(self.leave.weight.dtype)).to(split.dtype)
        patches = rearrange(pixels, "b t (h sh) (w sw) d -> b t h w (sh sw d)", sh=2, sw=2)
        video = rearrange(
            patches * rearrange(level, "b 1 t h w -> b t h w 1"),
            "b t h w (sh sw pt ph pw c) -> b c (t pt) (h sh ph) (w sw pw)",
            sh=2,
            sw=2,
            pt=self.stride.t,
            ph=self.stride.h // 2,
            c=3,
        )
        return video, tuple(after)


class AroundKLT(WholeTileModel):
    """A model around the product's, whose networks it has; tiles are worked on whole.

    Attributes:
        inner: the product's.
    """

    def __init__(self, inner: KLTModel) -> None:
        super().__init__(inner.parts, stride=inner.stride, halo=inner.decoder_halo, warm_up=inner.warm_up)
        self.inner = inner

    def encode_groups(self, groups: Video, past: Past) -> Encoded:
        """As the product's does."""
        return self.inner.encode_groups(groups, past)

    def decode_groups(self, latents: Latents, past: Past, known: Known) -> Decoded:
        """As the product's does."""
        return self.inner.decode_groups(latents, past, known)

    def networks(self) -> list[nn.Module]:
        """The product's."""
        return list(self.inner.networks())

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The product's."""
        return self.inner.hidden_matrices()

    def set_trainable(self, *, encoder: bool, transform: bool) -> None:
        """As the product's does; what is added is trained."""
        self.requires_grad_()
        self.inner.set_trainable(encoder=encoder, transform=transform)

    def flops_per_pixel(self) -> float:
        """As the product's does."""
        return self.inner.flops_per_pixel()

    def level(self, features: PrefixFeatures) -> Tensor:
        """What a correction of one is in pixels, at the rate of each position."""
        deviation = self.inner.transform.deviation
        return deviation[features.counts.clamp(max=len(deviation) - 1)]


class Hierarchical(AroundKLT):
    """A model whose decoder ends in a `FineStage`, whose pixels are added to those of the KLT.

    The linear map that splits positions is the last of the decoder, which gets outputs for it.
    """

    def __init__(self, inner: KLTModel) -> None:
        super().__init__(inner)
        assert inner.decoder is not None
        self.fine = FineStage(self.stride)
        self.decoder_halo += BLOCK_RADIUS * FINE_BLOCKS // 2
        self.warm_up += MEMORY * FINE_BLOCKS
        self.kept = len(inner.transform.deviation)
        inner.decoder.leave = nn.Linear(inner.decoder.width, self.kept + 4 * FINE_WIDTH)
        # The coefficients start uncorrected; the split does not start at zero, or nothing behind it learns.
        with torch.no_grad():
            inner.decoder.leave.weight[: self.kept] = 0
            inner.decoder.leave.bias[: self.kept] = 0

    def decode_groups(self, latents: Latents, past: Past, known: Known) -> Decoded:
        """As the product's does, and the fine stage."""
        inner = self.inner
        assert inner.decoder is not None
        assert inner.prefix is not None
        features = inner.prefix(latents["latent"], known.get("latent"))
        blocks = len(inner.decoder.blocks)
        before = (None, None) if past is None else (past[:blocks], past[blocks:])
        both, after = inner.decoder(features.inputs, before[0], features.rates)
        correction, split = both[:, : self.kept], both[:, self.kept :]
        skip = F.pad(features.skip, (0, 0, 0, 0, 0, 0, 0, self.kept - inner.channels))
        coefficients = skip + correction_scale(inner.transform.deviation, features.counts) * correction
        fine, fine_after = self.fine(split, self.level(features), before[1])
        return Decoded(inner.transform.inverse(coefficients) + fine, (*after, *fine_after))

    def networks(self) -> list[nn.Module]:
        """The product's, and the fine stage."""
        return [*super().networks(), self.fine]

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The product's, and those of the blocks of the fine stage."""
        named = self.fine.blocks.named_parameters()
        fine = [p for name, p in named if p.ndim == 2 and name.endswith("map.weight")]
        return [*super().hidden_matrices(), *fine]

    def flops_per_pixel(self) -> float:
        """As the product's; every weight of the fine stage is used at four positions instead of one."""
        fine = sum(p.numel() for name, p in self.fine.named_parameters() if name.endswith("weight"))
        return super().flops_per_pixel() + 2 * 4 * fine / math.prod(self.stride)


class Lead(AroundKLT):
    """A model with a projection of its own for the lead frame, on top of the repeated frame's.

    To the coefficients of the first step a learned linear map of the single frame's patch is added, and to
    the pixels of the first step one of its latent. Both are in units of the error at the rate, as the
    networks' corrections are. The first starts at zero. The second starts near zero: if both were zero, no
    gradient would reach channels that say nothing of a still patch. It counts no operations for them: they
    are used at one step of a clip. A step that has no past counts as the lead step.
    """

    def __init__(self, inner: KLTModel) -> None:
        super().__init__(inner)
        pixels = 3 * self.stride.h * self.stride.w
        self.project = nn.Linear(pixels, len(inner.transform.deviation))
        self.rebuild = nn.Linear(inner.channels, pixels)
        _zero(self.project)
        with torch.no_grad():
            self.rebuild.weight.mul_(0.03)
            self.rebuild.bias.mul_(0.03)

    def encode_groups(self, groups: Video, past: Past) -> Encoded:
        """As the product's does, with the lead frame's own map."""
        inner, s = self.inner, self.stride
        assert inner.encoder is not None
        coefficients = inner.transform(groups)
        scale = correction_scale(
            inner.transform.deviation, torch.tensor(inner.channels, device=groups.device)
        )
        if past is None:
            patches = rearrange(groups[:, :, :1], "b c t (h ph) (w pw) -> b t h w (ph pw c)", ph=s.h, pw=s.w)
            own = scale * rearrange(self.project(patches), "b t h w k -> b k t h w")
            coefficients = torch.cat([coefficients[:, :, :1] + own, coefficients[:, :, 1:]], dim=2)
        correction, past = inner.encoder(coefficients, past)
        latent = coefficients[:, : inner.channels] + scale[: inner.channels] * correction
        return Encoded({"latent": latent}, None, past)

    def decode_groups(self, latents: Latents, past: Past, known: Known) -> Decoded:
        """As the product's does, with the lead frame's own map."""
        inner, s = self.inner, self.stride
        decoded = inner.decode_groups(latents, past, known)
        if past is not None:
            return decoded
        assert inner.prefix is not None
        counts = known.get("latent")
        features = inner.prefix(latents["latent"][:, :, :1], None if counts is None else counts[:, :, :1])
        level = rearrange(self.level(features), "b 1 t h w -> b t h w 1")
        own = self.rebuild(rearrange(features.skip, "b c t h w -> b t h w c")) * level
        frame = rearrange(own, "b t h w (ph pw c) -> b c t (h ph) (w pw)", ph=s.h, pw=s.w)
        groups = torch.cat([decoded.groups[:, :, : s.t] + frame, decoded.groups[:, :, s.t :]], dim=2)
        return Decoded(groups, decoded.past)


def _zero(layer: nn.Linear) -> None:
    """Let a layer give zero, so that a residual branch starts as no change."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
