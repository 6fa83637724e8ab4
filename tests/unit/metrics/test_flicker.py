import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tubelet.errors import OptionError, ShapeError
from tubelet.metrics.flicker import ClipFlicker

nearly_still = arrays(np.uint8, (5, 3, 2, 3), elements=st.integers(100, 105))
clips = arrays(np.uint8, (5, 3, 2, 3))


def measured(*runs: tuple[np.ndarray, np.ndarray], threshold: int = 2) -> ClipFlicker:
    metric = ClipFlicker(threshold=threshold)
    for reference, frames in runs:
        metric.update(reference, frames)
    return metric


def flicker(*runs: tuple[np.ndarray, np.ndarray], threshold: int = 2) -> float:
    return measured(*runs, threshold=threshold).compute()


def slow(reference: np.ndarray, frames: np.ndarray, threshold: int) -> float:
    changes = []
    for t in range(len(frames) - 1):
        for y in range(frames.shape[1]):
            for x in range(frames.shape[2]):
                before, after = reference[t, y, x].astype(int), reference[t + 1, y, x].astype(int)
                if max(abs(after - before)) <= threshold:
                    found = abs(frames[t + 1, y, x].astype(int) - frames[t, y, x])
                    changes.extend(found - abs(after - before))
    return float(np.mean(changes)) if changes else math.nan


@given(nearly_still, clips, st.integers(0, 5))
def test_it_is_the_definition_written_out_in_loops(reference, frames, threshold):
    expected = slow(reference, frames, threshold)
    assert flicker((reference, frames), threshold=threshold) == pytest.approx(expected, nan_ok=True)


@given(nearly_still, clips, st.sets(st.integers(0, 5)))
def test_the_cut_of_updates_changes_nothing_at_all(reference, frames, cuts):
    runs = [(reference[i:j], frames[i:j]) for i, j in pairwise([0, *sorted(cuts), 5])]
    assert flicker(*runs) == pytest.approx(flicker((reference, frames)), nan_ok=True, abs=0)


@given(nearly_still)
def test_a_clip_does_not_flicker_against_itself(clip):
    assert flicker((clip, clip)) == pytest.approx(0, nan_ok=True)


def test_an_error_that_stands_still_does_not_flicker():
    reference = np.full((4, 5, 6, 3), 128, np.uint8)
    error = np.random.default_rng(0).integers(0, 100, (5, 6, 3)).astype(np.uint8)
    assert flicker((reference, reference + error)) == 0


def test_noise_that_was_smoothed_away_counts_below_zero():
    noisy = 128 + np.arange(4, dtype=np.uint8)[:, None, None, None] % 2 * np.ones((1, 5, 6, 3), np.uint8)
    assert flicker((noisy, np.full_like(noisy, 128))) == -1


def test_what_moves_is_left_out():
    reference, frames = np.zeros((2, 2, 4, 8, 3), np.uint8)
    reference[1, :, 4:] = 200
    frames[1, :, 4:] = 50
    frames[1, :, :4, 1] = 6
    assert flicker((reference, frames)) == 2


def test_one_colour_that_changes_is_a_change():
    reference = np.zeros((2, 1, 1, 3), np.uint8)
    reference[1, 0, 0, 2] = 3
    assert math.isnan(flicker((reference, reference)))
    assert flicker((reference, reference), threshold=3) == 0


def test_where_nothing_stands_still_there_is_no_figure():
    moving = np.array([0, 255], np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    assert math.isnan(flicker((moving, moving)))


def test_one_frame_cannot_flicker_and_has_no_figure():
    frame = np.zeros((1, 4, 4, 3), np.uint8)
    assert math.isnan(flicker((frame, frame)))


def test_a_threshold_below_zero_is_refused():
    with pytest.raises(OptionError, match="threshold is -1"):
        ClipFlicker(threshold=-1)


def test_a_clip_has_one_size():
    small, large = np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 3, 3), np.uint8)
    with pytest.raises(ShapeError, match=r"\(2, 3, 3\) and those before \(2, 2, 3\)"):
        flicker((small, small), (large, large))


def test_no_frames_do_not_flicker():
    with pytest.raises(ShapeError, match="flicker needs at least one"):
        ClipFlicker().compute()
