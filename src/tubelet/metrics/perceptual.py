"""Perceptual distances of 8-bit RGB clips, frame by frame, with whatever network the user has weights for.

LPIPS, from a file of weights: ``ClipFrameDistance(read_lpips(path, sha256=...), measure="LPIPS")``, with
`tubelet.perceptual.lpips_weights`; DISTS likewise with `tubelet.perceptual.dists_weights`. Where there are no
weights there is no figure: nothing stands in for them.
"""

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from tubelet.metrics.runs import check_runs, nothing_compared
from tubelet.types import Frames, Video
from tubelet.video.pixels import to_model


@runtime_checkable
class FrameDistance(Protocol):
    """Anything that gives one number for two videos: the mean over frames, each with its own."""

    def __call__(self, reference: Video, video: Video, /) -> Float[Tensor, ""]:
        """Compare videos, RGB in [-1, 1]; what scaling it needs, it does itself."""
        ...


class ClipFrameDistance:
    """The mean over frames of a distance between frames, such as LPIPS or DISTS; 0 for equal clips.

    Frames are compared one at a time, at their full size, in float32, and each by itself: motion is not seen.

    Args:
        distance: compares frames; it is not changed, so freeze it and set its mode before.
        measure: its name, for errors.
        device: where the distance computes; frames are moved there.
    """

    def __init__(self, distance: FrameDistance, *, measure: str, device: torch.device | str = "cpu") -> None:
        self._distance = distance
        self._measure = measure
        self._device = torch.device(device)
        self._values: list[float] = []

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before.

        Raises:
            ShapeError: the runs differ in length or size, or the distance needs larger frames.
        """
        check_runs(reference, frames, measure=self._measure)
        with torch.no_grad():
            for t in range(len(frames)):
                one, other = (to_model(each[t : t + 1]).to(self._device) for each in (reference, frames))
                self._values.append(float(self._distance(one, other)))

    def values(self) -> list[float]:
        """The distance of each frame so far, in order."""
        return list(self._values)

    def compute(self) -> float:
        """The mean over frames.

        Raises:
            ShapeError: no frame was added.
        """
        if not self._values:
            raise nothing_compared(self._measure)
        return math.fsum(self._values) / len(self._values)
