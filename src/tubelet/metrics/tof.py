"""Distance between the motion of 8-bit RGB clips, by optical flow."""

from types import ModuleType
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from tubelet.errors import OptionError, ShapeError
from tubelet.types import Frames

SMALLEST = 48
"""Rows and columns that a frame needs: on smaller ones the flow picks other settings, or crashes."""

Grey = UInt8[np.ndarray, "H W"]


class Pair(NamedTuple):
    """The same frame of both clips, grey."""

    reference: Grey
    frame: Grey


class ClipTOF:
    """tOF (TecoGAN: Chu et al. 2020): how far the motion of a clip is from that of its reference, in pixels.

    Optical flow is taken between consecutive frames of the reference, and between the same frames of the
    other clip; tOF is the length of the difference of the two flows, in the mean over all pixels and pairs of
    frames. Flow comes from OpenCV's DIS (Kroeger et al. 2016), preset MEDIUM, on grey frames (BT.601 luma).
    TecoGAN took Farnebäck's and left out a border: values by other flows cannot be compared with these.

    Raises:
        OptionError: OpenCV is not installed.
    """

    def __init__(self) -> None:
        self._cv2 = _opencv()
        self._flow = self._cv2.DISOpticalFlow_create(self._cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._sum = 0.0
        self._pairs = 0
        self._last: Pair | None = None

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before; where a clip is cut into runs does not matter.

        Raises:
            ShapeError: the runs differ in length or size, or in size from those before, or a side of the
                frames is shorter than `SMALLEST`.
        """
        if reference.shape != frames.shape:
            raise ShapeError(f"the runs are {reference.shape} and {frames.shape}; tOF compares equal sizes.")
        self._check_size(*frames.shape[1:3])
        for one, other in zip(reference, frames, strict=True):
            pair = Pair(self._grey(one), self._grey(other))
            if self._last is not None:
                expected = self._flow_between(self._last.reference, pair.reference)
                found = self._flow_between(self._last.frame, pair.frame)
                self._sum += float(np.linalg.norm(found - expected, axis=2).mean(dtype=np.float64))
                self._pairs += 1
            self._last = pair

    def compute(self) -> float:
        """Distance in pixels per frame; 0 for equal clips, and for a clip of one frame, which has no motion.

        Raises:
            ShapeError: no frame was added.
        """
        if self._last is None:
            raise ShapeError("no frames were compared; tOF needs at least one. Call update first.")
        return self._sum / max(1, self._pairs)

    def _check_size(self, height: int, width: int) -> None:
        if min(height, width) < SMALLEST:
            raise ShapeError(
                f"the frames have {height}x{width} pixels; optical flow needs {SMALLEST} rows and columns. "
                "Leave this clip out."
            )
        if self._last is not None and (height, width) != self._last.frame.shape:
            before = "x".join(map(str, self._last.frame.shape))
            raise ShapeError(
                f"the frames have {height}x{width} pixels and those before {before}; the frames of a clip "
                "have one size. Use one ClipTOF per clip."
            )

    def _grey(self, frame: UInt8[np.ndarray, "H W 3"]) -> Grey:
        return self._cv2.cvtColor(np.ascontiguousarray(frame), self._cv2.COLOR_RGB2GRAY)

    def _flow_between(self, first: Grey, second: Grey) -> Float32[np.ndarray, "H W 2"]:
        return self._flow.calc(first, second, None)


def _opencv() -> ModuleType:
    try:
        import cv2  # noqa: PLC0415  an extra, needed only here
    except ImportError as error:
        raise OptionError(
            "OpenCV is not installed; tOF takes its optical flow from there. Install it with "
            "`pip install 'tubelet[flow]'`."
        ) from error
    return cv2
