import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import peak_signal_noise_ratio

from tubelet.errors import ShapeError
from tubelet.metrics.first_last import ClipEndsGap

clips = arrays(np.uint8, (5, 3, 2, 3))


def gap(*runs: tuple[np.ndarray, np.ndarray]) -> float:
    metric = ClipEndsGap()
    for reference, frames in runs:
        metric.update(reference, frames)
    return metric.compute()


def test_it_is_the_difference_of_what_scikit_image_computes():
    reference, frames = np.random.default_rng(0).integers(0, 256, (2, 4, 7, 9, 3)).astype(np.uint8)
    first, last = (peak_signal_noise_ratio(reference[t], frames[t]) for t in (0, -1))
    # Both are the same formula, in exact integers here and in float64 there.
    assert gap((reference, frames)) == pytest.approx(first - last, abs=1e-12)


@given(clips, clips, st.integers(0, 5))
def test_the_cut_of_updates_changes_nothing_at_all(reference, frames, cut):
    assert gap((reference[:cut], frames[:cut]), (reference[cut:], frames[cut:])) == gap((reference, frames))


@given(clips, clips)
def test_a_clip_played_backwards_has_the_opposite_gap(reference, frames):
    assert gap((reference[::-1], frames[::-1])) == -gap((reference, frames))


def test_ten_times_the_error_at_the_end_is_a_gap_of_twenty_decibels():
    reference = np.zeros((3, 2, 2, 3), np.uint8)
    frames = reference + np.array([3, 200, 30], np.uint8)[:, None, None, None]
    assert gap((reference, frames)) == pytest.approx(20)


def test_exact_ends_have_no_gap_and_one_exact_end_an_infinite_one():
    reference = np.zeros((3, 2, 2, 3), np.uint8)
    frames = reference + np.array([0, 1, 0], np.uint8)[:, None, None, None]
    assert gap((reference, frames)) == 0
    assert gap((reference[:2], frames[:2])) == math.inf
    assert gap((reference[1:], frames[1:])) == -math.inf


@given(clips, clips)
def test_one_frame_has_no_gap(reference, frames):
    assert gap((reference[:1], frames[:1])) == 0


def test_sizes_must_agree():
    update = getattr(ClipEndsGap.update, "__wrapped__", ClipEndsGap.update)  # as it is without the test hook
    with pytest.raises(ShapeError, match=r"\(1, 2, 2, 3\) and \(1, 2, 3, 3\)"):
        update(ClipEndsGap(), np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 3, 3), np.uint8))


def test_no_frames_have_no_gap():
    with pytest.raises(ShapeError, match="needs at least one"):
        ClipEndsGap().compute()
