import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tubelet.errors import ShapeError
from tubelet.metrics.difference import ClipDifferencePSNR
from tubelet.metrics.psnr import ClipPSNR

clips = arrays(np.uint8, (5, 3, 2, 3))


def psnr(*runs: tuple[np.ndarray, np.ndarray], metric: type = ClipDifferencePSNR) -> float:
    measured = metric()
    for reference, frames in runs:
        measured.update(reference, frames)
    return measured.compute()


def slow(reference: np.ndarray, frames: np.ndarray) -> float:
    expected, found = (np.diff(each.astype(np.float64), axis=0) for each in (reference, frames))
    error = np.mean((expected - found) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


@given(clips, clips)
def test_it_is_the_formula_in_double_precision(reference, frames):
    assert psnr((reference, frames)) == pytest.approx(slow(reference, frames), abs=1e-12)


@given(clips, clips, st.sets(st.integers(0, 5)))
def test_the_cut_of_updates_changes_nothing_at_all(reference, frames, cuts):
    edges = [0, *sorted(cuts), 5]
    runs = [(reference[i:j], frames[i:j]) for i, j in pairwise(edges)]
    assert psnr(*runs) == psnr((reference, frames))


@given(clips, clips)
def test_neither_clip_is_favoured(reference, frames):
    assert psnr((reference, frames)) == psnr((frames, reference))


@given(clips, arrays(np.uint8, (3, 2, 3)))
def test_an_error_that_stands_still_costs_nothing(clip, error):
    reference, error = clip // 2, error // 2
    assert psnr((reference, reference + error)) == math.inf


@given(arrays(np.uint8, (1, 3, 2, 3)), arrays(np.uint8, (1, 3, 2, 3)))
def test_one_frame_has_no_motion_and_no_figure(reference, frame):
    assert math.isnan(psnr((reference, frame)))


def test_independent_errors_cost_three_decibels_more_than_in_psnr():
    random = np.random.default_rng(0)
    reference = np.full((40, 16, 16, 3), 128, np.uint8)
    frames = reference + random.integers(0, 9, reference.shape, dtype=np.uint8) - 4
    lost = psnr((reference, frames), metric=ClipPSNR) - psnr((reference, frames))
    assert lost == pytest.approx(10 * math.log10(2), abs=0.1)


def test_the_largest_error_is_counted_in_full():
    black = np.zeros((2, 2, 2, 3), np.uint8)
    black[1] = 255
    assert psnr((black, 255 - black)) == pytest.approx(-20 * math.log10(2))


def test_sizes_must_agree():
    update = getattr(
        ClipDifferencePSNR.update, "__wrapped__", ClipDifferencePSNR.update
    )  # without the test hook
    with pytest.raises(ShapeError, match=r"\(1, 2, 2, 3\) and \(1, 2, 3, 3\)"):
        update(ClipDifferencePSNR(), np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 3, 3), np.uint8))


def test_a_clip_has_one_size():
    small, large = np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 3, 3), np.uint8)
    with pytest.raises(ShapeError, match=r"\(2, 3, 3\) and those before \(2, 2, 3\)"):
        psnr((small, small), (large, large))


def test_no_frames_have_no_quality():
    with pytest.raises(ShapeError, match="needs at least one"):
        ClipDifferencePSNR().compute()
