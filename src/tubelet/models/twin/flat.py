"""Structure and dynamics as functions of one chunk, made of operators on four axes: for `tubelet.interop`.

Frames of a chunk are ``1 (t c) H W``; each part is ``1 (t c) h w`` on its own grid, and what the decoder
remembers is one tensor on the grid of windows. See `tubelet.models.klt.flat`.
"""

from collections.abc import Sequence
from math import pi

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.models.twin.codes import Codes
from tubelet.models.twin.factors import PASSES, SIDE, WindowFactors
from tubelet.models.twin.model import PATCH, STEPS, STILL, WINDOW, TwinModel
from tubelet.nn.blocks import ResidualStack
from tubelet.nn.flat import (
    First,
    FlatFrames,
    FlatInverseKLT,
    FlatKLT,
    FlatPart,
    FlatPrefix,
    FlatPrefixed,
    FlatStack,
    FlatUnshuffle,
    convolution,
    flat_column,
)

_ALONG, _DOWN = (1, SIDE), (SIDE, 1)
"""Positions of a row and of a column of a window."""


class FlatTwinEncoder(nn.Module):
    """`TwinModel.encode_groups` of one chunk of a whole frame.

    Args:
        model: whose encoder; its weights are copied.
        half: whether maps of its networks compute in float16.

    Attributes:
        work: as that of `tubelet.models.klt.flat.FlatEncoder`.
    """

    past_channels, past_side = 0, 1

    def __init__(self, model: TwinModel, *, half: bool = False) -> None:
        super().__init__()
        self.still, self.back = FlatKLT(model.still), FlatInverseKLT(model.still)
        self.patches, self.factors = FlatKLT(model.patches), _Factors(model.factors)
        self.structure, self.rows, self.columns = (_Codes(model.codes_of(part.name)) for part in model.parts)
        self.register_buffer("scale", flat_column(model.scale))
        self.scale: Tensor
        self.of_frames = _OfFrames.of(model.structure_network, half=half)
        self.work = model.encoder_footprint().numbers_at_work(model.dtype)
        self.of_steps = (
            None if model.dynamics_network is None else FlatStack(model.dynamics_network, half=half)
        )

    def forward(self, frames: FlatFrames) -> tuple[Tensor, ...]:
        """The structure, and the rows and columns of windows of each step.

        Args:
            frames: of a chunk.
        """
        height, width = frames.shape[2:]
        structure = self._structure(frames.reshape(WINDOW.t, 3, height, width))
        still = self.patches(torch.cat([self.back(self.structure.linear(structure))] * PATCH.t, dim=1))
        field = self.patches(frames.reshape(STEPS, 3 * PATCH.t, height, width)) - still
        linear_rows, linear_columns = self.factors.codes(field)
        rows, columns = self.rows.scaled(linear_rows), self.columns.scaled(linear_columns)
        if self.of_steps is not None:
            seen = torch.cat([field / self.scale, (still / self.scale).expand_as(field)], dim=1)
            correction, _ = self.of_steps(placed(seen))
            own = correction.shape[1] // 2
            rows = rows + self.rows.correction * F.avg_pool2d(correction[:, :own], _ALONG)
            columns = columns + self.columns.correction * F.avg_pool2d(correction[:, own:], _DOWN)
        return (
            self.structure.standardised(structure),
            _folded(self.rows.standardised(rows)),
            _folded(self.columns.standardised(columns)),
        )

    def _structure(self, frames: FlatFrames) -> FlatPart:
        scaled = self.structure.scaled(self.still(frames.mean(dim=0, keepdim=True)))
        if self.of_frames is None:
            return scaled
        return scaled + self.structure.correction * self.of_frames(frames)


class FlatTwinDecoder(nn.Module):
    """`TwinModel.decode_groups` of one chunk of a whole frame; arguments as `FlatTwinEncoder`."""

    def __init__(self, model: TwinModel, *, half: bool = False) -> None:
        super().__init__()
        self.still, self.patches = FlatInverseKLT(model.still), FlatKLT(model.patches)
        self.inverse, self.factors = FlatInverseKLT(model.patches), _Factors(model.factors)
        self.structure, self.rows, self.columns = (_Codes(model.codes_of(part.name)) for part in model.parts)
        self.stack = None if model.decoder is None else FlatStack(model.decoder, half=half)
        self.work = model.decoder_footprint().numbers_at_work(model.dtype)
        self.register_buffer("scale", flat_column(model.scale))
        self.register_buffer("left", flat_column(model.left))
        self.scale: Tensor
        self.left: Tensor

    past_side = SIDE

    @property
    def past_channels(self) -> int:
        """Channels of what is remembered, at each position of a window."""
        return 0 if self.stack is None else self.stack.past_channels

    def forward(
        self,
        structure: FlatPart,
        structure_counts: Tensor,
        rows: FlatPart,
        rows_counts: Tensor,
        columns: FlatPart,
        columns_counts: Tensor,
        first: First | None = None,
        past: FlatPart | None = None,
    ) -> tuple[Tensor, ...]:
        """The frames of a chunk, and what is remembered, if there is a network.

        Args:
            structure: all channels of it; beyond a position's count nothing is looked at.
            structure_counts: how many leading channels each position has.
            rows: those of the first step first; likewise.
            rows_counts: a channel for each step.
            columns: likewise.
            columns_counts: likewise.
            first: whether it is the first chunk of a clip.
            past: what the chunk before gave.
        """
        seen = self.structure.shown(structure, structure_counts)
        along = self.rows.shown(_unfolded(rows), _unfolded(rows_counts))
        down = self.columns.shown(_unfolded(columns), _unfolded(columns_counts))
        still = self.still(self.structure.linear(seen.skip))
        field = self.factors.of_rows(self.rows.linear(along.skip))
        field = field + self.factors.of_columns(self.columns.linear(down.skip))
        after: list[Tensor] = []
        if self.stack is not None:
            images = [self.patches(torch.cat([still] * PATCH.t, dim=1)) / self.scale, field / self.scale]
            correction, remembered = self._correction(images, (seen, along, down), first, past)
            field = field + self.left * correction
            after = [] if remembered is None else [remembered]
        frames = self.inverse(field)
        frames = frames.reshape(1, STEPS * frames.shape[1], frames.shape[2], frames.shape[3])
        return (torch.cat([still] * WINDOW.t, dim=1) + frames, *after)

    def _correction(
        self,
        images: Sequence[FlatPart],
        parts: tuple[FlatPrefixed, FlatPrefixed, FlatPrefixed],
        first: First | None,
        past: FlatPart | None,
    ) -> tuple[FlatPart, FlatPart | None]:
        """What the network adds at each step, one after the other."""
        assert self.stack is not None
        still, field = images
        seen, along, down = parts
        wide = _repeated(seen.inputs, (STILL.h // PATCH.h, STILL.w // PATCH.w))
        by_row, by_column = _repeated(along.skip, _ALONG), _repeated(down.skip, _DOWN)
        products = [by_row[:, each : each + 1] * by_column for each in range(by_row.shape[1])]
        own = torch.cat([_repeated(along.inputs, _ALONG), _repeated(down.inputs, _DOWN), *products], dim=1)
        remembered = past
        corrections: list[Tensor] = []
        for step in range(STEPS):
            which = slice(step, step + 1)
            told = placed(torch.cat([still, field[which], wide, own[which]], dim=1))
            correction, remembered = self.stack(told, first, remembered)
            first = None if first is None else torch.zeros_like(first)
            corrections.append(correction)
        return torch.cat(corrections), remembered


class _OfFrames(nn.Module):
    """What each frame says of the structure, and the mean of that."""

    def __init__(self, stack: ResidualStack, *, half: bool) -> None:
        super().__init__()
        height, width = PATCH.h, PATCH.w
        colours = torch.arange(3 * height * width).reshape(height, width, 3)
        # Pixels come by colour, rows and columns; the network knows them by rows, columns and colour.
        order = rearrange(colours, "p q c -> (c p q)")
        rest = torch.arange(len(order), stack.enter.in_features)
        self.stack = FlatStack(stack, half=half, order=torch.cat([order, rest]))
        self.patches = FlatUnshuffle(PATCH.h)
        side = STILL.h // PATCH.h
        structure = stack.leave.out_features // side**2
        kernel = torch.zeros(structure, side, side, structure, side, side)
        for row in range(side):
            for column in range(side):
                # Each position of the network speaks of its own quarter of a position of the structure.
                kernel[:, row, column, :, row, column] = torch.eye(structure)
        self.quarters = convolution(
            rearrange(kernel, "d p q c i j -> d (p q c) i j"), None, stride=(side, side)
        )

    @classmethod
    def of(cls, stack: ResidualStack | None, *, half: bool) -> "_OfFrames | None":
        return None if stack is None else cls(stack, half=half)

    def forward(self, frames: FlatFrames) -> FlatPart:
        said, _ = self.stack(placed(self.patches(frames)))
        return self.quarters(said.mean(dim=0, keepdim=True))


class _Factors(nn.Module):
    """`WindowFactors` of steps that lie along the first axis."""

    def __init__(self, factors: WindowFactors) -> None:
        super().__init__()
        self.register_buffer("rows", rearrange(factors.rows.detach().clone(), "c (x k) -> c k 1 x", x=SIDE))
        columns = rearrange(factors.columns.detach().clone(), "c (y k) -> c k y 1", y=SIDE)
        self.register_buffer("columns", columns)
        self.rows: Tensor
        self.columns: Tensor

    def codes(self, field: FlatPart) -> tuple[FlatPart, FlatPart]:
        """The numbers of rows and of columns whose sum comes near a field."""
        rows = self._rows(field)
        columns = self._columns(field - self.of_rows(rows))
        for _ in range(PASSES - 1):
            rows = self._rows(field - self.of_columns(columns))
            columns = self._columns(field - self.of_rows(rows))
        return rows, columns

    def of_rows(self, rows: FlatPart) -> FlatPart:
        """What numbers of rows stand for."""
        return F.conv_transpose2d(rows, self.rows, stride=_ALONG)

    def of_columns(self, columns: FlatPart) -> FlatPart:
        """What numbers of columns stand for."""
        return F.conv_transpose2d(columns, self.columns, stride=_DOWN)

    def _rows(self, field: FlatPart) -> FlatPart:
        return F.conv2d(field, self.rows, stride=_ALONG)

    def _columns(self, field: FlatPart) -> FlatPart:
        return F.conv2d(field, self.columns, stride=_DOWN)


class _Codes(nn.Module):
    """`Codes` of steps that lie along the first axis."""

    def __init__(self, codes: Codes) -> None:
        super().__init__()
        self.register_buffer("unit", flat_column(codes.unit))
        self.register_buffer("mean", flat_column(codes.mean))
        self.register_buffer("deviation", flat_column(codes.deviation))
        self.register_buffer("correction", flat_column(codes.unit.min() / codes.unit))
        self.prefix = FlatPrefix(codes.prefix.fill)
        self.unit: Tensor
        self.mean: Tensor
        self.deviation: Tensor
        self.correction: Tensor

    def scaled(self, linear: FlatPart) -> FlatPart:
        return linear / self.unit

    def linear(self, scaled: FlatPart) -> FlatPart:
        return scaled * self.unit

    def standardised(self, scaled: FlatPart) -> FlatPart:
        return (scaled - self.mean) / self.deviation

    def shown(self, latent: FlatPart, counts: Tensor) -> FlatPrefixed:
        return self.prefix(latent * self.deviation + self.mean, counts.clamp(0, self.unit.shape[1]))


def placed(x: FlatPart) -> Float[Tensor, "_ _ h w"]:
    """Features, and where in its window each position lies."""
    turn = 2 * pi / SIDE * (torch.arange(SIDE, dtype=x.dtype) + 0.5)
    wave = torch.stack([turn.cos(), turn.sin()])
    rows = wave[:, :, None].expand(2, SIDE, SIDE)
    columns = wave[:, None].expand(2, SIDE, SIDE)
    window = torch.cat([rows, columns]).reshape(1, 4 * SIDE**2, 1, 1)
    windows = window.expand(x.shape[0], -1, x.shape[2] // SIDE, x.shape[3] // SIDE)
    return torch.cat([x, F.pixel_shuffle(windows, SIDE)], dim=1)


def _repeated(x: FlatPart, sides: tuple[int, int]) -> FlatPart:
    """Numbers at every position that they stand for."""
    return F.interpolate(x, scale_factor=tuple(map(float, sides)), mode="nearest")


def _folded(steps: FlatPart) -> FlatPart:
    """Steps into channels."""
    return steps.reshape(1, steps.shape[0] * steps.shape[1], steps.shape[2], steps.shape[3])


def _unfolded(x: Tensor) -> Tensor:
    """Undo `_folded`."""
    return x.reshape(STEPS, x.shape[1] // STEPS, x.shape[2], x.shape[3])
