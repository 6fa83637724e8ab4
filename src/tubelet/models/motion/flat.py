"""A model along motion as functions of one group, made of operators on four axes: for `tubelet.interop`.

The frames of a group are ``1 (t c) H W``, each part is ``1 c h w``; see `tubelet.models.klt.flat`. The
encoder searches for motion itself. Cells are square.
"""

from math import prod
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.errors import OptionError
from tubelet.models.motion.flat_search import FlatSearch
from tubelet.models.motion.flat_warp import FlatBlocks, FlatVectors, flat_warped
from tubelet.models.motion.model import MotionModel
from tubelet.models.motion.networks import WARPED, MotionNetworks
from tubelet.models.motion.warp import FINENESS, REACH
from tubelet.nn.flat import (
    First,
    Flat,
    FlatCorrectionScale,
    FlatFrames,
    FlatPast,
    FlatPrefix,
    FlatStack,
    FlatUnshuffle,
    flat_column,
    pointwise,
    rate_knots,
)
from tubelet.nn.klt import KLT, correction_scale


class FlatMotionEncoder(nn.Module):
    """`MotionModel.encode_groups` of one group of a whole frame.

    Args:
        model: whose encoder; its weights are copied.
        half: whether maps of its networks compute in float16.

    Attributes:
        work: as that of `FlatEncoder`.

    Raises:
        OptionError: its cells are not square.
    """

    def __init__(self, model: MotionModel, *, half: bool = False) -> None:
        super().__init__()
        self.side = _side(model)
        self.channels = model.channels
        self.cells = FlatUnshuffle(self.side)
        self.search, self.blocks = FlatSearch(model.stride.t, self.side), FlatBlocks(self.side)
        self.along, self.plain = (_coefficients(klt) for klt in model.transform.klts)
        self.register_buffer("deviation", flat_column(model.transform.deviation))
        self.deviation: Tensor
        self.network = None if model.corrections is None else _EncoderNetwork(model, half=half)
        # The search of every cell at once: images between pixels, places of pixels in them, what lies there.
        searched = 12 * 3 * prod(model.stride)
        self.work = model.encoder_footprint().numbers_at_work(model.dtype) + searched

    past_side = 1

    @property
    def past_channels(self) -> int:
        """Channels of what is remembered."""
        return 0 if self.network is None else self.network.stack.past_channels

    def forward(
        self, frames: FlatFrames, first: First | None = None, past: FlatPast | None = None
    ) -> tuple[Tensor, ...]:
        """Motion, which cells are plain, content, and what is remembered, if there are networks.

        Args:
            frames: of a group.
            first: whether it is the first of a clip, so that `past` means nothing.
            past: what the group before gave.
        """
        field = self.search(frames)
        plain = field.plain > 0
        used = torch.where(plain, 0.0, field.vectors)
        cells = self.cells(frames)
        one = 3 * self.side**2
        start, later = cells[:, :one], cells[:, one:]
        straight = torch.cat([start, later - self.blocks(start, used)], dim=1)
        coefficients = torch.where(plain, self.plain(straight), self.along(straight)) / self.deviation
        after: list[Tensor] = []
        content = coefficients[:, : self.channels]
        if self.network is not None:
            content, remembered = self.network(coefficients, used, field.plain, first, past)
            after = [] if remembered is None else [remembered]
        return (_motion(field.vectors), field.plain, content, *after)


class FlatMotionDecoder(nn.Module):
    """`MotionModel.decode_groups` of one group of a whole frame; arguments as `FlatMotionEncoder`."""

    def __init__(self, model: MotionModel, *, half: bool = False) -> None:
        super().__init__()
        self.side = _side(model)
        self.blocks = FlatBlocks(self.side)
        self.along, self.plain = (_patches(klt) for klt in model.transform.klts)
        self.register_buffer("deviation", flat_column(model.transform.deviation))
        self.register_buffer("number", flat_column(torch.arange(len(model.vector_deviation))))
        self.register_buffer("channel", flat_column(torch.arange(model.channels)))
        self.deviation: Tensor
        self.number: Tensor
        self.channel: Tensor
        self.network = None if model.corrections is None else _DecoderNetwork(model, half=half)
        self.work = model.decoder_footprint().numbers_at_work(model.dtype)

    past_side = 1

    @property
    def past_channels(self) -> int:
        """Channels of what is remembered."""
        return 0 if self.network is None else self.network.stack.past_channels

    def forward(
        self,
        motion: Flat,
        motion_counts: Tensor,
        plain: Flat,
        plain_counts: Tensor,
        content: Flat,
        content_counts: Tensor,
        first: First | None = None,
        past: FlatPast | None = None,
    ) -> tuple[Tensor, ...]:
        """The frames of a group, and what is remembered, if there are networks.

        Args:
            motion: how far cells moved since the first frame: to the right and down, in pixels, frame by
                frame.
            motion_counts: how many of these numbers each cell has; those after are zero.
            plain: above one half where a cell is plain.
            plain_counts: 1 where that is known, and 0 elsewhere.
            content: all channels; beyond a cell's count nothing is looked at.
            content_counts: how many leading channels each cell has.
            first: whether it is the first group of a clip, so that `past` means nothing.
            past: what the group before gave.
        """
        known = torch.where(self.number < motion_counts, motion, 0.0)
        flags = (plain > 0.5) & (plain_counts > 0)
        used = torch.where(flags, 0.0, _vectors(known))
        after: list[Tensor] = []
        if self.network is None:
            coefficients = torch.where(self.channel < content_counts, content, 0.0)
        else:
            told = flags.to(content.dtype)
            coefficients, remembered = self.network(content, content_counts, used, told, first, past)
            after = [] if remembered is None else [remembered]
        scaled = coefficients * self.deviation
        straight = torch.where(flags, self.plain(scaled), self.along(scaled))
        one = 3 * self.side**2
        start, later = straight[:, :one], straight[:, one:]
        cells = torch.cat([start, later + self.blocks(start, used)], dim=1)
        return (F.pixel_shuffle(cells, self.side), *after)


class _Known(nn.Module):
    """What both networks are told of motion."""

    def __init__(self, model: MotionModel) -> None:
        super().__init__()
        self.side, self.warped = _side(model), min(WARPED, model.channels)
        self.register_buffer("deviation", flat_column(model.vector_deviation))
        self.deviation: Tensor

    def forward(self, features: Flat, vectors: FlatVectors, plain: Flat) -> Flat:
        """How cells move, and the first channels of the places that they come from."""
        warped = flat_warped(features[:, : self.warped], vectors, self.side)
        return torch.cat([_motion(vectors) / self.deviation, plain, warped], dim=1)


class _Corrected(NamedTuple):
    """Content or coefficients, corrected, and what is remembered."""

    values: Flat
    past: FlatPast | None


class _EncoderNetwork(nn.Module):
    """`MotionNetworks.encode` of one group."""

    def __init__(self, model: MotionModel, *, half: bool) -> None:
        super().__init__()
        networks, deviation = _networks(model), model.transform.deviation
        self.channels = model.channels
        self.known, self.stack = _Known(model), FlatStack(networks.encoder, half=half)
        scale = correction_scale(deviation, torch.tensor(model.channels)).flatten()
        self.register_buffer("scale", flat_column(scale[: model.channels]))
        self.register_buffer("mean", flat_column(networks.latent_mean))
        self.register_buffer("spread", flat_column(networks.latent_deviation))
        self.scale: Tensor
        self.mean: Tensor
        self.spread: Tensor

    def forward(
        self,
        coefficients: Flat,
        vectors: FlatVectors,
        plain: Flat,
        first: First | None,
        past: FlatPast | None,
    ) -> _Corrected:
        told = torch.cat([coefficients, self.known(coefficients, vectors, plain)], dim=1)
        correction, past = self.stack(told, first, past)
        raw = coefficients[:, : self.channels] + self.scale * correction
        return _Corrected((raw - self.mean) / self.spread, past)


class _DecoderNetwork(nn.Module):
    """`MotionNetworks.decode` of one group."""

    def __init__(self, model: MotionModel, *, half: bool) -> None:
        super().__init__()
        networks, deviation = _networks(model), model.transform.deviation
        self.known, self.stack = _Known(model), FlatStack(networks.decoder, half=half)
        self.missing = len(deviation) - model.channels
        self.register_buffer("mean", flat_column(networks.latent_mean))
        self.register_buffer("spread", flat_column(networks.latent_deviation))
        self.prefix, self.scale = FlatPrefix(networks.prefix.fill), FlatCorrectionScale(deviation)
        self.mean: Tensor
        self.spread: Tensor

    def forward(
        self,
        content: Flat,
        counts: Tensor,
        vectors: FlatVectors,
        plain: Flat,
        first: First | None,
        past: FlatPast | None,
    ) -> _Corrected:
        counts = counts.clamp(0, content.shape[1])
        shown = self.prefix(content * self.spread + self.mean, counts)
        told = torch.cat([shown.inputs, self.known(shown.skip, vectors, plain)], dim=1)
        correction, past = self.stack(told, first, past, rate_knots(shown.share))
        whole = F.pad(shown.skip, (0, 0, 0, 0, 0, self.missing))
        return _Corrected(whole + self.scale(counts) * correction, past)


def _motion(vectors: FlatVectors) -> Flat:
    """`MotionModel.vectors_to_motion`."""
    motion = 0.0 - vectors.flip(1) / FINENESS
    return motion.reshape(1, 2 * vectors.shape[0], vectors.shape[2], vectors.shape[3])


def _vectors(motion: Flat) -> FlatVectors:
    """Undo `_motion`, in whole quarters of a pixel within reach."""
    vectors = motion.reshape(motion.shape[1] // 2, 2, motion.shape[2], motion.shape[3]).flip(1)
    return ((0.0 - vectors).clamp(-REACH, REACH) * FINENESS).round()


def _coefficients(level: KLT) -> nn.Conv2d:
    """`KLT.project` of cells, whose numbers are ordered by frame, colour, row and column."""
    basis = rearrange(level.basis, "k (t h w c) -> k (t c h w)", **_sides(level))
    return pointwise(basis, -(level.basis @ level.mean))


def _patches(level: KLT) -> nn.Conv2d:
    """`KLT.rebuild` to such cells."""
    basis = rearrange(level.basis, "k (t h w c) -> (t c h w) k", **_sides(level))
    return pointwise(basis, rearrange(level.mean, "(t h w c) -> (t c h w)", **_sides(level)))


def _sides(level: KLT) -> dict[str, int]:
    return {"t": level.patch.t, "h": level.patch.h, "w": level.patch.w}


def _networks(model: MotionModel) -> MotionNetworks:
    assert model.corrections is not None
    return model.corrections


def _side(model: MotionModel) -> int:
    """Rows and columns of a cell."""
    _, height, width = model.stride
    if height != width:
        raise OptionError(f"a cell of {height}x{width} is not square; only square ones are exported.")
    return height
