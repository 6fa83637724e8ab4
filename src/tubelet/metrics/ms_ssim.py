"""Multi-scale structural similarity of 8-bit RGB clips."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from tubelet.errors import ShapeError
from tubelet.metrics.runs import check_runs, nothing_compared
from tubelet.metrics.ssim import WINDOW, Planes, planes, similarity
from tubelet.types import Frames

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, finest first."""

SMALLEST = (WINDOW - 1) * 2 ** (len(WEIGHTS) - 1) + 1
"""Rows and columns that a frame needs, so that the window fits into the coarsest scale."""


class ClipMSSSIM:
    """MS-SSIM (Wang, Simoncelli and Bovik 2003), the mean over the frames of a clip; 1 for equal clips.

    Of every colour of a frame, five scales are compared under a Gaussian window of 11x11 and standard
    deviation 1.5, only where the whole window lies in the frame, with K1 = 0.01, K2 = 0.03 and range 255;
    a scale is the one before in means of 2x2, a frame of odd size with a border of zeros around it. Negative
    similarities count as 0; the scales are multiplied, each to the power of its weight; then comes the mean
    of the colours. This is what the package pytorch-msssim computes. On luma alone, as some codecs'
    tools measure, the numbers are others.
    """

    def __init__(self) -> None:
        self._sum = 0.0
        self._frames = 0

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add a run of frames; memory does not grow with its length.

        Raises:
            ShapeError: the runs differ in length or size, or a side of the frames is shorter than `SMALLEST`.
        """
        check_runs(reference, frames, measure="MS-SSIM")
        height, width = frames.shape[1:3]
        if min(height, width) < SMALLEST:
            raise ShapeError(
                f"the frames have {width}x{height} pixels; the five scales of MS-SSIM need {SMALLEST} rows "
                "and columns, and with fewer scales it would be another measure. Leave this clip out."
            )
        for one, other in zip(reference, frames, strict=True):
            self._sum += _ms_ssim(one, other)
            self._frames += 1

    def compute(self) -> float:
        """MS-SSIM, from 0 to 1.

        Raises:
            ShapeError: no frame was added.
        """
        if not self._frames:
            raise nothing_compared("MS-SSIM")
        return self._sum / self._frames


def _ms_ssim(reference: UInt8[np.ndarray, "H W 3"], frame: UInt8[np.ndarray, "H W 3"]) -> float:
    one, other = planes(reference), planes(frame)
    product = torch.ones(one.shape[1], dtype=one.dtype)
    for weight in WEIGHTS[:-1]:
        product *= similarity(one, other).contrast.clamp(min=0) ** weight
        one, other = _halve(one), _halve(other)
    product *= similarity(one, other).whole.clamp(min=0) ** WEIGHTS[-1]
    return float(product.mean())


def _halve(colours: Planes) -> Float[Tensor, "1 c h w"]:
    height, width = colours.shape[2:]
    return F.avg_pool2d(colours, 2, padding=(height % 2, width % 2))
