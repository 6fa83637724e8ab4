import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import peak_signal_noise_ratio

from tubelet.errors import ShapeError
from tubelet.metrics.psnr import ClipPSNR, FramePSNR, SquaredError, pooled_psnr

clips = arrays(np.uint8, (5, 3, 2, 3))


def measured(metric, *runs: tuple[np.ndarray, np.ndarray]):
    for reference, frames in runs:
        metric.update(reference, frames)
    return metric


def slow(reference: np.ndarray, frames: np.ndarray) -> list[float]:
    errors = [np.mean((x.astype(float) - y) ** 2) for x, y in zip(reference, frames, strict=True)]
    return [10 * math.log10(255**2 / error) if error else math.inf for error in errors]


@given(clips, clips)
def test_every_frame_has_the_formula_in_double_precision(reference, frames):
    assert measured(FramePSNR(), (reference, frames)).values() == pytest.approx(
        slow(reference, frames), abs=1e-12
    )


def test_every_frame_has_what_scikit_image_computes():
    reference, frames = np.random.default_rng(0).integers(0, 256, (2, 4, 7, 9, 3)).astype(np.uint8)
    oracle = [peak_signal_noise_ratio(x, y) for x, y in zip(reference, frames, strict=True)]
    metric = measured(FramePSNR(), (reference, frames))
    # Both are the same formula, in exact integers here and in float64 there.
    assert metric.values() == pytest.approx(oracle, abs=1e-12)
    assert metric.compute() == pytest.approx(np.mean(oracle), abs=1e-12)


@given(clips, clips, st.integers(0, 5))
def test_the_cut_of_updates_changes_nothing_at_all(reference, frames, cut):
    whole = measured(FramePSNR(), (reference, frames))
    parts = measured(FramePSNR(), (reference[:cut], frames[:cut]), (reference[cut:], frames[cut:]))
    assert parts.values() == whole.values()
    assert parts.compute() == whole.compute()


@given(clips, clips)
def test_it_is_never_below_the_psnr_of_the_clip(reference, frames):
    by_frame = measured(FramePSNR(), (reference, frames)).compute()
    assert by_frame >= measured(ClipPSNR(), (reference, frames)).compute() - 1e-9


def test_one_exact_frame_makes_the_mean_infinite():
    reference = np.zeros((2, 2, 2, 3), np.uint8)
    frames = reference + np.array([0, 255], np.uint8)[:, None, None, None]
    metric = measured(FramePSNR(), (reference, frames))
    assert metric.values() == [math.inf, 0]
    assert metric.compute() == math.inf


@given(st.lists(st.tuples(clips, clips), min_size=1, max_size=3))
def test_pooling_clips_is_one_measurement_that_saw_them_all(pairs):
    single = [measured(ClipPSNR(), pair).error for pair in pairs]
    assert pooled_psnr(single) == measured(ClipPSNR(), *pairs).compute()


def test_a_clip_weighs_as_much_as_it_has_samples():
    assert pooled_psnr([SquaredError(0, 300), SquaredError(100 * 65025, 100)]) == pytest.approx(
        10 * math.log10(4)
    )


def test_no_clips_have_no_quality():
    for clips_without_samples in ([], [SquaredError(0, 0)]):
        with pytest.raises(ShapeError, match="no samples to pool"):
            pooled_psnr(clips_without_samples)


def test_sizes_must_agree():
    update = getattr(FramePSNR.update, "__wrapped__", FramePSNR.update)  # as it is without the test hook
    with pytest.raises(ShapeError, match=r"\(1, 2, 2, 3\) and \(1, 2, 3, 3\); PSNR compares equal sizes"):
        update(FramePSNR(), np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 3, 3), np.uint8))


def test_no_frames_have_no_quality():
    with pytest.raises(ShapeError, match="needs at least one"):
        FramePSNR().compute()
