import itertools
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tubelet.video.clock import Clock


class Mark(NamedTuple):
    """A frame as the clock sees it."""

    pts: int | None
    duration: int = 0


def clock() -> Clock:
    return Clock(time_base=Fraction(1, 1000), rate=Fraction(25))


def stamps(marks, watch: Clock | None = None) -> list[int]:
    return [tick for _, tick in (watch or clock()).stamp(iter([Mark(*mark) for mark in marks]))]


def ticks_of(ticks, watch: Clock | None = None) -> list[int]:
    return stamps([(tick,) for tick in ticks], watch)


def repaired(claimed, got) -> int:
    """How many timestamps were changed."""
    return sum(tick != each for each, tick in zip(claimed, got, strict=True))


@given(st.lists(st.tuples(st.none() | st.integers(-100, 100), st.integers(-5, 50))))
def test_timestamps_always_grow(marks):
    given_ = stamps(marks)
    assert len(given_) == len(marks)
    assert all(later > earlier for earlier, later in itertools.pairwise(given_))


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_timestamps_that_grow_are_kept(ticks):
    got = ticks_of(sorted(ticks))
    assert got == sorted(ticks)
    assert repaired(sorted(ticks), got) == 0


@given(st.integers(3, 40), st.data(), st.integers(-(10**9), 10**9) | st.integers(900, 3000))
def test_one_wild_timestamp_costs_one_repair(length, data, wild):
    at = data.draw(st.integers(0, length - 2))
    sound = [1000 + 40 * index for index in range(length)]
    assume(at > 0 or wild != sound[1])  # of two first ones at one time, either may be the wrong one
    claimed = [*sound[:at], wild, *sound[at + 1 :]]
    got = ticks_of(claimed)
    assert [tick for index, tick in enumerate(got) if index != at] == sound[:at] + sound[at + 1 :]
    assert repaired(claimed, got) <= 1


@pytest.mark.parametrize("at", range(1, 7))
def test_a_timestamp_that_is_the_next_one_s_gives_way_to_it(at):
    sound = list(range(1000, 1320, 40))
    claimed = [*sound[:at], sound[at + 1], *sound[at + 1 :]]
    got = ticks_of(claimed)
    assert got == sound
    assert repaired(claimed, got) == 1


@pytest.mark.parametrize("wild", [(3_600_000, 3_600_040), (-7, 1), (9_000_000, -5)])
def test_two_wild_timestamps_side_by_side_cost_two(wild):
    sound = list(range(0, 2000, 40))
    claimed = [*sound[:20], *wild, *sound[22:]]
    got = ticks_of(claimed)
    assert got == sound
    assert repaired(claimed, got) == 2


@pytest.mark.parametrize("first", [2, 3, 50])
def test_a_clock_that_starts_again_goes_on(first):
    claimed = [*range(0, 40 * first, 40), *range(0, 2000, 40)]
    got = ticks_of(claimed)
    assert got == list(range(0, 40 * first + 2000, 40))
    assert repaired(claimed, got) == 50


def test_a_clock_that_starts_again_keeps_its_gaps():
    assert ticks_of([0, 100, 300, 350, 0, 10, 300, 320]) == [0, 100, 300, 350, 390, 400, 690, 710]


def test_a_long_gap_is_no_fault():
    ticks = [0, 40, 80, 4_000_000, 4_000_040]
    assert ticks_of(ticks) == ticks


def test_a_missing_timestamp_follows_the_last_by_its_duration():
    got = stamps([(None, 30), (None, 0), (None, -1)])
    assert got == [0, 30, 70]
    assert repaired([None] * 3, got) == 2 + 1


def test_a_missing_timestamp_falls_before_the_next_that_is_known():
    assert ticks_of([0, None, None, 60, 100]) == [0, 20, 40, 60, 100]
    assert ticks_of([None, None, 100]) == [20, 60, 100]


def test_without_a_rate_a_repair_is_one_tick():
    watch = Clock(time_base=Fraction(1, 25), rate=None)
    assert ticks_of([7, 7], watch) == [7, 8]


def test_few_frames_are_held_back():
    taken = itertools.count()
    frames = (Mark(40 * next(taken)) for _ in range(100))
    for index, _ in enumerate(clock().stamp(frames)):
        assert next(taken) <= 4 + 2 * index


def unspaced() -> Clock:
    """A clock of packets, of which several may have one time."""
    return Clock(time_base=Fraction(1, 1000), rate=None, apart=0)


@given(st.lists(st.integers(-100, 10**6), max_size=40))
def test_times_that_never_go_back_are_kept_where_several_may_be_alike(ticks):
    got = ticks_of(sorted(ticks), unspaced())
    assert got == sorted(ticks)
    assert repaired(sorted(ticks), got) == 0


@given(st.lists(st.tuples(st.none() | st.integers(-100, 100), st.integers(-5, 50))))
def test_times_never_go_back_where_several_may_be_alike(marks):
    given_ = stamps(marks, unspaced())
    assert len(given_) == len(marks)
    assert given_ == sorted(given_)


def test_many_alike_do_not_run_ahead_of_their_clock():
    ticks = [tick for tick in range(200) for _ in range(3)]
    wild = [*ticks[:100], 10**9, *ticks[101:]]
    assert ticks_of(wild, unspaced())[101:] == ticks[101:]
