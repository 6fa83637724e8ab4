import pytest
from hypothesis import given
from hypothesis import strategies as st

from tubelet.interop.frame_rules import Lengths

rules = st.builds(
    Lengths,
    first=st.integers(1, 40),
    step=st.integers(1, 20),
    positions=st.integers(1, 10),
    positions_per_step=st.integers(1, 5),
    lost=st.integers(0, 12),
)


@given(rule=rules, length=st.integers(1, 200))
def test_the_filled_length_is_the_smallest_permitted_one_that_loses_nothing(rule, length):
    permitted = [rule.first + rule.step * n for n in range(300)]
    assert rule.filled(length) == next(each for each in permitted if each - rule.lost >= length)


@given(rule=rules, length=st.integers(1, 200))
def test_what_comes_back_is_never_shorter_than_the_clip(rule, length):
    assert rule.decoded(length) >= length


@given(rule=rules, length=st.integers(1, 200))
def test_a_filled_clip_needs_no_more_filling(rule, length):
    whole = rule.decoded(length)
    assert whole < 1 or rule.filled(whole) == rule.filled(length)


@pytest.mark.parametrize(
    ("frames", "filled", "steps"), [(1, 1, 1), (2, 5, 2), (5, 5, 2), (8, 9, 3), (9, 9, 3)]
)
def test_a_led_rule_of_four_is_one_and_fours(frames, filled, steps):
    rule = Lengths.led(4)
    assert (rule.filled(frames), rule.latent(frames)) == (filled, steps)


@pytest.mark.parametrize(("side", "filled", "cells"), [(1, 16, 2), (16, 16, 2), (17, 24, 3)])
def test_multiples_of_eight_may_start_at_two(side, filled, cells):
    rule = Lengths.multiples(8, least=2)
    assert (rule.filled(side), rule.latent(side)) == (filled, cells)
