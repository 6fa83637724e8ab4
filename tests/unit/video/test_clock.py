import itertools
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tubelet.video.clock import Clock


def clock() -> Clock:
    return Clock(time_base=Fraction(1, 1000), rate=Fraction(25))


@given(st.lists(st.tuples(st.none() | st.integers(-100, 100), st.none() | st.integers(-5, 50))))
def test_timestamps_always_grow(ticks):
    watch = clock()
    stamps = [watch.stamp(tick, duration) for tick, duration in ticks]
    assert all(later > earlier for earlier, later in itertools.pairwise(stamps))


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_timestamps_that_grow_are_kept(ticks):
    watch = clock()
    assert [watch.stamp(tick, 40) for tick in sorted(ticks)] == sorted(ticks)
    assert watch.repaired == 0


def test_a_missing_timestamp_follows_the_last_by_its_duration():
    watch = clock()
    assert [watch.stamp(None, 30), watch.stamp(None, None), watch.stamp(None, 0)] == [0, 30, 70]
    assert watch.repaired == 3


def test_without_a_rate_a_repair_is_one_tick():
    watch = Clock(time_base=Fraction(1, 25), rate=None)
    assert [watch.stamp(7, None), watch.stamp(7, None)] == [7, 8]
