import math
import sys
from itertools import pairwise

import numpy as np
import pytest

from tubelet.errors import OptionError, ShapeError
from tubelet.metrics.flow import SMALLEST
from tubelet.metrics.tof import ClipTOF

HEIGHT, WIDTH, LENGTH = 64, 80, 4


def moving(down: int, right: int, *, frames: int = LENGTH) -> np.ndarray:
    """A texture that moves by whole pixels from frame to frame."""
    field = np.random.default_rng(0).normal(size=(HEIGHT + 20, WIDTH + 20, 3))
    for axis in (0, 1) * 4:
        field = field + np.roll(field, 1, axis)
    field = np.clip(128 + 50 * field / field.std(), 0, 255).astype(np.uint8)
    starts = [(10 - down * t, 10 - right * t) for t in range(frames)]
    return np.stack([field[y : y + HEIGHT, x : x + WIDTH] for y, x in starts])


def tof(*runs: tuple[np.ndarray, np.ndarray]) -> float:
    metric = ClipTOF()
    for reference, frames in runs:
        metric.update(reference, frames)
    return metric.compute()


def test_a_clip_moves_like_itself():
    clip = moving(1, 2)
    assert tof((clip, clip)) == 0


@pytest.mark.parametrize(("down", "right"), [(0, 1), (2, 0), (-1, 2), (3, -3)])
def test_against_stillness_it_is_the_length_of_the_motion(down, right):
    length = math.hypot(down, right)
    assert tof((moving(0, 0), moving(down, right))) == pytest.approx(length, rel=0.1)
    assert tof((moving(down, right), moving(0, 0))) == pytest.approx(length, rel=0.1)


def test_between_two_motions_it_is_the_length_of_their_difference():
    assert tof((moving(1, 2), moving(1, -1))) == pytest.approx(3, rel=0.1)


def test_another_place_with_the_same_motion_costs_little():
    clip = moving(1, 2, frames=LENGTH + 1)
    assert tof((clip[:-1], clip[1:])) < 0.1


def test_two_clips_that_stand_still_move_alike():
    assert tof((moving(0, 0), 255 - moving(0, 0))) < 0.01


@pytest.mark.parametrize("cuts", [(1,), (2, 2), (1, 2, 3), (0, 3)])
def test_the_cut_of_updates_changes_nothing_at_all(cuts):
    reference, frames = moving(1, 2), moving(0, 1)
    edges = [0, *cuts, LENGTH]
    runs = [(reference[i:j], frames[i:j]) for i, j in pairwise(edges)]
    assert tof(*runs) == tof((reference, frames))


def test_views_and_locked_frames_will_do():
    reference, frames = moving(1, 2), moving(0, 1)
    wide = np.repeat(reference, 2, axis=2)[:, :, ::2]
    wide.setflags(write=False)
    assert tof((wide, frames)) == tof((reference, frames))


def test_one_frame_has_no_motion_and_no_figure():
    assert math.isnan(tof((moving(0, 0, frames=1), moving(0, 0, frames=1) // 2)))


def test_the_smallest_frames_are_measured_and_smaller_ones_refused():
    clip = moving(1, 1)
    assert tof((clip[:, :SMALLEST, :SMALLEST],) * 2) == 0
    with pytest.raises(ShapeError, match="47x64 pixels; optical flow needs 48"):
        tof((clip[:, :, : SMALLEST - 1],) * 2)


def test_a_clip_has_one_size():
    clip = moving(0, 0)
    with pytest.raises(ShapeError, match=r"\(64, 70, 3\) and those before \(64, 80, 3\)"):
        tof((clip, clip), (clip[:, :, :70],) * 2)


def test_sizes_must_agree():
    update = getattr(ClipTOF.update, "__wrapped__", ClipTOF.update)  # as it is without the test hook
    with pytest.raises(ShapeError, match=r"\(4, 64, 80, 3\) and \(3, 64, 80, 3\)"):
        update(ClipTOF(), moving(0, 0), moving(0, 0, frames=3))


def test_no_frames_have_no_motion():
    with pytest.raises(ShapeError, match="needs at least one"):
        ClipTOF().compute()


def test_without_opencv_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(OptionError, match=r"pip install 'tubelet\[flow\]'"):
        ClipTOF()
