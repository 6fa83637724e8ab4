"""Optical flow of 8-bit RGB frames, from OpenCV."""

from types import ModuleType

import numpy as np
from jaxtyping import Float32, UInt8

from tubelet.errors import OptionError, ShapeError

SMALLEST = 48
"""Rows and columns that a frame needs: on smaller ones the flow picks other settings, or crashes."""

Grey = UInt8[np.ndarray, "H W"]

Flow = Float32[np.ndarray, "H W 2"]
"""Where each pixel goes: columns to the right, rows downwards."""


class DISFlow:
    """Optical flow by OpenCV's DIS (Kroeger et al. 2016), preset MEDIUM, on grey frames (BT.601 luma).

    Raises:
        OptionError: OpenCV is not installed.
    """

    def __init__(self) -> None:
        self.cv2 = opencv()
        self._flow = self.cv2.DISOpticalFlow_create(self.cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def grey(self, frame: UInt8[np.ndarray, "H W 3"]) -> Grey:
        """The luma of a frame."""
        return self.cv2.cvtColor(np.ascontiguousarray(frame), self.cv2.COLOR_RGB2GRAY)

    def between(self, first: Grey, second: Grey) -> Flow:
        """Where the pixels of the first frame are in the second."""
        return self._flow.calc(first, second, None)


def check_size(height: int, width: int) -> None:
    """Raise unless frames are large enough.

    Raises:
        ShapeError: a side is shorter than `SMALLEST`.
    """
    if min(height, width) < SMALLEST:
        raise ShapeError(
            f"the frames have {width}x{height} pixels; optical flow needs {SMALLEST} rows and columns. "
            "Leave this clip out."
        )


def opencv() -> ModuleType:
    """OpenCV, which is an extra.

    Raises:
        OptionError: it is not installed.
    """
    try:
        import cv2  # noqa: PLC0415  an extra, needed only here
    except ImportError as error:
        raise OptionError(
            "OpenCV is not installed; optical flow is taken from there. Install it with "
            "`pip install 'tubelet[flow]'`."
        ) from error
    return cv2
