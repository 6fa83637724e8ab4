import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tubelet.errors import OptionError, ShapeError
from tubelet.metrics.seams import Axis, ClipBoundaryError

SIZE = (7, 8, 10, 3)
clips = arrays(np.uint8, SIZE, elements=st.integers(0, 9))
axes = st.sampled_from(["time", "rows", "columns"])


def boundary_error_ratio(
    reference: np.ndarray, frames: np.ndarray, *, period: int, axis: Axis, offset: int = 0
) -> float:
    metric = ClipBoundaryError(period, axis=axis, offset=offset)
    metric.update(reference, frames)
    return metric.compute()


def slow(reference: np.ndarray, frames: np.ndarray, period: int, axis: str, offset: int) -> float:
    """Positions sorted into border and elsewhere, one by one."""
    number = ("time", "rows", "columns").index(axis)
    length = SIZE[number]
    borders = [b for b in range(offset, length, period) if b > 0]
    touched = set(borders) if axis == "time" else set(borders) | {b - 1 for b in borders}
    ends = {0} if axis == "time" else {0, length - 1}
    errors = np.moveaxis((frames.astype(float) - reference) ** 2, number, 0)
    border = [errors[p].mean() for p in range(length) if p in touched - ends]
    elsewhere = [errors[p].mean() for p in range(length) if p not in touched | ends]
    if not border or not elsewhere or not (np.mean(border) or np.mean(elsewhere)):
        return math.nan
    return np.mean(border) / np.mean(elsewhere) if np.mean(elsewhere) else math.inf


@given(clips, clips, axes, st.integers(3, 9), st.integers(0, 8))
def test_it_is_the_definition_with_positions_sorted_one_by_one(reference, frames, axis, period, offset):
    offset %= period
    expected = slow(reference, frames, period, axis, offset)
    found = boundary_error_ratio(reference, frames, period=period, axis=axis, offset=offset)
    assert found == pytest.approx(expected, rel=1e-12, nan_ok=True)


@given(clips, clips, axes, st.sets(st.integers(0, 7)))
def test_the_cut_of_updates_changes_nothing_at_all(reference, frames, axis, cuts):
    metric = ClipBoundaryError(4, axis=axis, offset=1)
    for i, j in pairwise([0, *sorted(cuts), 7]):
        metric.update(reference[i:j], frames[i:j])
    whole = boundary_error_ratio(reference, frames, period=4, axis=axis, offset=1)
    assert metric.compute() == pytest.approx(whole, abs=0, nan_ok=True)


@pytest.mark.parametrize("axis", ["time", "rows", "columns"])
def test_errors_that_know_of_no_border_have_one(axis):
    frames = np.random.default_rng(0).integers(0, 21, (33, 32, 32, 3)).astype(np.uint8)
    ratio = boundary_error_ratio(np.full_like(frames, 10), frames, period=8, axis=axis)
    assert ratio == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_twice_the_error_on_both_sides_of_a_border_is_a_ratio_of_four(axis):
    reference = np.zeros((1, 24, 24, 3), np.uint8)
    frames = reference + 10
    for line in (7, 8, 15, 16):
        frames[:, line] = 20
    if axis == "columns":
        frames = frames.swapaxes(1, 2)
    assert boundary_error_ratio(reference, frames, period=8, axis=axis) == 4
    other = "columns" if axis == "rows" else "rows"
    assert boundary_error_ratio(reference, frames, period=8, axis=other) == 1


def test_the_frames_own_edge_is_no_seam():
    reference = np.zeros((1, 24, 24, 3), np.uint8)
    frames = reference + 10
    frames[:, [0, -1]] = 200
    assert boundary_error_ratio(reference, frames, period=8, axis="rows") == 1


def test_the_first_frames_of_groups_are_found_after_a_first_frame_that_stands_alone():
    reference = np.zeros((9, 2, 2, 3), np.uint8)
    errors = np.array([200, 20, 10, 10, 10, 20, 10, 10, 10], np.uint8)
    frames = reference + errors[:, None, None, None]
    assert boundary_error_ratio(reference, frames, period=4, axis="time", offset=1) == 4


def test_without_any_error_or_any_border_there_is_no_ratio():
    clip = np.zeros(SIZE, np.uint8)
    assert math.isnan(boundary_error_ratio(clip, clip, period=4, axis="rows"))
    assert math.isnan(boundary_error_ratio(clip, clip + 1, period=8, axis="rows"))


def test_errors_at_borders_alone_are_infinitely_worse():
    reference, frames = np.zeros((2, *SIZE), np.uint8)
    frames[:, 4] = 1
    assert boundary_error_ratio(reference, frames, period=4, axis="rows") == math.inf


@pytest.mark.parametrize(("period", "axis"), [(2, "rows"), (2, "columns"), (1, "time"), (0, "time")])
def test_a_period_that_leaves_nothing_elsewhere_is_refused(period, axis):
    with pytest.raises(OptionError, match=f"the period is {period}; along {axis}"):
        ClipBoundaryError(period, axis=axis)


def test_an_offset_beyond_the_period_is_refused():
    with pytest.raises(OptionError, match="the offset is 8; with period 8 it is from 0 to 7"):
        ClipBoundaryError(8, axis="rows", offset=8)


def test_a_clip_has_one_size():
    metric = ClipBoundaryError(4, axis="rows")
    metric.update(*[np.zeros((1, 2, 2, 3), np.uint8)] * 2)
    with pytest.raises(ShapeError, match=r"\(2, 3, 3\) and those before \(2, 2, 3\)"):
        metric.update(*[np.zeros((1, 2, 3, 3), np.uint8)] * 2)


def test_no_frames_have_no_ratio():
    with pytest.raises(ShapeError, match="needs at least one"):
        ClipBoundaryError(4, axis="rows").compute()
