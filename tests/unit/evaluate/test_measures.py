"""Figures of a clip by many measures at once; what cannot be measured is absent and says why."""

import math

import numpy as np
import pytest

from tubelet.errors import OptionError
from tubelet.evaluate.measurement import Measurement, mean_of
from tubelet.evaluate.measures import CLIP_MEASURES, MEASURES, describe
from tubelet.evaluate.systems.system import Grid
from tubelet.metrics.ssim import ClipSSIM
from tubelet.types import Stride

NAMES = tuple(name for name in CLIP_MEASURES if name != "vmaf")


def noisy(clip: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, deviation, clip.shape)
    return np.clip(np.rint(clip + noise), 0, 255).astype(np.uint8)


def measured(reference, frames, names=NAMES, **more):
    measurement = Measurement(names, **more)
    measurement.update(reference, frames)
    return measurement.compute()


def test_each_figure_is_that_of_its_metric(smooth):
    clip = smooth(3, 161, 165)
    back = noisy(clip, 4)
    found = measured(clip, back)
    assert set(found.figures) | set(found.absent) == set(NAMES)
    for name, figure in found.figures.items():
        metric = MEASURES[name].make()
        metric.update(clip, back)
        assert metric.compute() == figure, name
    assert found.error.psnr() == found.figures["psnr_db"]
    assert len(found.curves["frame_psnr_db"]) == len(found.curves["ssim"]) == 3


def test_what_a_small_clip_does_not_allow_is_absent_and_never_zero(smooth):
    clip = smooth(3, 20, 24)
    found = measured(clip, noisy(clip, 4))
    for name in ("ms_ssim", "tof_px", "warping_error"):
        assert name not in found.figures
        assert "pixels" in found.absent[name]
    assert {"psnr_db", "ssim"} <= set(found.figures)


def test_equal_clips_are_infinitely_good(smooth):
    clip = smooth(2, 20, 24)
    found = measured(clip, clip)
    assert found.figures["psnr_db"] == math.inf
    assert found.error.total == 0


def test_an_extra_that_is_missing_leaves_its_measures_out(smooth, monkeypatch):
    def missing():
        raise OptionError("OpenCV is not installed")

    monkeypatch.setattr("tubelet.metrics.flow.opencv", missing)
    clip = smooth(2, 64, 64)
    found = measured(clip, clip, ("psnr_db", "tof_px"))
    assert found.absent == {"tof_px": "OpenCV is not installed"}


def test_seams_are_looked_for_where_patches_meet(smooth):
    clip = smooth(9, 24, 24)
    back = noisy(clip, 1)
    back[:, 7:9] = noisy(clip[:, 7:9], 40)
    found = measured(clip, back, (), grid=Grid(stride=Stride(4, 8, 8), lead_frame=True))
    assert set(found.figures) == {"seam_time_ratio", "seam_rows_ratio", "seam_columns_ratio"}
    assert found.figures["seam_rows_ratio"] > 20
    assert found.figures["seam_columns_ratio"] < 2
    images = measured(clip, back, (), grid=Grid(stride=Stride(1, 2, 2), lead_frame=False))
    assert not images.figures


def test_a_network_of_the_user_is_one_more_measure(smooth):
    def distance(reference, video):
        return (reference - video).abs().mean()

    clip = smooth(2, 20, 24)
    found = measured(clip, noisy(clip, 5), ("psnr_db",), networks={"lpips": distance})
    assert found.figures["lpips"] > 0
    assert len(found.curves["lpips"]) == 2
    assert describe(["lpips"])["lpips"]["group"] == "detail"


def test_windows_are_a_clip_by_their_mean(smooth):
    clip = smooth(6, 20, 24)
    back = noisy(clip, 3)
    parts = [measured(clip[i : i + 3], back[i : i + 3], ("psnr_db", "ssim")) for i in (0, 3)]
    found = mean_of(parts)
    assert found.figures["psnr_db"] == sum(part.figures["psnr_db"] for part in parts) / 2
    whole = measured(clip, back, ("psnr_db", "ssim"))
    assert found.error == whole.error
    assert found.curves == whole.curves
    single = ClipSSIM()
    single.update(clip, back)
    assert found.figures["ssim"] == pytest.approx(single.compute())


def test_every_measure_says_what_it_is():
    for name, facts in describe(MEASURES).items():
        measure = MEASURES[name]
        assert facts["says"], name
        assert measure.heading and measure.heading == measure.heading.strip(), name
        assert facts["better"] or measure.group in {"rate", "speed"}, name
        assert (measure.make is not None) == (measure.source == "clip"), name
        assert bool(measure.network) == (measure.source in {"network", "set"}), name
        assert not measure.like or MEASURES[measure.like].better == measure.better, name


def test_figures_are_shown_in_their_unit_with_their_digits():
    assert MEASURES["psnr_db"].shown(29.996) == "30.00"
    assert MEASURES["warping_error"].shown(0.00123) == "12.30"
    assert MEASURES["both_mpx_per_s"].shown(1234.5) == "1.23e+03"
    assert MEASURES["peak_mib"].shown(12345.6) == "12346"
