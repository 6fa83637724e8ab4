"""Global and detail parts as functions of one step, made of operators on four axes: for `tubelet.interop`.

A step is four steps of the frozen model, which are worked on one after the other; see
`tubelet.models.klt.flat`. The flow is left out: decoding is that of the frozen decoder.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.models.klt.flat import FlatDecoder, FlatEncoder
from tubelet.models.klt.model import PART
from tubelet.models.levels.model import BLOCK, LevelsModel
from tubelet.nn.flat import First, FlatFrames, FlatInverseKLT, FlatKLT, FlatPart, flat_column


class FlatLevelsEncoder(nn.Module):
    """`LevelsModel.encode_groups` of one step of a whole frame.

    Args:
        model: whose encoder; its weights are copied.
        half: whether maps of its networks compute in float16.

    Attributes:
        work: as that of `tubelet.models.klt.flat.FlatEncoder`.
    """

    def __init__(self, model: LevelsModel, *, half: bool = False) -> None:
        super().__init__()
        self.step = FlatEncoder(model.base.base, half=half)
        self.level = _Level(model)
        self.work = model.encoder_footprint().numbers_at_work(model.dtype)

    past_side = BLOCK.h

    @property
    def past_channels(self) -> int:
        """Channels of what is remembered, at each cell of the frozen model."""
        return self.step.past_channels

    def forward(
        self, frames: FlatFrames, first: First | None = None, past: FlatPart | None = None
    ) -> tuple[Tensor, ...]:
        """The global part, the detail of each of its steps, and what is remembered, if anything is.

        Args:
            frames: of a step.
            first: whether it is the first of a clip, so that `past` means nothing.
            past: what the step before gave.
        """
        remembered = past
        latents: list[Tensor] = []
        for each in frames.chunk(BLOCK.t, dim=1):
            encoded = self.step(each, first, remembered)
            remembered, first = encoded.past, None if first is None else torch.zeros_like(first)
            latents.append(encoded.latent)
        coefficients = self.level.coefficients(latents)
        detail = torch.cat(
            [
                (latent - large - self.level.detail_mean) / self.level.detail_deviation
                for latent, large in zip(latents, self.level.large(coefficients), strict=True)
            ],
            dim=1,
        )
        after = () if remembered is None else (remembered,)
        return (coefficients / self.level.global_deviation, detail, *after)


class FlatLevelsDecoder(nn.Module):
    """`LevelsModel.decode_groups` of one step of a whole frame; arguments as `FlatLevelsEncoder`."""

    def __init__(self, model: LevelsModel, *, half: bool = False) -> None:
        super().__init__()
        self.step = FlatDecoder(model.base.base, half=half)
        self.level, self.seen = _Level(model), model.level.inputs
        self.work = model.decoder_footprint().numbers_at_work(model.dtype)
        self.register_buffer("global_channel", flat_column(torch.arange(len(model.global_deviation))))
        self.register_buffer("detail_channel", flat_column(torch.arange(len(model.detail_mean))))
        self.global_channel: Tensor
        self.detail_channel: Tensor

    past_side = BLOCK.h

    @property
    def past_channels(self) -> int:
        """Channels of what is remembered, at each cell of the frozen model."""
        return self.step.past_channels

    def forward(
        self,
        large: FlatPart,
        large_counts: Tensor,
        detail: FlatPart,
        detail_counts: Tensor,
        first: First | None = None,
        past: FlatPart | None = None,
    ) -> tuple[Tensor, ...]:
        """The frames of a step, and what is remembered, if anything is.

        Args:
            large: all channels of the global part; beyond a position's count nothing is looked at.
            large_counts: how many leading channels each position has.
            detail: of each step of the frozen model, that of the first first; likewise.
            detail_counts: a channel for each of these steps.
            first: whether it is the first of a clip, so that `past` means nothing.
            past: what the step before gave.
        """
        coefficients = torch.where(
            self.global_channel < large_counts, large * self.level.global_deviation, 0.0
        )
        remembered = past
        frames: list[Tensor] = []
        steps = zip(
            self.level.large(coefficients),
            detail.chunk(BLOCK.t, dim=1),
            detail_counts.chunk(BLOCK.t, dim=1),
            strict=True,
        )
        for known, own, counts in steps:
            added = own * self.level.detail_deviation + self.level.detail_mean
            latent = known + torch.where(self.detail_channel < counts, added, 0.0)
            decoded = self.step(latent, counts.clamp(min=self.seen), first, remembered)
            remembered, first = decoded.past, None if first is None else torch.zeros_like(first)
            frames.append(decoded.frames)
        after = () if remembered is None else (remembered,)
        return (torch.cat(frames, dim=1), *after)


class _Level(nn.Module):
    """Blocks of the frozen latent as global coefficients, and back; the statistics of both parts."""

    def __init__(self, model: LevelsModel) -> None:
        super().__init__()
        self.there, self.back = FlatKLT(model.level), FlatInverseKLT(model.level)
        self.seen, self.missing = model.level.inputs, len(model.detail_mean) - model.level.inputs
        self.register_buffer("units", flat_column(model.base.pixel_units()[PART][: self.seen]))
        self.register_buffer("global_deviation", flat_column(model.global_deviation))
        self.register_buffer("detail_mean", flat_column(model.detail_mean))
        self.register_buffer("detail_deviation", flat_column(model.detail_deviation))
        self.units: Tensor
        self.global_deviation: Tensor
        self.detail_mean: Tensor
        self.detail_deviation: Tensor

    def coefficients(self, latents: list[Tensor]) -> FlatPart:
        """Global coefficients in pixel units, of the frozen latent of each step."""
        return self.there(torch.cat([latent[:, : self.seen] * self.units for latent in latents], dim=1))

    def large(self, coefficients: FlatPart) -> list[Tensor]:
        """Undo `coefficients`, with zeros for all other channels."""
        pixels = self.back(coefficients).chunk(BLOCK.t, dim=1)
        return [F.pad(each / self.units, (0, 0, 0, 0, 0, self.missing)) for each in pixels]
