"""Structural similarity of 8-bit RGB clips."""

from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from tubelet.errors import ShapeError
from tubelet.metrics.runs import check_runs, nothing_compared
from tubelet.types import Frames

WINDOW = 11
"""Rows and columns of the Gaussian window; a frame needs as many."""

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


class ClipSSIM:
    """SSIM (Wang, Bovik, Sheikh and Simoncelli 2004, eq. 13), the mean over frames; 1 for equal clips.

    Every colour of a frame is compared under a Gaussian window of 11x11 and standard deviation 1.5, only
    where the whole window lies in the frame, with K1 = 0.01, K2 = 0.03 and range 255, at full size; then
    comes the mean over positions, colours and frames. This is what scikit-image computes with
    ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``. FFmpeg's filter ``ssim`` takes blocks
    of 8x8, libvmaf's ``float_ssim`` a smaller picture, and both of them luma: their numbers are others.
    """

    def __init__(self) -> None:
        self._values: list[float] = []

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before.

        Raises:
            ShapeError: the runs differ in length or size, or a side of the frames is shorter than `WINDOW`.
        """
        check_runs(reference, frames, measure="SSIM")
        height, width = frames.shape[1:3]
        if min(height, width) < WINDOW:
            raise ShapeError(
                f"the frames have {width}x{height} pixels; the window of SSIM needs {WINDOW} rows and "
                "columns. Leave this clip out."
            )
        for one, other in zip(reference, frames, strict=True):
            self._values.append(float(similarity(planes(one), planes(other)).whole.mean()))

    def values(self) -> list[float]:
        """SSIM of each frame so far, in order."""
        return list(self._values)

    def compute(self) -> float:
        """The mean over frames, from -1 to 1.

        Raises:
            ShapeError: no frame was added.
        """
        if not self._values:
            raise nothing_compared("SSIM")
        return sum(self._values) / len(self._values)


def planes(frame: UInt8[np.ndarray, "H W 3"]) -> Planes:
    """The colours of a frame as float32, 0 to 255."""
    return rearrange(torch.tensor(frame), "H W c -> 1 c H W").float()


def similarity(one: Planes, other: Planes) -> Similarity:
    """Compare two frames at one scale: the mean over the positions of the window, by colour."""
    blurred = _blur(torch.cat([one, other, one * one, other * other, one * other], dim=1))
    mean_one, mean_other, square_one, square_other, product = blurred.chunk(5, dim=1)
    variances = (square_one - mean_one * mean_one) + (square_other - mean_other * mean_other)
    contrast = (2 * (product - mean_one * mean_other) + _CONTRAST) / (variances + _CONTRAST)
    luminance = 2 * mean_one * mean_other + _LUMINANCE
    luminance /= mean_one * mean_one + mean_other * mean_other + _LUMINANCE
    return Similarity(*(each.mean(dim=(0, 2, 3)) for each in (luminance * contrast, contrast)))


def _blur(colours: Planes) -> Float[Tensor, "1 c h w"]:
    """Weigh by the window, without padding."""
    places = torch.arange(WINDOW, dtype=colours.dtype)
    taps = torch.exp(-((places - WINDOW // 2) ** 2) / (2 * _SIGMA**2))
    taps /= taps.sum()
    # Each plane as a channel of its own: as a batch of planes this is ten times as slow.
    count = colours.shape[1]
    columns = F.conv2d(colours, repeat(taps, "k -> c 1 k 1", c=count), groups=count)
    return F.conv2d(columns, repeat(taps, "k -> c 1 1 k", c=count), groups=count)
