"""How much of the finest detail of 8-bit RGB clips is there."""

import math

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.metrics.runs import check_runs, nothing_compared
from tubelet.types import Frames

_LOWEST, _HIGHEST = 0.25, 0.5
"""Cycles per pixel between which the top octave lies."""


class ClipTopOctave:
    """The power of a clip's frames in the top octave of their spectrum, over that of the reference.

    1 if there is as much of the finest detail as in the reference, below 1 if it was smoothed away, above 1
    if there is more, such as noise; whether it is the same detail does not matter. The octave is that of
    patterns of 2 to 4 pixels a period, in any direction: frequencies from 1/4 to 1/2 cycles per pixel, the
    length of the vector of both axes. Power is summed over colours and frames before it is divided.
    """

    def __init__(self) -> None:
        self._power = np.zeros(2)
        self._frames = 0

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before.

        Raises:
            ShapeError: the runs differ in length or size.
        """
        check_runs(reference, frames, measure="the top octave")
        for pair in zip(reference, frames, strict=True):
            self._power += [_power(frame) for frame in pair]
            self._frames += 1

    def compute(self) -> float:
        """The ratio; NaN if the reference has nothing there, as one that is too small for such a pattern.

        Raises:
            ShapeError: no frame was added.
        """
        if not self._frames:
            raise nothing_compared("the top octave")
        expected, found = self._power.tolist()
        # Rounding leaves a trace of power where there is none.
        return found / expected if expected > 1e-9 * self._frames else math.nan


def _power(frame: np.ndarray) -> float:
    """The power of a frame in the top octave; the mean square of it, if nothing else were there."""
    colours: Float[Tensor, "3 H W"] = rearrange(torch.from_numpy(frame.astype(np.float64)), "H W c -> c H W")
    height, width = colours.shape[1:]
    spectrum = torch.fft.rfft2(colours, norm="forward").abs().square()
    rows = torch.fft.fftfreq(height, dtype=torch.float64)
    columns = torch.fft.rfftfreq(width, dtype=torch.float64)
    frequency = torch.hypot(rearrange(rows, "h -> h 1"), rearrange(columns, "w -> 1 w"))
    within = (frequency >= _LOWEST) & (frequency <= _HIGHEST)
    # Half of the columns stand for their mirror images too.
    twice = torch.where((columns > 0) & (columns < _HIGHEST), 2.0, 1.0)
    return float((spectrum * twice * within).sum())
