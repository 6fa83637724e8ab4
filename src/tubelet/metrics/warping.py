"""How far each frame of an 8-bit RGB clip is from the one before it, moved by the motion of the reference."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from tubelet.metrics.flow import DISFlow, Flow, Grey, check_size
from tubelet.metrics.runs import check_runs, nothing_compared
from tubelet.types import Frames

Frame = UInt8[np.ndarray, "H W 3"]
Mask = Bool[np.ndarray, "H W"]


class Moment(NamedTuple):
    """What is kept of the frame before."""

    reference: Frame
    frame: Frame
    grey: Grey


class WarpingFigures(NamedTuple):
    """Errors between frames and their warped successors, samples in [0, 1].

    Attributes:
        squared: mean squared error of the clip.
        absolute: mean absolute error of the clip.
        reference_squared: mean squared error of the reference, under the same flow and mask.
        reference_absolute: mean absolute error of the reference.
        visible: share of pixels that were not occluded, in the mean over pairs of frames.
    """

    squared: float
    absolute: float
    reference_squared: float
    reference_absolute: float
    visible: float


class ClipWarpingError:
    """Warping error (Lai et al. 2018, arXiv:1808.00449), with the motion of the reference.

    For consecutive frames, W(y[t+1]) is frame t+1 looked up, bilinearly, where the forward flow f says that
    the pixels of frame t went. With M = 1 where a pixel of frame t is visible in frame t+1,

        E[t] = Σ M · (y[t] - W(y[t+1]))²  /  Σ M

    both sums over pixels and colours (a third of the squared length of the difference of colours), samples in
    [0, 1]. The warping error is the mean of E[t] over the pairs of frames; pairs without a visible pixel are
    left out. Flow and mask come from the reference alone, so that the reference's own error (`figures`) has
    the same terms: what a clip has beyond it is flicker, or detail that does not follow the motion; what it
    has less was smoothed away. The error of the reference is not subtracted.

    A pixel is hidden (Sundaram, Brox & Keutzer 2010; Ruder et al. 2016, arXiv:1604.08610, whom Lai et al.
    follow) where the backward flow b, looked up at p + f(p), does not lead back,

        |f + b|² > 0.01 · (|f|² + |b|²) + 0.5

    or at a boundary of motion, |∇f₁|² + |∇f₂|² > 0.01 · |f|² + 0.002, or where p + f(p) leaves the frame.
    Flow is DIS (`DISFlow`); Lai et al. took FlowNet2, so their values cannot be compared with these.

    Raises:
        OptionError: OpenCV is not installed.
    """

    def __init__(self) -> None:
        self._flow = DISFlow()
        self._sums = np.zeros(4)
        self._visible = 0.0
        self._pairs = 0
        self._pairs_seen = 0
        self._last: Moment | None = None

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before; where a clip is cut into runs does not matter.

        Raises:
            ShapeError: the runs differ in length or size, or in size from those before, or a side of the
                frames is shorter than `tubelet.metrics.flow.SMALLEST`.
        """
        size = None if self._last is None else self._last.frame.shape
        check_runs(reference, frames, measure="the warping error", size=size)
        check_size(*frames.shape[1:3])
        for one, other in zip(reference, frames, strict=True):
            # Copies, for the caller may reuse the memory of a run.
            moment = Moment(np.array(one), np.array(other), self._flow.grey(one))
            if self._last is not None:
                self._add(self._last, moment)
            self._last = moment

    def compute(self) -> float:
        """Mean squared warping error of the clip, samples in [0, 1]; NaN if no pixel was ever visible.

        So it is for a clip of one frame, too, which has no motion.

        Raises:
            ShapeError: no frame was added.
        """
        return self.figures().squared

    def figures(self) -> WarpingFigures:
        """The error of the clip and that of the reference, squared and absolute; NaN as in `compute`.

        Raises:
            ShapeError: no frame was added.
        """
        if self._last is None:
            raise nothing_compared("the warping error")
        errors = self._sums / self._pairs if self._pairs else np.full(4, math.nan)
        visible = self._visible / self._pairs_seen if self._pairs_seen else math.nan
        squared, absolute, reference_squared, reference_absolute = (float(each) for each in errors)
        return WarpingFigures(squared, absolute, reference_squared, reference_absolute, visible)

    def _add(self, before: Moment, after: Moment) -> None:
        forward = self._flow.between(before.grey, after.grey)
        backward = self._flow.between(after.grey, before.grey)
        visible = ~self._hidden(forward, backward)
        self._pairs_seen += 1
        self._visible += float(visible.mean())
        if not visible.any():
            return
        self._pairs += 1
        errors = []
        for one, other in ((before.frame, after.frame), (before.reference, after.reference)):
            warped = self._look_up(other.astype(np.float32), forward)
            difference = (one - warped)[visible].astype(np.float64) / 255
            errors += [np.mean(difference**2), np.mean(np.abs(difference))]
        self._sums += errors

    def _hidden(self, forward: Flow, backward: Flow) -> Mask:
        """Whether a pixel of the first frame has no place in the second, or an uncertain one."""
        height, width = forward.shape[:2]
        returning = self._look_up(backward, forward)
        length = np.square(forward).sum(axis=2)
        mismatch = np.square(forward + returning).sum(axis=2)
        lost = mismatch > 0.01 * (length + np.square(returning).sum(axis=2)) + 0.5
        steepness = sum(np.square(each).sum(axis=2) for each in np.gradient(forward, axis=(0, 1)))
        boundary = steepness > 0.01 * length + 0.002
        places = _places(forward)
        outside = (places < 0).any(axis=2) | (places > (width - 1, height - 1)).any(axis=2)
        return lost | boundary | outside

    def _look_up(self, values: Float32[np.ndarray, "H W c"], flow: Flow) -> Float32[np.ndarray, "H W c"]:
        """What stands where each pixel goes; beyond the frame, what stands at its edge."""
        cv2 = self._flow.cv2
        return cv2.remap(values, _places(flow), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _places(flow: Flow) -> Flow:
    """Where each pixel goes: column and row."""
    rows, columns = np.indices(flow.shape[:2], dtype=np.float32)
    return flow + np.stack([columns, rows], axis=2)
