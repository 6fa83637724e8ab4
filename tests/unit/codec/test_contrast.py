"""Errors count less where there is contrast: weights of a step follow from its own frames alone."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tubelet.codec.contrast import ContrastWeights, check_contrast
from tubelet.errors import OptionError
from tubelet.tokenizers.grouping import Grouping
from tubelet.types import Stride

GROUPING = Grouping(stride=Stride(2, 4, 4), lead_frame=True)

shapes = st.tuples(st.integers(1, 9), st.integers(1, 13), st.integers(1, 13))


def make_frames(shape, seed):
    """Noise of a strength of its own in each column."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, random.uniform(0, 60, (1, 1, shape[2], 3)), (*shape, 3))
    return (128 + noise).clip(0, 255).astype(np.uint8)


def weights_of(frames, contrast=0.25, *, runs=(), grouping=GROUPING):
    """The weights of a clip that comes in runs that end at these frames."""
    made = ContrastWeights(grouping, contrast)
    for run in np.split(frames, sorted(runs)):
        made.push_frames(run)
    made.finish()
    return made.take(grouping.steps(len(frames)))


@given(shapes, st.integers(0, 99), st.lists(st.integers(0, 9), max_size=4))
def test_weights_do_not_depend_on_how_runs_are_cut(shape, seed, runs):
    frames = make_frames(shape, seed)
    np.testing.assert_array_equal(weights_of(frames, runs=runs), weights_of(frames))


@given(shapes, st.integers(0, 99), st.sampled_from([0.25, 1.0]), st.booleans())
def test_a_weight_is_a_power_of_the_variance_over_the_geometric_mean_of_its_step(
    shape, seed, contrast, lead_frame
):
    grouping = Grouping(stride=GROUPING.stride, lead_frame=lead_frame)
    frames = make_frames(shape, seed).astype(np.float64)
    found = weights_of(frames.astype(np.uint8), contrast, grouping=grouping)
    assert found.shape == grouping.grid(*shape)
    for step in range(len(found)):
        group = frames[grouping.first_frame(step) : grouping.first_frame(step + 1)]
        expected = np.empty(found.shape[1:])
        for row, column in product(*map(range, expected.shape)):
            cell = group[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            variance = np.mean([cell[..., colour].var() for colour in range(3)])
            expected[row, column] = (variance + (0.03 * 255) ** 2) ** -contrast
        np.testing.assert_allclose(found[step], expected / np.exp(np.log(expected).mean()), rtol=1e-9)


@given(shapes, st.integers(0, 99), st.integers(0, 8))
def test_weights_know_neither_the_past_nor_the_future(shape, seed, changed):
    frames = make_frames(shape, seed)
    other = frames.copy()
    other[changed % len(frames)] ^= 255 - np.uint8(seed)
    same = np.arange(GROUPING.steps(len(frames))) != GROUPING.step_of(changed % len(frames))
    np.testing.assert_array_equal(weights_of(frames)[same], weights_of(other)[same])


@given(shapes, st.integers(0, 99))
def test_without_contrast_all_errors_count_alike(shape, seed):
    assert (weights_of(make_frames(shape, seed), 0.0) == 1).all()


def test_what_is_flat_has_no_variance_however_bright_it_is():
    frames = np.full((3, 256, 256, 3), 255, np.uint8)
    frames[:, :, 128:] = 1
    grouping = Grouping(stride=Stride(8, 128, 128), lead_frame=False)
    np.testing.assert_array_equal(weights_of(frames, 1.0, grouping=grouping), np.ones((1, 2, 2)))


@pytest.mark.parametrize("contrast", [-0.1, 1.01, float("nan")])
def test_a_contrast_out_of_range_is_refused(contrast):
    with pytest.raises(OptionError, match="between 0"):
        check_contrast(contrast)
