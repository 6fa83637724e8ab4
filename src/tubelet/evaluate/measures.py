"""Every measure, in one visible table: its name, its unit, which way is better, and how it is computed.

Whatever measures, sums up, describes, prints or draws reads this table.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from tubelet.metrics.difference import ClipDifferencePSNR
from tubelet.metrics.first_last import ClipEndsGap
from tubelet.metrics.flicker import ClipFlicker
from tubelet.metrics.ms_ssim import ClipMSSSIM
from tubelet.metrics.psnr import ClipPSNR, FramePSNR
from tubelet.metrics.spectrum import ClipTopOctave
from tubelet.metrics.ssim import ClipSSIM
from tubelet.metrics.tof import ClipTOF
from tubelet.metrics.vmaf import ClipVMAF
from tubelet.metrics.warping import ClipWarpingError
from tubelet.types import Frames

RUN = 16
"""Frames that a network of a measure of sets sees together; VideoMAE takes no other number."""

ENOUGH = 2048
"""Runs from which on an FVD is what papers mean by it: the distance of smaller sets is larger."""


@runtime_checkable
class ClipMetric(Protocol):
    """Anything that compares a clip with its reference run by run."""

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before."""
        ...

    def compute(self) -> float:
        """The figure of the clip."""
        ...


class Measure(NamedTuple):
    """A measure.

    Attributes:
        name: as results have it; its end is the unit.
        group: what it is about; figures of different groups are never added up.
        title: what a column of it is called, without the unit.
        unit: of what is shown.
        digits: how many are shown after the point.
        better: which way is better: more, less, or nearer to 0 or to 1; an empty text for a cost, which is no
            quality.
        source: who computes it. ``clip``: `make`, for each clip. ``network``: the network of that name, for
            each clip, where there are weights. ``seam``: wherever a system has a grid. ``set``: `network`,
            for all clips together. ``summary``: follows from figures of clips. ``bench``: `tubelet bench`.
        make: starts measuring a clip, where the source is ``clip``.
        network: whose weights it needs; an empty text for none.
        times: what figures are multiplied by where they are shown; the unit says so.
        like: the measure whose way of being better counts, for a figure that follows from it.
        where: ``table``: in every table and plot; ``page``: on the page of a report too; ``bench``: in tables
            of benchmarks.
        significant: whether `digits` counts all digits instead, for figures of any size.
        says: what it is, in words; its class says more.
    """

    name: str
    group: str
    title: str
    unit: str
    digits: int
    better: Literal["more", "less", "0", "1", ""]
    source: Literal["clip", "network", "seam", "set", "summary", "bench"]
    make: Callable[[], ClipMetric] | None = None
    network: str = ""
    times: float = 1.0
    like: str = ""
    where: Literal["table", "page", "bench"] = "table"
    significant: bool = False
    says: str = ""

    @property
    def heading(self) -> str:
        """What a column of it is called."""
        return f"{self.title} {self.unit}".strip()

    def shown(self, value: float) -> str:
        """A figure as it is shown."""
        return f"{self.times * value:.{self.digits}{'g' if self.significant else 'f'}}"


_SEAM = "mean squared error {} over that elsewhere"

_WAY = (
    f"every whole run of {RUN} frames that was reconstructed at once, of all clips together, frames resized "
    f"to 224x224 (bilinear, no antialiasing); of fewer than {ENOUGH} runs it is none to compare with papers"
)

_DETAIL, _TIME, _MOTION = "detail", "temporal_consistency", "motion_fidelity"

# One row each: name, group, title, unit, digits, better, source, what makes it; then in words.
# fmt: off
_ROWS = (
    Measure("psnr_db", _DETAIL, "PSNR", "dB", 2, "more", "clip", ClipPSNR,
        says="10 log10(255² / mean squared error over the clip's RGB); null where nothing differs"),
    Measure("pooled_psnr_db", _DETAIL, "pooled", "dB", 2, "more", "summary", like="psnr_db",
        says="PSNR of the squared error of all samples of all clips together"),
    Measure("frame_psnr_db", _DETAIL, "frame PSNR", "dB", 2, "more", "clip", FramePSNR, where="page",
        says="mean over the frames of the PSNR of each"),
    Measure("ssim", _DETAIL, "SSIM", "", 4, "more", "clip", ClipSSIM,
        says="of RGB, Gaussian window of 11, mean over the frames"),
    Measure("ms_ssim", _DETAIL, "MS-SSIM", "", 4, "more", "clip", ClipMSSSIM,
        says="of RGB, five scales, mean over the frames"),
    Measure("vmaf", _DETAIL, "VMAF", "", 2, "more", "clip", ClipVMAF,
        says="libvmaf, vmaf_v0.6.1, frames at their size, mean"),
    Measure("top_octave_ratio", _DETAIL, "top octave", "", 3, "1", "clip", ClipTopOctave,
        says="power of the frames at 1/4 to 1/2 cycles per pixel over the reference's"),
    Measure("lpips", _DETAIL, "LPIPS", "", 4, "less", "network", network="lpips",
        says="LPIPS on VGG-16, mean over the frames"),
    Measure("dists", _DETAIL, "DISTS", "", 4, "less", "network", network="dists",
        says="DISTS, mean over the frames"),
    Measure("flicker_levels", _TIME, "flicker", "levels", 3, "0", "clip", ClipFlicker,
        says="change between frames where the reference stands still, less the reference's, levels of 255"),
    Measure("warping_error", _TIME, "warping", "10⁻⁴", 2, "less", "clip", ClipWarpingError, times=1e4,
        says="mean squared error to the next frame warped by the reference's motion (DIS), "
        "samples in [0, 1]"),
    Measure("ends_gap_db", _TIME, "ends gap", "dB", 2, "0", "clip", ClipEndsGap,
        says="PSNR of the first frame less that of the last"),
    Measure("rfvd_i3d", _TIME, "rFVD I3D", "", 2, "less", "set", network="i3d",
        says=f"Fréchet distance of clips and reconstructions in the logits of I3D: {_WAY}"),
    Measure("rfvd_videomae", _TIME, "rFVD VideoMAE", "", 2, "less", "set", network="videomae",
        says="Fréchet distance of clips and reconstructions in what a fine-tuned VideoMAE classifies by, "
        f"from values in [0, 1]: {_WAY}"),
    Measure("difference_psnr_db", _MOTION, "motion", "dB", 2, "more", "clip", ClipDifferencePSNR,
        says="PSNR of the differences of consecutive frames"),
    Measure("tof_px", _MOTION, "tOF", "px", 3, "less", "clip", ClipTOF,
        says="mean distance of the optical flows (OpenCV DIS, MEDIUM) of both clips, pixels"),
    Measure("seam_time_ratio", "seams", "in time", "", 3, "1", "seam", where="page",
        says=_SEAM.format("at the first frames of latent steps")),
    Measure("seam_rows_ratio", "seams", "rows", "", 3, "1", "seam", where="page",
        says=_SEAM.format("between rows at the borders of patches")),
    Measure("seam_columns_ratio", "seams", "columns", "", 3, "1", "seam", where="page",
        says=_SEAM.format("between columns at the borders of patches")),
    Measure("numbers_per_pixel", "rate", "", "numbers/px", 4, "", "summary",
        says="numbers of the latent over pixels"),
    Measure("bits_per_pixel", "rate", "", "bits/px", 4, "", "summary",
        says="bits on disk over pixels"),
    Measure("nominal_bits_per_pixel", "rate", "nominal", "bits/px", 4, "", "summary", where="page",
        says="log2 of the codebook of every token, over pixels"),
    Measure("entropy_bits_per_pixel", "rate", "entropy", "bits/px", 4, "", "summary", where="page",
        says="zeroth-order entropy of the symbols, over pixels"),
    Measure("1", "drift_psnr_db", "1 pass", "dB", 2, "more", "summary", like="psnr_db", where="page",
        says="psnr_db after one reconstruction"),
    Measure("2", "drift_psnr_db", "2 passes", "dB", 2, "more", "summary", like="psnr_db", where="page",
        says="psnr_db after the reconstruction of a reconstruction"),
    Measure("5", "drift_psnr_db", "5 passes", "dB", 2, "more", "summary", like="psnr_db", where="page",
        says="psnr_db after five reconstructions, each of the last"),
    Measure("10", "drift_psnr_db", "10 passes", "dB", 2, "more", "summary", like="psnr_db", where="page",
        says="psnr_db after ten reconstructions, each of the last"),
    Measure("megapixels_per_second_encode", "speed", "encode", "Mpx/s", 2, "", "summary", where="page",
        says="pixels of all clips over the time to encode them, whatever else the machine did"),
    Measure("megapixels_per_second_decode", "speed", "decode", "Mpx/s", 2, "", "summary", where="page",
        says="pixels of all clips over the time to decode them, whatever else the machine did"),
    Measure("encode_mpx_per_s", "cost", "encode", "Mpx/s", 3, "more", "bench", where="bench",
        significant=True, says="pixels of a clip over the time to encode it"),
    Measure("decode_mpx_per_s", "cost", "decode", "Mpx/s", 3, "more", "bench", where="bench",
        significant=True, says="pixels of a clip over the time to decode it"),
    Measure("both_mpx_per_s", "cost", "both", "Mpx/s", 3, "more", "bench", where="bench",
        significant=True, says="pixels of a clip over the time to encode and decode it"),
    Measure("first_frame_seconds", "cost", "first frame", "s", 3, "less", "bench", where="bench",
        significant=True, says="from the first frame given to the first one got back"),
    Measure("peak_mib", "cost", "peak", "MiB", 0, "less", "bench", where="bench",
        says="memory at most"),
    Measure("mflop_per_pixel", "cost", "", "MFLOP/px", 3, "less", "bench", where="bench",
        significant=True, says="operations of encoding and decoding, two per multiplication of a weight"),
)
# fmt: on

MEASURES: Mapping[str, Measure] = MappingProxyType({each.name: each for each in _ROWS})
"""Every measure, by name, in the order in which tables show them."""


def measures_of(source: str) -> Mapping[str, Measure]:
    """The measures that one source computes, by name; see `Measure.source`."""
    return MappingProxyType({name: each for name, each in MEASURES.items() if each.source == source})


CLIP_MEASURES = measures_of("clip")
"""The measures of a clip that need no weights."""

SET_MEASURES = measures_of("set")
"""The measures of a set of clips, which no clip has by itself; each exists where its network has weights."""


def describe(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What measures are, for readers of their figures."""
    found = {name: MEASURES[name] for name in names}
    return {
        name: {"group": each.group, "better": each.better, "says": each.says} for name, each in found.items()
    }
