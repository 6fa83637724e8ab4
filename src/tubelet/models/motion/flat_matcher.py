"""Cells of one group beside displaced blocks of its first frame, of every cell: for `tubelet.interop`.

The flat form of `tubelet.models.motion.matcher`: whole numbers in float32, which holds them exactly.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.models.motion.flat_warp import cell_columns, cell_rows, offsets
from tubelet.models.motion.warp import FINENESS, REACH, TAPS
from tubelet.nn.flat import FlatUnshuffle

Levels = Float[Tensor, "t 1 H W"]
"""Brightness of the frames of a group: whole numbers from 0 to 255."""

Paths = Float[Tensor, "_ 2 h w"]
"""The vectors of all later frames, of one or of some alternatives after each other."""

Sums = Float[Tensor, "1 k h w"]
"""Sums of absolute differences, of each later frame and cell."""

_MARGIN = REACH + TAPS


class FlatMatcher(nn.Module):
    """Compares cells with displaced blocks of the first frame."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.cells = FlatUnshuffle(side)
        quarters = torch.arange(FINENESS, dtype=torch.float32)
        # Between two pixels, times four; half of that is added, so that it is rounded.
        between = torch.stack([FINENESS - quarters, quarters], dim=1)
        self.register_buffer("right", between.reshape(FINENESS, 1, 1, 2))
        self.register_buffer("down", between.repeat(FINENESS, 1).reshape(FINENESS**2, 1, 2, 1))
        self.right: Tensor
        self.down: Tensor

    def forward(self, levels: Levels) -> "Compared":
        """Of the frames of a group."""
        first, later = levels[:1], levels[1:]
        side, stack = self.side, self._displaced(first)
        wanted = self.cells(later)
        left = self.cells((later - first).abs()).sum(dim=1)
        rows, columns = wanted.shape[2:]
        (height, width), images = stack.shape[2:], FINENESS
        corners = (side * cell_rows(rows) + _MARGIN) * width + side * cell_columns(columns) + _MARGIN
        one = torch.ones(1, 1, 1, 1, dtype=torch.int64)
        return Compared(
            stack=stack.flatten(),
            wanted=wanted,
            still=left[None],
            corners=corners,
            offsets=offsets(range(side), range(side), width),
            whole=torch.cat([one * width, one], dim=1),
            phase=torch.cat([one, one * images], dim=1) * (height * width),
            side=side,
        )

    def _displaced(self, image: Levels) -> Float[Tensor, "1 f P Q"]:
        """The first frame at all places between four pixels, in levels; continued beyond its border."""
        wide = F.pad(image, (_MARGIN, _MARGIN + 1) * 2, mode="replicate")
        half = FINENESS // 2
        between = torch.floor((F.conv2d(wide, self.right) + half) / FINENESS)
        return torch.floor((F.conv2d(between, self.down, groups=FINENESS) + half) / FINENESS)


class Compared(NamedTuple):
    """A group to compare cells in.

    Attributes:
        stack: its first frame at all places between pixels, as one long row of numbers.
        wanted: pixels of the cells of its later frames.
        still: the sum of absolute differences that standing still leaves.
        corners: where cells begin in the stack, at no displacement.
        offsets: of the pixels of a cell.
        whole: how far a pixel down, and one to the right, is in the stack.
        phase: how far it is to the image a quarter further down, and to the right.
        side: rows and columns of a cell.
    """

    stack: Float[Tensor, " m"]
    wanted: Float[Tensor, "k p h w"]
    still: Sums
    corners: Int[Tensor, "1 1 h w"]
    offsets: Int[Tensor, "1 p 1 1"]
    whole: Int[Tensor, "1 2 1 1"]
    phase: Int[Tensor, "1 2 1 1"]
    side: int

    def left(self, paths: Paths, apart: int = 1) -> Float[Tensor, "_ _ h w"]:
        """The sum of absolute differences that vectors leave in the cells; of one in `apart` rows.

        Args:
            paths: of all later frames, some alternatives after each other.
            apart: how many rows each that is compared stands for.
        """
        pixels = torch.floor(paths / FINENESS)
        phase = paths - FINENESS * pixels
        far = pixels.to(torch.int64) * self.whole + phase.to(torch.int64) * self.phase
        start = far.sum(dim=1, keepdim=True) + self.corners
        wanted, places = self.wanted, self.offsets
        if apart > 1:
            rows = range(0, self.side, apart)
            kept = torch.tensor([row * self.side + column for row in rows for column in range(self.side)])
            wanted, places = wanted.index_select(1, kept), places.index_select(1, kept)
        later = wanted.shape[0]
        found = self.stack.index_select(0, (start + places).flatten())
        wide = wanted if paths.shape[0] == later else torch.cat([wanted] * (paths.shape[0] // later))
        left = (found.reshape(wide.shape) - wide).abs().sum(dim=1)
        return left.unflatten(0, (-1, later))
