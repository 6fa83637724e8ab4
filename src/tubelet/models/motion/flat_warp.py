"""Displaced blocks and features of one group, of every cell at once, on four axes: for `tubelet.interop`.

Vectors of a group are ``k 2 h w``, a later frame in each row of the first axis: down and to the right, in
quarters of a pixel, as whole numbers in float32. Cells are square.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.models.motion.warp import FINENESS, REACH, TAPS, WEIGHTS
from tubelet.nn.flat import Flat

FlatVectors = Float[Tensor, "k 2 h w"]

_SEEN = 3
"""Rows and columns of pixels around a block that numbers between its own depend on."""


class FlatBlocks(nn.Module):
    """`displacements` of every cell: by how much blocks of a group's first frame differ from it in place.

    Args:
        side: rows and columns of pixels of a cell.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("weights", torch.tensor(WEIGHTS) / 128)
        self.weights: Tensor

    def forward(self, first: Float[Tensor, "1 _ h w"], vectors: FlatVectors) -> Float[Tensor, "1 _ h w"]:
        """What vectors add to the cells of all later frames, as cells are: ``1 (k c H W) h w``.

        Args:
            first: cells of the first frame.
            vectors: of the frames after it.
        """
        image = F.pixel_shuffle(first, self.side)
        wide = F.pad(image, (REACH + 1, REACH + TAPS, REACH + 1, REACH + TAPS), mode="replicate")
        return self._blocks(wide, vectors) - torch.cat([first] * vectors.shape[0], dim=1)

    def _blocks(self, wide: Float[Tensor, "1 c P Q"], vectors: FlatVectors) -> Flat:
        """The blocks that vectors lead to."""
        (_, colours, height, width), (later, _, rows, columns) = wide.shape, vectors.shape
        whole = torch.floor(vectors / FINENESS)
        phase = (vectors - FINENESS * whole).to(torch.int64)
        down = whole[:, :1].to(torch.int64) + REACH + self.side * cell_rows(rows)
        right = whole[:, 1:].to(torch.int64) + REACH + self.side * cell_columns(columns)
        size = self.side + _SEEN
        places = down * width + right + offsets(range(size), range(size), width)
        found = wide.reshape(colours, height * width).index_select(1, places.flatten())
        numbers = found.reshape(colours * later, size, size, rows * columns)
        taps = [numbers[:, :, tap : tap + self.side] for tap in range(4)]
        numbers = _between(taps, self._of_phase(phase[:, 1:], colours))
        taps = [numbers[:, tap : tap + self.side] for tap in range(4)]
        blocks = _between(taps, self._of_phase(phase[:, :1], colours))
        by_frame = blocks.reshape(colours, later, self.side**2, rows * columns).transpose(0, 1)
        return by_frame.reshape(1, later * colours * self.side**2, rows, columns)

    def _of_phase(self, phase: Int[Tensor, "k 1 h w"], colours: int) -> list[Tensor]:
        """The weight of each tap at every cell, for each colour and frame."""
        every = self.weights.index_select(0, phase.flatten()).T.reshape(4, phase.shape[0], 1, -1)
        return [torch.cat([every[tap : tap + 1].transpose(0, 1)] * colours) for tap in range(4)]


def flat_warped(features: Flat, vectors: FlatVectors, side: int) -> Flat:
    """`tubelet.models.motion.networks.warped` of one group: ``1 (k c) h w``.

    Args:
        features: of each cell.
        vectors: of the frames after the first.
        side: rows and columns of pixels of a cell.
    """
    _, channels, height, width = features.shape
    flat, unit = features.reshape(channels, height * width), FINENESS * side
    found: list[Tensor] = []
    for vector in vectors.split(1):
        whole = torch.floor(vector / unit)
        share = (vector - unit * whole) / unit
        row = whole[:, :1].to(torch.int64) + cell_rows(height)
        column = whole[:, 1:].to(torch.int64) + cell_columns(width)
        total = torch.zeros_like(features)
        for down in (0, 1):
            high = share[:, :1] if down else 1 - share[:, :1]
            lines = (row + down).clamp(min=0).minimum(last(height)) * width
            for right in (0, 1):
                wide = share[:, 1:] if right else 1 - share[:, 1:]
                places = lines + (column + right).clamp(min=0).minimum(last(width))
                here = flat.index_select(1, places.flatten()).reshape(1, channels, height, width)
                total = total + high * wide * here
        found.append(total)
    return torch.cat(found, dim=1)


def cell_rows(count: int) -> Int[Tensor, "1 1 h 1"]:
    """The row of each cell."""
    return torch.arange(count).reshape(1, 1, -1, 1)


def cell_columns(count: int) -> Int[Tensor, "1 1 1 w"]:
    """The column of each cell."""
    return torch.arange(count).reshape(1, 1, 1, -1)


def last(count: int) -> Int[Tensor, "1 1 1 1"]:
    """The last of so many places; a tensor, for the count varies in what is exported."""
    return torch.arange(count)[-1:].reshape(1, 1, 1, 1)


def offsets(rows: range, columns: range, width: int) -> Int[Tensor, "1 n 1 1"]:
    """Where pixels of a block lie after its first, in images of this width: row by row."""
    down = torch.tensor([row for row in rows for _ in columns]).reshape(1, -1, 1, 1)
    right = torch.tensor([column for _ in rows for column in columns]).reshape(1, -1, 1, 1)
    return down * width + right


def _between(taps: list[Tensor], weights: list[Tensor]) -> Tensor:
    total = taps[0] * weights[0]
    for tap, weight in zip(taps[1:], weights[1:], strict=True):
        total = total + tap * weight
    return total
