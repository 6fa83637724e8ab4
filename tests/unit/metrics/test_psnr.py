import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tubelet.errors import ShapeError
from tubelet.metrics.psnr import ClipPSNR

clips = arrays(np.uint8, (5, 3, 2, 3))


def psnr(*runs: tuple[np.ndarray, np.ndarray]) -> float:
    metric = ClipPSNR()
    for reference, frames in runs:
        metric.update(reference, frames)
    return metric.compute()


def slow(reference: np.ndarray, frames: np.ndarray) -> float:
    error = np.mean((reference.astype(np.float64) - frames.astype(np.float64)) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


@given(clips, clips)
def test_it_is_the_formula_in_double_precision(reference, frames):
    assert psnr((reference, frames)) == pytest.approx(slow(reference, frames), abs=1e-12)


@given(clips, clips, st.permutations(range(5)))
def test_the_order_and_the_cut_of_updates_change_nothing_at_all(reference, frames, order):
    pieces = [(reference[i : i + 1], frames[i : i + 1]) for i in order]
    assert psnr(*pieces) == psnr((reference, frames))


@given(clips, clips)
def test_neither_clip_is_favoured(reference, frames):
    assert psnr((reference, frames)) == psnr((frames, reference))


@given(clips)
def test_equal_clips_are_infinitely_close(clip):
    assert psnr((clip, clip)) == math.inf


def test_the_largest_error_is_zero_decibels():
    black = np.zeros((1, 2, 2, 3), np.uint8)
    assert psnr((black, 255 - black)) == 0


def test_sizes_must_agree():
    update = getattr(ClipPSNR.update, "__wrapped__", ClipPSNR.update)  # as it is without the test hook
    with pytest.raises(ShapeError, match=r"\(1, 2, 2, 3\) and \(1, 2, 3, 3\)"):
        update(ClipPSNR(), np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 3, 3), np.uint8))


def test_no_frames_have_no_quality():
    with pytest.raises(ShapeError, match="needs at least one"):
        ClipPSNR().compute()
