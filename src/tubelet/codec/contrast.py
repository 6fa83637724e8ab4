"""How much an error counts where it is: the less, the more contrast there is to hide it.

Squared errors alone buy bits for what is busy. Eyes, and measures after them such as SSIM (Wang et al. 2004,
doi:10.1109/TIP.2003.819861), hold an error against the contrast around it: the squared error of a position is
multiplied by (variance of its pixels + C)^-a, with SSIM's constant C and an exponent a that the user chooses.
Within a step the geometric mean of these weights is 1, so that they move bits and change no price.
"""

from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64, Int64, Shaped, UInt8

from tubelet.errors import OptionError
from tubelet.given import check_numbers
from tubelet.tokenizers.grouping import Grouping
from tubelet.types import Frames, Stride

CONTRAST = 0.0
"""The usual exponent: more is better by MS-SSIM and worse by VMAF (decisions 0070 and 0076)."""

LARGEST_CONTRAST = 1.0

_CONSTANT = (0.03 * 255) ** 2
"""SSIM's second constant, in squared levels: differences of contrast far below it are not seen."""

Weights = Float64[np.ndarray, "t h w"]
"""How much the squared error of each position counts; the geometric mean of each step is 1."""


def check_contrast(contrast: float) -> float:
    """Give it back.

    Raises:
        OptionError: it is not a number, or out of range.
    """
    check_numbers(contrast=contrast)
    if not 0 <= contrast <= LARGEST_CONTRAST:
        raise OptionError(
            f"contrast is {contrast}; it must lie between 0, which is not at all, and {LARGEST_CONTRAST:g}."
        )
    return contrast


@final
class ContrastWeights:
    """Weighs the positions of a clip whose frames come in runs of any length.

    A step's weights follow from its own frames: neither the past nor the future, nor how runs are cut,
    changes them.

    Args:
        grouping: which frames and pixels belong to which position.
        contrast: the exponent, from 0, all alike, to 1.

    Raises:
        OptionError: the exponent is out of range.
    """

    def __init__(self, grouping: Grouping, contrast: float) -> None:
        self._grouping = grouping
        self._contrast = check_contrast(contrast)
        self._step = self._frames = 0
        self._sums: CellSums | None = None
        self._steps: list[Float64[np.ndarray, "h w"]] = []

    def push_frames(self, frames: Frames) -> None:
        """Take the next frames."""
        for frame in frames:
            sums = CellSums.of(frame, self._grouping.stride)
            self._sums = sums if self._sums is None else self._sums.plus(sums)
            self._frames += 1
            if self._frames == self._grouping.frames_in(self._step):
                self._complete(self._sums)

    def finish(self) -> None:
        """Let the last step be what there is of it."""
        if self._sums is not None:
            self._complete(self._sums)

    def take(self, steps: int) -> Weights:
        """Those of the next steps, all of whose frames were pushed."""
        taken, self._steps = self._steps[:steps], self._steps[steps:]
        assert len(taken) == steps, "weights are taken of steps that are complete"
        return np.stack(taken) if taken else np.empty((0, 0, 0))

    def _complete(self, sums: "CellSums") -> None:
        logarithms = -self._contrast * np.log(sums.variances() + _CONSTANT)
        self._steps.append(np.exp(logarithms - logarithms.mean()))
        self._sums, self._frames = None, 0
        self._step += 1


class CellSums(NamedTuple):
    """Whole numbers of the pixels of each cell, over some frames, of which their variance is made.

    Attributes:
        pixels: how many there are: a cell at the edge has those of the frame.
        sums: of each colour.
        squares: sums of the squares of each colour.
    """

    pixels: Int64[np.ndarray, "h w 1"]
    sums: Int64[np.ndarray, "h w 3"]
    squares: Int64[np.ndarray, "h w 3"]

    @classmethod
    def of(cls, frame: UInt8[np.ndarray, "H W 3"], stride: Stride) -> "CellSums":
        """Those of a frame."""
        height, width, _ = frame.shape
        pixels = _sides(height, stride.h)[:, None] * _sides(width, stride.w)
        squares = np.square(frame, dtype=np.uint16)
        return cls(pixels[:, :, None], _of_cells(frame, stride), _of_cells(squares, stride))

    def plus(self, other: "CellSums") -> "CellSums":
        """Those of the frames of both."""
        return CellSums(*(one + another for one, another in zip(self, other, strict=True)))

    def variances(self) -> Float64[np.ndarray, "h w"]:
        """Of the values of each colour in a cell, in squared levels; their mean over the colours."""
        # By whole numbers up to the division: a flat cell has none, however bright it is.
        apart = self.pixels * self.squares - np.square(self.sums)
        return (apart / np.square(self.pixels)).mean(axis=-1)


def _sides(size: int, stride: int) -> Int64[np.ndarray, " n"]:
    """How many rows, or columns, each cell has."""
    return np.minimum(size - np.arange(0, size, stride), stride)


def _of_cells(values: Shaped[np.ndarray, "H W 3"], stride: Stride) -> Int64[np.ndarray, "h w 3"]:
    """The sum of the values of each cell."""
    height, width, _ = values.shape
    lines = values.reshape(height, -1)
    rows = np.zeros((-(-height // stride.h), lines.shape[1]), np.uint32)
    for row in range(stride.h):  # the first rows of all cells, then the second: long runs of memory
        part = lines[row :: stride.h]
        rows[: len(part)] += part
    columns = np.arange(0, width, stride.w)
    return np.add.reduceat(rows.reshape(len(rows), width, 3), columns, axis=1).astype(np.int64)
