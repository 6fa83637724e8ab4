import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tubelet.errors import OptionError
from tubelet.video.resize import shrink, shrink_to_short_side


def noise(frames: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.data())
def test_a_pixel_is_the_mean_of_all_pixels_that_its_area_touches(height, width, data):
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    frames = noise(2, height, width)
    small = shrink(frames, height=rows, width=columns)
    for i in range(rows):
        for j in range(columns):
            touched = frames[
                :,
                i * height // rows : -(-(i + 1) * height // rows),
                j * width // columns : -(-(j + 1) * width // columns),
            ]
            exact = touched.astype(np.float64).mean(axis=(1, 2))
            assert (np.abs(small[:, i, j] - exact) <= 0.5 + 1e-4).all()


@given(st.integers(1, 20), st.integers(1, 20))
def test_shrinking_to_the_same_size_changes_nothing(height, width):
    frames = noise(1, height, width)
    assert (shrink(frames, height=height, width=width) == frames).all()


@given(st.integers(0, 255), st.integers(1, 20), st.integers(1, 20))
def test_one_colour_stays_that_colour(level, height, width):
    frames = np.full((1, 20, 20, 3), level, np.uint8)
    assert (shrink(frames, height=height, width=width) == level).all()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60))
def test_the_short_side_becomes_what_was_asked_and_never_grows(height, width, side):
    small = shrink_to_short_side(np.zeros((1, height, width, 3), np.uint8), side)
    assert min(small.shape[1:3]) == min(side, height, width)


def test_the_shape_is_kept_within_half_a_pixel():
    assert shrink_to_short_side(np.zeros((1, 1080, 1920, 3), np.uint8), 256).shape == (1, 256, 455, 3)


def test_frames_that_are_small_enough_are_not_even_copied():
    frames = noise(1, 8, 9)
    assert shrink_to_short_side(frames, 8) is frames


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (9, 4), (4, 9), (-1, 4)])
def test_growing_is_refused(size):
    with pytest.raises(OptionError, match="only shrinks"):
        shrink(noise(1, 8, 8), height=size[0], width=size[1])
