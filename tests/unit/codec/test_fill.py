"""Positions without channels repeat the step before, within a chunk."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tubelet.codec.fill import fill_from_past


def drawn(seed, steps=6):
    random = np.random.default_rng(seed)
    values = random.integers(-9, 10, (4, steps, 3, 2), dtype=np.int32)
    counts = random.integers(0, 5, (steps, 3, 2)) * random.integers(0, 2, (steps, 3, 2))
    return values, counts


def filled_slowly(values, counts):
    """Look back from every position to where it was stored last."""
    filled, known = np.zeros_like(values), np.zeros_like(counts)
    for step, row, column in np.ndindex(counts.shape):
        stored = [t for t in range(step + 1) if counts[t, row, column]]
        if stored:
            count = counts[stored[-1], row, column]
            filled[:count, step, row, column] = values[:count, stored[-1], row, column]
            known[step, row, column] = count
    return filled, known


@given(st.integers(0, 10**6))
def test_a_position_is_what_was_stored_of_it_last(seed):
    values, counts = drawn(seed)
    filled = fill_from_past(values, counts, None)
    for found, expected in zip(filled[:2], filled_slowly(values, counts), strict=True):
        np.testing.assert_array_equal(found, expected)


@given(st.integers(0, 10**6), st.integers(1, 5))
def test_steps_may_come_in_parts(seed, cut):
    values, counts = drawn(seed)
    whole = fill_from_past(values, counts, None)
    first = fill_from_past(values[:, :cut], counts[:cut], None)
    second = fill_from_past(values[:, cut:], counts[cut:], first.last)
    np.testing.assert_array_equal(np.concatenate([first.values, second.values], axis=1), whole.values)
    np.testing.assert_array_equal(np.concatenate([first.counts, second.counts]), whole.counts)


def test_a_chunk_begins_with_nothing():
    values, counts = np.ones((4, 1, 3, 2), dtype=np.int32), np.zeros((1, 3, 2), dtype=np.int32)
    filled = fill_from_past(values, counts, None)
    assert not filled.values.any()
    assert not filled.counts.any()


def test_symbols_may_be_filled_before_they_are_dequantised():
    values, counts = drawn(3)
    steps = np.linspace(0.5, 2, 4, dtype=np.float32)[:, None, None, None]
    later = fill_from_past(values, counts, None).values * steps
    np.testing.assert_array_equal(later, fill_from_past(values * steps, counts, None).values)


def test_what_is_given_stays_as_it_is():
    values, counts = drawn(1)
    before = values.copy(), counts.copy()
    fill_from_past(values, counts, None)
    np.testing.assert_array_equal(values, before[0])
    np.testing.assert_array_equal(counts, before[1])
