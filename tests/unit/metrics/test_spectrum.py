"""The share of the finest detail: as much of it as in the reference, wherever it lies."""

import math

import numpy as np
import pytest

from tubelet.errors import ShapeError
from tubelet.metrics.spectrum import ClipTopOctave


def ratio(reference, frames):
    metric = ClipTopOctave()
    metric.update(reference, frames)
    return metric.compute()


def noise(seed, amplitude=40.0, shape=(2, 64, 48, 3)):
    random = np.random.default_rng(seed)
    return (128 + amplitude * random.standard_normal(shape)).clip(0, 255).astype(np.uint8)


def stripes(period, amplitude=40, axis=2):
    place = np.arange(48 if axis == 2 else 64)
    wave = 128 + amplitude * np.sin(2 * np.pi * place / period)
    shape = (1, 1, 48, 1) if axis == 2 else (1, 64, 1, 1)
    return np.broadcast_to(wave.reshape(shape), (2, 64, 48, 3)).round().astype(np.uint8)


def test_equal_clips_have_as_much_of_it():
    assert ratio(noise(0), noise(0)) == 1


def test_other_noise_of_the_same_power_has_as_much():
    assert ratio(noise(0), noise(1)) == pytest.approx(1, abs=0.05)


def test_half_the_contrast_has_a_quarter():
    assert ratio(stripes(3), stripes(3, amplitude=20)) == pytest.approx(0.25, abs=0.02)


def test_a_blurred_clip_has_less_and_a_noisy_one_more():
    clip = noise(0, amplitude=20.0)
    blurred = ((clip.astype(float) + np.roll(clip, 1, axis=1) + np.roll(clip, 1, axis=2)) / 3).astype(
        np.uint8
    )
    assert ratio(clip, blurred) < 0.6
    assert ratio(blurred, clip) > 1.6


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize(("period", "counts"), [(2.5, True), (4, True), (6, False), (12, False)])
def test_only_patterns_of_two_to_four_pixels_count(axis, period, counts):
    flat = np.full((2, 64, 48, 3), 128, dtype=np.uint8)
    fine = stripes(3)
    found = ratio(fine, stripes(period, axis=axis).clip(0, 255))
    assert (found > 0.4) == counts
    assert ratio(fine, flat) == 0


def test_runs_are_one_clip():
    metric = ClipTopOctave()
    for frame in range(2):
        metric.update(noise(0)[frame : frame + 1], noise(1)[frame : frame + 1])
    assert metric.compute() == pytest.approx(ratio(noise(0), noise(1)), rel=1e-12)


def test_what_has_no_fine_detail_has_no_ratio():
    flat = np.full((1, 1, 1, 3), 7, dtype=np.uint8)
    assert math.isnan(ratio(flat, flat))
    with pytest.raises(ShapeError, match="no frames were compared"):
        ClipTopOctave().compute()
