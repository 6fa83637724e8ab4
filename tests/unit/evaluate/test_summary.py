"""Figures of many clips as one."""

import math
from statistics import fmean

import numpy as np
import pytest

from tubelet.evaluate.summary import interval, summarise


def clip(psnr: float, *, error: tuple[int, int] = (100, 10), **more):
    figures = {"psnr_db": psnr} | more
    rate = {"bits_per_pixel": psnr / 100}
    times = {"seconds_encode": 1.0, "seconds_decode": 2.0}
    return {"figures": figures, "squared_error": list(error), "rate": rate, "pixels": 10**6} | times


CLIPS = {"a": clip(30.0), "b": clip(34.0, error=(900, 30)), "c": clip(38.0), "d": {"error": "VideoError: …"}}


def test_a_mean_lies_within_its_interval_and_more_clips_narrow_it():
    random = np.random.default_rng(0)
    few, many = (interval(random.normal(30, 2, size).tolist(), seed=1) for size in (10, 1000))
    for found in (few, many):
        assert found["low"] < found["mean"] < found["high"]
    assert many["high"] - many["low"] < (few["high"] - few["low"]) / 3
    assert many["high"] - many["low"] == pytest.approx(2 * 1.96 * 2 / 1000**0.5, rel=0.15)


def test_the_seed_decides_the_interval():
    values = [30.0, 31.5, 36.0, 28.0]
    assert interval(values, seed=3) == interval(values, seed=3)
    assert interval(values, seed=3) != interval(values, seed=4)


def test_an_interval_of_one_clip_has_no_width():
    assert interval([30.0], seed=0) == {"mean": 30.0, "low": 30.0, "high": 30.0, "clips": 1, "exact": 0}


def test_clips_without_error_are_counted_and_hide_no_others():
    found = interval([30.0, math.inf, 32.0], seed=0)
    assert found == interval([30.0, 32.0], seed=0) | {"exact": 1}
    assert interval([math.inf, math.inf], seed=0)["mean"] == math.inf


def test_failed_clips_are_counted_and_left_out():
    found = summarise(CLIPS, {}, seed=0)
    assert found["failed"] == 1
    whole = found["all"]
    assert whole["clips"] == 3
    assert whole["detail"]["psnr_db"]["mean"] == fmean([30, 34, 38])
    assert whole["detail"]["pooled_psnr_db"]["mean"] == pytest.approx(10 * math.log10(255**2 * 50 / 1100))
    assert whole["rate"]["bits_per_pixel"]["mean"] == pytest.approx(0.34)
    assert whole["speed"]["megapixels_per_second_decode"] == pytest.approx(0.5)


def test_tags_split_the_figures():
    tags = {
        "a": {"motion": "low", "kind": "camera"},
        "b": {"motion": "high", "kind": "camera"},
        "d": {"kind": "screen"},
    }
    found = summarise(CLIPS, tags, seed=0)["by_tag"]
    assert {value: part["clips"] for value, part in found["motion"].items()} == {"high": 1, "low": 1}
    assert list(found["motion"]) == ["low", "high"]
    assert list(found["kind"]) == ["camera"]
    assert found["kind"]["camera"]["detail"]["psnr_db"]["mean"] == 32


def test_a_measure_that_some_clips_lack_is_the_mean_of_the_others():
    clips = {"a": clip(30.0, ssim=0.9), "b": clip(31.0)}
    found = summarise(clips, {}, seed=0)["all"]
    assert found["detail"]["ssim"] == {"mean": 0.9, "low": 0.9, "high": 0.9, "clips": 1, "exact": 0}
    assert "motion_fidelity" not in found


def test_nothing_at_all_has_no_figures():
    assert summarise({"d": CLIPS["d"]}, {}, seed=0)["all"] == {"clips": 0}
