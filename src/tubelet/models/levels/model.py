"""The latent of a frozen tokenizer in two parts: the large of it, and the detail that this lacks.

```text
frames ─ frozen encoder ─ latent ─┬─ KLT of blocks ─ global ─┬─ KLT⁻¹ ─ + ─ latent ─ frozen decoder ─ frames
                                  └──────────── less ────────┴─ detail ─┘
```

The global part is the KLT of blocks of 4 x 4 x 4 positions of the latent, so it is coarse in time and in
space; the detail is the rest, on the grid of the latent. Both together are the latent; without any detail
the frozen decoder shows what the global part says, and a flow behind it fills in what that lacks. Hi-VAE
(arXiv:2506.07136) filters whole clips instead, which can neither be streamed nor be tiled.
"""

from collections.abc import Mapping, Sequence
from math import ceil, prod
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.models.flow.model import NOISE, FlowModel
from tubelet.models.klt.model import PART
from tubelet.models.protocol import Decoded, Encoded, Footprint, Past
from tubelet.models.whole_tile import WholeTileModel
from tubelet.nn.klt import KLT
from tubelet.nn.prefix import column, masked
from tubelet.types import Known, Latent, Latents, Part, Stride, Video

GLOBAL, DETAIL = "global", "detail"

BLOCK = Stride(4, 4, 4)
"""Positions of the frozen latent in one of the global part."""

Coefficients = Float[Tensor, "b _ _ _ _"]
"""The global part in pixel units, coarser than the latent of the same function."""


@final
class LevelsModel(WholeTileModel):
    """Two parts of the latent of a model with a flow.

    A step of the model is four steps of the frozen one, and a cell four by four of its cells.

    Attributes:
        base: the frozen model.
        level: blocks of the frozen latent, in pixel units, to global coefficients, and back.
        global_deviation: of each channel of the global part, in pixel units.
        detail_mean: of each channel of the detail, in units of the frozen latent.
        detail_deviation: likewise.
        refine: steps of the flow.
        seed: of its noise.
    """

    def __init__(self, base: FlowModel, *, channels: int, seen: int) -> None:
        stride = Stride(*(a * b for a, b in zip(base.stride, BLOCK, strict=True)))
        (latent,) = base.parts
        super().__init__(
            (Part(GLOBAL, channels, stride, whole=True), Part(DETAIL, latent.channels, latent.stride)),
            stride=stride,
        )
        self.base = base
        self.level = KLT(BLOCK, inputs=seen, outputs=channels)
        self.register_buffer("global_deviation", torch.ones(channels))
        self.register_buffer("detail_mean", torch.zeros(latent.channels))
        self.register_buffer("detail_deviation", torch.ones(latent.channels))
        self.global_deviation: Tensor
        self.detail_mean: Tensor
        self.detail_deviation: Tensor
        self.refine = base.refine
        self.seed = base.seed
        self.encoder_halo = ceil(base.encoder_halo / BLOCK.h)
        self.decoder_halo = ceil(base.decoder_halo / BLOCK.h)
        self.warm_up = ceil(base.warm_up / BLOCK.t)

    def refined(self, steps: int, *, seed: int = 0) -> "LevelsModel":
        """The same weights with so many steps of the flow.

        Raises:
            OptionError: a number is out of range.
        """
        base = self.base.refined(steps, seed=seed)
        other = LevelsModel(base, channels=len(self.global_deviation), seen=self.level.inputs)
        other.level, other.unit = self.level, self.unit
        other.global_deviation = self.global_deviation
        other.detail_mean, other.detail_deviation = self.detail_mean, self.detail_deviation
        return other.train(self.training)

    def noise(self, rows: slice, columns: slice) -> Latents:
        """What `decode_groups` and `decode_step` take beside the parts of a latent."""
        return self.base.noise(_scaled(rows, BLOCK.h), _scaled(columns, BLOCK.w))

    def encode_groups(self, groups: Video, past: Past | None) -> Encoded:
        """Encode consecutive whole steps of whole cells."""
        encoded = self.base.encode_groups(groups, past)
        coefficients, detail = self.split(encoded.latents[PART])
        latents = {
            GLOBAL: coefficients / column(self.global_deviation),
            DETAIL: (detail - column(self.detail_mean)) / column(self.detail_deviation),
        }
        return Encoded(latents, None, encoded.past)

    def split(self, latent: Latent) -> tuple[Coefficients, Latent]:
        """Coefficients of the global part in pixel units, and what they do not say of a latent.

        Args:
            latent: of the frozen model, of whole blocks.
        """
        coefficients = self.level(self.in_pixels(latent[:, : self.level.inputs]))
        return coefficients, latent - _padded(self._large(coefficients), latent.shape[1])

    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        """Decode consecutive whole steps; where no detail is known, the first channels say what is large."""
        coefficients = masked(latents[GLOBAL], known.get(GLOBAL))
        large = self._large(coefficients * column(self.global_deviation[: coefficients.shape[1]]))
        detail, kept = latents[DETAIL], latents[DETAIL].shape[1]
        detail = detail * column(self.detail_deviation[:kept]) + column(self.detail_mean[:kept])
        detail = masked(detail, known.get(DETAIL))
        channels = max(self.level.inputs, kept)
        latent = _padded(large, channels) + _padded(detail, channels)
        counts = known.get(DETAIL, torch.full((1, 1, 1, 1, 1), kept, device=latent.device))
        inner = {PART: latent} | {name: drawn for name, drawn in latents.items() if name == NOISE}
        return self.base.decode_groups(inner, past, {PART: counts.clamp(min=self.level.inputs)})

    def encoder_footprint(self) -> Footprint:
        """What a stream takes for the encoder."""
        return self._taking(self.base.encoder_footprint())

    def decoder_footprint(self) -> Footprint:
        """What a stream takes for the decoder."""
        return self._taking(self.base.decoder_footprint())

    def flops_per_pixel(self) -> float:
        """Operations to encode and decode a pixel: a block is taken apart, put together and taken off."""
        return self.base.flops_per_pixel() + 6 * self.level.basis.numel() / prod(self.stride)

    def pixel_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """By how much one of each channel changes pixels."""
        units = self.base.pixel_units()[PART]
        return {GLOBAL: self.global_deviation, DETAIL: units * self.detail_deviation}

    def coding_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """What a file's quantiser takes for `pixel_units`."""
        return {GLOBAL: self.global_deviation, DETAIL: self.base.coding_units()[PART]}

    def networks(self) -> Sequence[nn.Module]:
        """Those of the frozen model."""
        return self.base.networks()

    def set_trainable(self, *, encoder: bool, transform: bool) -> None:
        """Let nothing be trained: what is fitted is linear, and the model under it is frozen."""
        del encoder, transform
        self.requires_grad_(requires_grad=False)

    def standardise(self, statistics: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Say what mean and deviation the channels have; from then on they have 0 and 1.

        The mean of the global part stays zero: it is that of the KLT.
        """
        self.global_deviation.mul_(statistics[GLOBAL][1])
        mean, deviation = statistics[DETAIL]
        self.detail_mean.add_(self.detail_deviation * mean)
        self.detail_deviation.mul_(deviation)

    def fault(self) -> str | None:
        """What is wrong with numbers that were just read; none if nothing is."""
        least = min(float(self.global_deviation.min()), float(self.detail_deviation.min()))
        return self.base.fault() or (
            None if least > 0 else f"a standard deviation is {least}; each is above zero"
        )

    def in_pixels(self, latent: Latent) -> Latent:
        """The first channels of a latent of the frozen model, as large as the changes of pixels they make."""
        return latent * column(self.base.pixel_units()[PART][: latent.shape[1]])

    def _large(self, coefficients: Coefficients) -> Latent:
        """The first channels of the frozen latent, as the global part says them."""
        pixels = self.level.inverse(coefficients)
        return pixels / column(self.base.pixel_units()[PART][: self.level.inputs])

    def _taking(self, plain: Footprint) -> Footprint:
        """What the frozen model takes for all its steps and cells in one of these, at once."""
        cells, positions = BLOCK.h * BLOCK.w, prod(BLOCK)
        own = 4 * self.parts[1].channels * self.dtype.itemsize
        return Footprint(
            remembered=cells * plain.remembered,
            whole=positions * (plain.whole + plain.strip + own),
            strip=0,
            most=1,
        )


def _padded(latent: Latent, channels: int) -> Float[Tensor, "b _ t h w"]:
    """A latent with zeros for its last channels."""
    return F.pad(latent, (0, 0, 0, 0, 0, 0, 0, channels - latent.shape[1]))


def _scaled(cells: slice, factor: int) -> slice:
    return slice(cells.start * factor, cells.stop * factor)
