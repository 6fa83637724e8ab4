"""Any `StepModel` as functions of one step, by its own `encode_groups` and `decode_groups`.

What they compute has as many axes as the model's own operators; what goes in and comes out has four. Where
something is remembered, a step is computed twice, once as if it were the first of a clip: a model does not
say how these differ.
"""

import copy
from math import prod
from typing import Any, NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from tubelet.errors import OptionError
from tubelet.models.protocol import Past, StepModel
from tubelet.types import Part

_PROBES = ((2, 3), (4, 5))
"""Rows and columns of cells of two steps, whose memories show which of their sides are of cells."""


class WholeEncoder(nn.Module):
    """`StepModel.encode_groups` of one step of a whole frame.

    Args:
        model: whose; its weights are copied.
        half: whether its networks compute in float16.

    Attributes:
        work: numbers per cell that a step holds at once, beside what is remembered; an upper estimate.

    Raises:
        OptionError: what it remembers is not of cells, or not in float32.
    """

    def __init__(self, model: StepModel, *, half: bool = False) -> None:
        super().__init__()
        self.model = _copied(model, half=half)
        self.names, self.frames = [part.name for part in model.parts], model.stride.t
        self.work = model.encoder_footprint().numbers_at_work(model.dtype)
        found = [self.model.encode_groups(_video(model, *cells), None).past for cells in _PROBES]
        self.folds = _folds(found[0], found[1])

    past_side = 1

    @property
    def past_channels(self) -> int:
        """Numbers of each cell that are remembered."""
        return sum(fold.channels for fold in self.folds)

    def forward(
        self, frames: Tensor, first: Tensor | None = None, past: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Each part, logarithms of variances of each, if there are, and what is remembered.

        Args:
            frames: ``1 (t c) H W``.
            first: whether it is the first of a clip, so that `past` means nothing.
            past: what the step before gave.
        """
        video = rearrange(frames, "1 (t c) h w -> 1 c t h w", t=self.frames)
        runs = [self._step(video, each) for each in _pasts(past, self.folds)]
        return runs[0] if first is None else _chosen(first, runs)

    def _step(self, video: Tensor, past: Past | None) -> tuple[Tensor, ...]:
        encoded = self.model.encode_groups(video, past)
        values = [encoded.latents[name] for name in self.names]
        if encoded.log_variances is not None:
            values += [encoded.log_variances[name] for name in self.names]
        folded = [rearrange(each, "1 c t h w -> 1 (t c) h w") for each in values]
        return (*folded, *_folded(encoded.past, self.folds))


class WholeDecoder(nn.Module):
    """`StepModel.decode_groups` of one step of a whole frame; arguments as `WholeEncoder`."""

    def __init__(self, model: StepModel, *, half: bool = False) -> None:
        super().__init__()
        self.model = _copied(model, half=half)
        self.parts = model.parts
        self.work = model.decoder_footprint().numbers_at_work(model.dtype)
        self.steps = [model.stride.t // part.stride.t for part in model.parts]
        found = [
            self.model.decode_groups(_zeros(model, *cells), None, _whole(model, *cells)).past
            for cells in _PROBES
        ]
        self.folds = _folds(found[0], found[1])

    past_side = 1

    @property
    def past_channels(self) -> int:
        """Numbers of each cell that are remembered."""
        return sum(fold.channels for fold in self.folds)

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """The frames of a step, and what is remembered.

        Args:
            given: all channels of each part, ``1 (t c) h w``, and its counts, ``1 t h w``; and, if something
                is remembered, whether the step is the first of a clip, and what the step before gave.
        """
        latents, known = {}, {}
        for index, (part, steps) in enumerate(zip(self.parts, self.steps, strict=True)):
            latent, counts = given[2 * index : 2 * index + 2]
            latents[part.name] = rearrange(latent, "1 (t c) h w -> 1 c t h w", t=steps)
            known[part.name] = rearrange(counts, "1 t h w -> 1 1 t h w")
        state = given[2 * len(self.parts) :]
        runs = []
        for past in _pasts(state[1] if state else None, self.folds):
            decoded = self.model.decode_groups(latents, past, known)
            frames = rearrange(decoded.groups, "1 c t h w -> 1 (t c) h w")
            runs.append((frames, *_folded(decoded.past, self.folds)))
        return _chosen(state[0], runs) if state else runs[0]


class _Fold(NamedTuple):
    """How a tensor that is remembered becomes channels of cells.

    Attributes:
        sides: of each axis after the first, how many lie in a cell, or how many there are.
        rows: which axis goes along rows of cells.
        columns: which axis goes along columns.
    """

    sides: tuple[int, ...]
    rows: int
    columns: int

    @property
    def channels(self) -> int:
        """Numbers of each cell."""
        return prod(self.sides)


def _copied(model: StepModel, *, half: bool) -> Any:  # noqa: ANN401  a module that is a StepModel
    own: Any = copy.deepcopy(model)
    for network in own.networks() if half else ():
        network.half()
    return own.eval().requires_grad_(requires_grad=False)


def _video(model: StepModel, rows: int, columns: int) -> Tensor:
    t, h, w = model.stride
    return torch.zeros(1, 3, t, rows * h, columns * w)


def _shape(model: StepModel, part: Part, rows: int, columns: int) -> tuple[int, int, int]:
    (t, h, w), own = model.stride, part.stride
    return t // own.t, rows * h // own.h, columns * w // own.w


def _zeros(model: StepModel, rows: int, columns: int) -> dict[str, Tensor]:
    return {
        part.name: torch.zeros(1, part.channels, *_shape(model, part, rows, columns)) for part in model.parts
    }


def _whole(model: StepModel, rows: int, columns: int) -> dict[str, Tensor]:
    return {
        part.name: torch.full((1, 1, *_shape(model, part, rows, columns)), part.channels)
        for part in model.parts
    }


def _folds(small: Past | None, large: Past | None) -> list[_Fold]:
    """How to fold what two steps of different sizes left behind.

    Raises:
        OptionError: it is not of cells, or not in float32.
    """
    return [_fold(a, b) for a, b in zip(small or (), large or (), strict=True)]


def _fold(small: Tensor, large: Tensor) -> _Fold:
    (rows, columns), (more_rows, more_columns) = _PROBES
    sides, along = [], {"rows": 0, "columns": 0}
    for axis, (one, other) in enumerate(zip(small.shape[1:], large.shape[1:], strict=True), start=1):
        if one == other:
            sides.append(one)
        elif one * more_rows == other * rows and one % rows == 0:
            sides.append(one // rows)
            along["rows"] = axis
        elif one * more_columns == other * columns and one % columns == 0:
            sides.append(one // columns)
            along["columns"] = axis
        else:
            along["rows"] = 0
            break
    if not all(along.values()) or small.dtype != torch.float32:
        raise OptionError(
            f"the model remembers a tensor of {tuple(small.shape)} in {small.dtype}; what is exported "
            "remembers numbers of cells, in float32. Give the model such a state."
        )
    return _Fold(tuple(sides), **along)


def _folded(past: Past | None, folds: list[_Fold]) -> tuple[Tensor, ...]:
    """What is remembered as one tensor, ``1 n h w``; nothing for nothing."""
    if not folds:
        return ()
    assert past is not None
    flat = []
    for tensor, fold in zip(past, folds, strict=True):
        pieces = tensor.unflatten(fold.rows, (-1, fold.sides[fold.rows - 1]))
        column = fold.columns + (fold.columns > fold.rows)
        pieces = pieces.unflatten(column, (-1, fold.sides[fold.columns - 1]))
        row = fold.rows + (fold.rows > fold.columns)
        cells = pieces.movedim((row, column), (-2, -1))
        flat.append(cells.reshape(1, fold.channels, *cells.shape[-2:]))
    return (torch.cat(flat, dim=1),)


def _pasts(past: Tensor | None, folds: list[_Fold]) -> list[Past | None]:
    """Nothing, and what the step before left behind, if anything is remembered."""
    if past is None:
        return [None]
    height, width, begin = *past.shape[2:], 0
    tensors = []
    for fold in folds:
        cells = past[:, begin : begin + fold.channels].reshape(1, *fold.sides, height, width)
        begin += fold.channels
        # Each axis of cells goes before the axis of what lies in a cell, and becomes one with it.
        if fold.rows < fold.columns:
            cells = cells.movedim((-2, -1), (fold.rows, fold.columns + 1))
            cells = cells.flatten(fold.columns + 1, fold.columns + 2).flatten(fold.rows, fold.rows + 1)
        else:
            cells = cells.movedim((-1, -2), (fold.columns, fold.rows + 1))
            cells = cells.flatten(fold.rows + 1, fold.rows + 2).flatten(fold.columns, fold.columns + 1)
        tensors.append(cells)
    return [None, tuple(tensors)]


def _chosen(first: Tensor, runs: list[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    fresh, later = runs
    return tuple(torch.where(first, one, other) for one, other in zip(fresh, later, strict=True))
