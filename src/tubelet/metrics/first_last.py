"""How much worse a clip's last frame is than its first."""

from tubelet.metrics.psnr import SquaredError, squared_error
from tubelet.metrics.runs import check_runs, nothing_compared
from tubelet.types import Frames


class ClipEndsGap:
    """PSNR of a clip's first frame minus PSNR of its last, in dB; above 0 if the end is worse.

    PSNR is that of a frame by itself, 10·log10(255² / MSE). What a tokenizer that carries errors on loses
    over a clip shows here; but so does content that grows harder, so compare over many clips.
    """

    def __init__(self) -> None:
        self._first: SquaredError | None = None
        self._last: SquaredError | None = None

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before.

        Raises:
            ShapeError: the runs differ in length or size.
        """
        check_runs(reference, frames, measure="the gap between the ends")
        if not len(frames):
            return
        if self._first is None:
            self._first = SquaredError(squared_error(reference[0], frames[0]), frames[0].size)
        self._last = SquaredError(squared_error(reference[-1], frames[-1]), frames[-1].size)

    def compute(self) -> float:
        """The gap in dB; 0 if both are exact, infinite if one is, its sign that of a gap; 0 for one frame.

        Raises:
            ShapeError: no frame was added.
        """
        if self._first is None or self._last is None:
            raise nothing_compared("the gap between the ends")
        first, last = self._first.psnr(), self._last.psnr()
        # Infinity minus infinity is not a number, but two exact frames are equally good.
        return 0.0 if first == last else first - last
