import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from tubelet.errors import OptionError, ShapeError
from tubelet.metrics.drift import drift


@pytest.fixture
def clip(smooth) -> np.ndarray:
    return smooth(3, 6, 8)


def darker(frames: np.ndarray) -> np.ndarray:
    return frames - np.uint8(2)


def test_it_is_the_psnr_of_each_pass_against_the_first_clip(clip):
    passes = {n: clip - np.uint8(2 * n) for n in range(1, 11)}
    expected = [peak_signal_noise_ratio(clip, passes[n]) for n in (1, 2, 5, 10)]
    # Both are the same formula, in exact integers here and in float64 there.
    assert drift(darker, clip) == pytest.approx(expected, abs=1e-12)


def test_an_error_that_grows_with_every_pass_costs_twenty_decibels_in_ten(clip):
    first, tenth = drift(darker, clip, passes=(1, 10))
    assert first - tenth == pytest.approx(20)


def test_a_second_pass_that_changes_nothing_costs_nothing(clip):
    values = drift(lambda frames: frames // 4 * 4, clip)
    assert values == [values[0]] * 4
    assert drift(np.copy, clip) == [math.inf] * 4


def test_there_are_as_many_passes_as_the_last_number(clip):
    calls = []
    drift(lambda frames: calls.append(1) or frames, clip, passes=(2, 3))
    assert len(calls) == 3


@pytest.mark.parametrize("passes", [(), (0, 1), (2, 2), (5, 1)])
def test_passes_that_do_not_grow_are_refused(clip, passes):
    with pytest.raises(OptionError, match="each above the one before"):
        drift(darker, clip, passes=passes)


def test_a_clip_that_changes_its_length_is_refused(clip):
    plain = getattr(drift, "__wrapped__", drift)  # as it is without the test hook
    with pytest.raises((ShapeError, TypeError), match=r"\(2, 6, 8, 3\)|T=3"):
        plain(lambda frames: frames[:-1], clip)


def test_no_frames_do_not_drift(clip):
    with pytest.raises(ShapeError, match="needs at least one"):
        drift(darker, clip[:0])
