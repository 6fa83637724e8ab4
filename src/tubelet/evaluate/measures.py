"""Every measure of a reconstructed clip, in one visible table, and a clip's figures by them.

What a clip or a machine does not allow is absent, with the reason, and never a zero.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from tubelet.errors import OptionError, ShapeError, VideoError
from tubelet.evaluate.sets import SET_GROUP, SETS
from tubelet.evaluate.systems.system import Grid
from tubelet.metrics.difference import ClipDifferencePSNR
from tubelet.metrics.first_last import ClipEndsGap
from tubelet.metrics.flicker import ClipFlicker
from tubelet.metrics.ms_ssim import ClipMSSSIM
from tubelet.metrics.perceptual import ClipFrameDistance, FrameDistance
from tubelet.metrics.psnr import ClipPSNR, FramePSNR, SquaredError
from tubelet.metrics.seams import ClipBoundaryError
from tubelet.metrics.ssim import ClipSSIM
from tubelet.metrics.tof import ClipTOF
from tubelet.metrics.vmaf import ClipVMAF
from tubelet.metrics.warping import ClipWarpingError
from tubelet.types import Frames

Group = Literal["detail", "temporal_consistency", "motion_fidelity", "seams"]
"""What a measure is about; figures of different groups are never added up."""


@runtime_checkable
class ClipMetric(Protocol):
    """Anything that compares a clip with its reference run by run."""

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before."""
        ...

    def compute(self) -> float:
        """The figure of the clip."""
        ...


@runtime_checkable
class ByFrame(Protocol):
    """A metric that knows the value of every frame too."""

    def values(self) -> list[float]:
        """The value of each frame so far, in order."""
        ...


class Measure(NamedTuple):
    """A measure.

    Attributes:
        group: what it is about.
        better: which way is better: more, less, or nearer to 0 or to 1.
        says: what it is, in words; its class says more.
        make: starts measuring a clip.
    """

    group: Group
    better: Literal["more", "less", "0", "1"]
    says: str
    make: Callable[[], ClipMetric]


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "psnr_db": Measure(
            "detail",
            "more",
            "10 log10(255² / mean squared error over the clip's RGB); null where nothing differs",
            ClipPSNR,
        ),
        "frame_psnr_db": Measure("detail", "more", "mean over the frames of the PSNR of each", FramePSNR),
        "ssim": Measure("detail", "more", "of RGB, Gaussian window of 11, mean over the frames", ClipSSIM),
        "ms_ssim": Measure("detail", "more", "of RGB, five scales, mean over the frames", ClipMSSSIM),
        "vmaf": Measure("detail", "more", "libvmaf, vmaf_v0.6.1, frames at their size, mean", ClipVMAF),
        "flicker_levels": Measure(
            "temporal_consistency",
            "0",
            "change between frames where the reference stands still, less the reference's, levels of 255",
            ClipFlicker,
        ),
        "warping_error": Measure(
            "temporal_consistency",
            "less",
            "mean squared error to the next frame warped by the reference's motion (DIS), samples in [0, 1]",
            ClipWarpingError,
        ),
        "ends_gap_db": Measure(
            "temporal_consistency", "0", "PSNR of the first frame less that of the last", ClipEndsGap
        ),
        "difference_psnr_db": Measure(
            "motion_fidelity", "more", "PSNR of the differences of consecutive frames", ClipDifferencePSNR
        ),
        "tof_px": Measure(
            "motion_fidelity",
            "less",
            "mean distance of the optical flows (OpenCV DIS, MEDIUM) of both clips, pixels",
            ClipTOF,
        ),
    }
)
"""Every measure that needs no weights, by name; units are in the names."""

NEEDS_WEIGHTS: Mapping[str, str] = MappingProxyType(
    {"lpips": "LPIPS on VGG-16, mean over the frames", "dists": "DISTS, mean over the frames"}
)
"""Measures of detail that exist only where their weights do, by name; less is better."""

SEAMS: Mapping[str, str] = MappingProxyType(
    {
        "seam_time_ratio": "at the first frames of latent steps",
        "seam_rows_ratio": "between rows at the borders of patches",
        "seam_columns_ratio": "between columns at the borders of patches",
    }
)
"""Mean squared error at the grid of a tokenizer over that elsewhere, 1 without seams; if there is a grid."""


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
        names: from `MEASURES`.
        grid: where seams may be; they are not measured for none.
        networks: distances that need weights, by name from `NEEDS_WEIGHTS`.

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
        makers: dict[str, Callable[[], ClipMetric]] = {name: _find(name).make for name in names}
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


def describe(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What measures are, for readers of their figures."""
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        if name in MEASURES:
            measure = MEASURES[name]
            found[name] = {"group": measure.group, "better": measure.better, "says": measure.says}
        elif name in NEEDS_WEIGHTS:
            found[name] = {"group": "detail", "better": "less", "says": NEEDS_WEIGHTS[name]}
        elif name in SETS:
            found[name] = {"group": SET_GROUP, "better": "less", "says": SETS[name].says}
        else:
            says = f"mean squared error {SEAMS[name]} over that elsewhere"
            found[name] = {"group": "seams", "better": "1", "says": says}
    return found


def _find(name: str) -> Measure:
    if name not in MEASURES:
        raise OptionError(f"there is no measure {name!r}; there are {', '.join(MEASURES)}.")
    return MEASURES[name]


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
