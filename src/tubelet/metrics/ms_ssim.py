"""Multi-scale structural similarity of 8-bit RGB clips."""

from typing import NamedTuple

import torch
from einops import rearrange, repeat
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from tubelet.errors import ShapeError
from tubelet.types import Frames

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, finest first."""

WINDOW = 11
"""Rows and columns of the Gaussian window."""

SMALLEST = (WINDOW - 1) * 2 ** (len(WEIGHTS) - 1) + 1
"""Rows and columns that a frame needs, so that the window fits into the coarsest scale."""

_SIGMA = 1.5
_LUMINANCE = (0.01 * 255) ** 2
_CONTRAST = (0.03 * 255) ** 2

Planes = Float[Tensor, "1 c H W"]
"""The colours of a frame, one by one."""


class Similarity(NamedTuple):
    """What one scale of two frames has in common, by colour.

    Attributes:
        whole: luminance times contrast times structure.
        contrast: contrast times structure alone.
    """

    whole: Float[Tensor, " c"]
    contrast: Float[Tensor, " c"]


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
        if reference.shape != frames.shape:
            raise ShapeError(
                f"the runs are {reference.shape} and {frames.shape}; MS-SSIM compares equal sizes."
            )
        height, width = frames.shape[1:3]
        if min(height, width) < SMALLEST:
            raise ShapeError(
                f"the frames have {height}x{width} pixels; the five scales of MS-SSIM need {SMALLEST} rows "
                "and columns, and with fewer scales it would be another measure. Leave this clip out."
            )
        for one, other in zip(reference, frames, strict=True):
            self._sum += _ms_ssim(torch.tensor(one), torch.tensor(other))
            self._frames += 1

    def compute(self) -> float:
        """MS-SSIM, from 0 to 1.

        Raises:
            ShapeError: no frame was added.
        """
        if not self._frames:
            raise ShapeError("no frames were compared; MS-SSIM needs at least one. Call update first.")
        return self._sum / self._frames


def _ms_ssim(one: UInt8[Tensor, "H W 3"], other: UInt8[Tensor, "H W 3"]) -> float:
    one, other = (rearrange(each, "H W c -> 1 c H W").float() for each in (one, other))
    product = torch.ones(one.shape[1])
    for weight in WEIGHTS[:-1]:
        product *= _similarity(one, other).contrast.clamp(min=0) ** weight
        one, other = _halve(one), _halve(other)
    product *= _similarity(one, other).whole.clamp(min=0) ** WEIGHTS[-1]
    return float(product.mean())


def _similarity(one: Planes, other: Planes) -> Similarity:
    blurred = _blur(torch.cat([one, other, one * one, other * other, one * other], dim=1))
    mean_one, mean_other, square_one, square_other, product = blurred.chunk(5, dim=1)
    variances = (square_one - mean_one * mean_one) + (square_other - mean_other * mean_other)
    contrast = (2 * (product - mean_one * mean_other) + _CONTRAST) / (variances + _CONTRAST)
    luminance = 2 * mean_one * mean_other + _LUMINANCE
    luminance /= mean_one * mean_one + mean_other * mean_other + _LUMINANCE
    return Similarity(*(each.mean(dim=(0, 2, 3)) for each in (luminance * contrast, contrast)))


def _blur(planes: Planes) -> Float[Tensor, "1 c h w"]:
    """Weigh by the window, without padding."""
    taps = torch.exp(-((torch.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * _SIGMA**2))
    taps /= taps.sum()
    # Each plane as a channel of its own: as a batch of planes this is ten times as slow.
    count = planes.shape[1]
    columns = F.conv2d(planes, repeat(taps, "k -> c 1 k 1", c=count), groups=count)
    return F.conv2d(columns, repeat(taps, "k -> c 1 1 k", c=count), groups=count)


def _halve(planes: Planes) -> Float[Tensor, "1 c h w"]:
    height, width = planes.shape[2:]
    return F.avg_pool2d(planes, 2, padding=(height % 2, width % 2))
