"""A clip's figures by several measures at once.

What a clip or a machine does not allow is absent, with the reason, and never a zero.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from tubelet.errors import OptionError, ShapeError, VideoError
from tubelet.evaluate.measures import CLIP_MEASURES, ClipMetric
from tubelet.evaluate.systems.system import Grid
from tubelet.metrics.perceptual import ClipFrameDistance, FrameDistance
from tubelet.metrics.psnr import ClipPSNR, SquaredError
from tubelet.metrics.seams import ClipBoundaryError
from tubelet.types import Frames


@runtime_checkable
class ByFrame(Protocol):
    """A metric that knows the value of every frame too."""

    def values(self) -> list[float]:
        """The value of each frame so far, in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was found on a clip.

    Attributes:
        figures: by name of the measure; infinite where there is no error to divide by.
        curves: values of each frame, by name.
        absent: why a measure has no figure here, by name.
        error: squared error of all samples, for pooling.
    """

    figures: dict[str, float]
    curves: dict[str, list[float]]
    absent: dict[str, str]
    error: SquaredError


class Measurement:
    """Measures a clip by several measures at once, run by run.

    Args:
        names: from `CLIP_MEASURES`.
        grid: where seams may be; they are not measured for none.
        networks: distances that need weights, by name of the measure.

    Raises:
        OptionError: a name is unknown.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        grid: Grid | None = None,
        networks: Mapping[str, FrameDistance] = MappingProxyType({}),
    ) -> None:
        self._error = ClipPSNR()
        self._metrics: dict[str, ClipMetric] = {}
        self._absent: dict[str, str] = {}
        self._frames = 0
        makers: dict[str, Callable[[], ClipMetric]] = {name: _maker(name) for name in names}
        makers |= {
            name: partial(ClipFrameDistance, network, measure=name.upper())
            for name, network in networks.items()
        }
        if grid is not None:
            makers |= _seams(grid)
        for name, make in makers.items():
            try:
                self._metrics[name] = make()
            except OptionError as error:
                self._absent[name] = str(error)

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before.

        Raises:
            ShapeError: the runs differ in length or size.
        """
        self._error.update(reference, frames)
        for name, metric in list(self._metrics.items()):
            try:
                metric.update(reference, frames)
            except (ShapeError, VideoError) as error:
                self._leave_out(name, str(error))

    def compute(self) -> Measured:
        """All figures.

        Raises:
            ShapeError: no frame was added.
        """
        self._error.compute()
        figures: dict[str, float] = {}
        curves: dict[str, list[float]] = {}
        for name, metric in list(self._metrics.items()):
            try:
                value = metric.compute()
            except VideoError as error:
                self._leave_out(name, str(error))
                continue
            if math.isnan(value):
                self._leave_out(name, "this clip has nothing that it could be measured on.")
                continue
            figures[name] = value
            if isinstance(metric, ByFrame):
                curves[name] = metric.values()
        return Measured(figures=figures, curves=curves, absent=dict(self._absent), error=self._error.error)

    def _leave_out(self, name: str, why: str) -> None:
        del self._metrics[name]
        self._absent[name] = why


def mean_of(parts: Sequence[Measured]) -> Measured:
    """The figures of a clip from those of its windows: the mean, and none that a window lacks."""
    absent = {name: why for part in reversed(parts) for name, why in part.absent.items()}
    figures: dict[str, float] = {}
    for name in parts[0].figures:
        if name not in absent:
            figures[name] = sum(part.figures[name] for part in parts) / len(parts)
            if math.isnan(figures[name]):
                absent[name] = "its windows are infinitely good and infinitely bad."
                del figures[name]
    total = SquaredError(sum(each.error.total for each in parts), sum(each.error.samples for each in parts))
    return Measured(
        figures=figures,
        curves={
            name: [value for part in parts for value in part.curves[name]]
            for name in parts[0].curves
            if name not in absent
        },
        absent=absent,
        error=total,
    )


def _maker(name: str) -> Callable[[], ClipMetric]:
    """What starts measuring a clip."""
    if name not in CLIP_MEASURES:
        raise OptionError(f"there is no measure {name!r}; there are {', '.join(CLIP_MEASURES)}.")
    make = CLIP_MEASURES[name].make
    assert make is not None, "a measure of clips says how"
    return make


def _seams(grid: Grid) -> dict[str, Callable[[], ClipMetric]]:
    """Ratios along the axes in which patches are long enough to have an inside."""
    stride = grid.stride
    makers: dict[str, Callable[[], ClipMetric]] = {}
    if stride.t >= 2:
        offset = 1 if grid.lead_frame else 0
        makers["seam_time_ratio"] = partial(ClipBoundaryError, stride.t, axis="time", offset=offset)
    if stride.h >= 3:
        makers["seam_rows_ratio"] = partial(ClipBoundaryError, stride.h, axis="rows")
    if stride.w >= 3:
        makers["seam_columns_ratio"] = partial(ClipBoundaryError, stride.w, axis="columns")
    return makers
