import threading
import time

import pytest

from tubelet.threads import Behind, ahead

MOST_WAITING = 4
"""Two in the queue, one in each hand."""

SETTLED = 0.3
"""Seconds after which a thread that could go on would have."""


class OddError(Exception):
    pass


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not set(threading.enumerate()) - before


def failing_after(count: int):
    yield from range(count)
    raise OddError("odd")


def until(condition) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_ahead_gives_the_same_items_in_the_same_order(count):
    assert list(ahead(iter(range(count)))) == list(range(count))


def test_ahead_works_in_another_thread():
    here = threading.get_ident()
    there = list(ahead(threading.get_ident() for _ in range(1)))
    assert there != [here]


@pytest.mark.parametrize("count", [0, 1, 10])
def test_ahead_raises_an_error_in_its_place(count):
    got = []
    with pytest.raises(OddError):
        for item in ahead(failing_after(count)):
            got.append(item)  # noqa: PERF402  a list would be lost with the error
    assert got == list(range(count))


def test_ahead_does_not_run_away():
    made = []
    items = ahead(made.append(i) or i for i in range(1000))
    next(items)
    time.sleep(SETTLED)
    assert len(made) <= MOST_WAITING
    items.close()


def test_a_caller_that_stops_early_stops_the_thread():
    made = []
    items = ahead(made.append(i) or i for i in range(10**9))
    next(items)
    items.close()
    count = len(made)
    time.sleep(0.05)
    assert len(made) == count


def test_behind_takes_the_items_in_order():
    got = []
    with Behind[int](got.append) as behind:
        for item in range(100):
            behind.put(item)
    assert got == list(range(100))


def test_leaving_waits_for_what_was_put():
    got = []

    def slow(item: int) -> None:
        time.sleep(0.02)
        got.append(item)

    with Behind[int](slow) as behind:
        behind.put(1)
        behind.put(2)
    assert got == [1, 2]


def test_putting_waits_for_a_slow_function():
    gate, put = threading.Event(), []

    def fill() -> None:
        for item in range(10):
            behind.put(item)
            put.append(item)

    with Behind[int](lambda _: gate.wait(30)) as behind:
        filler = threading.Thread(target=fill)
        filler.start()
        time.sleep(SETTLED)
        waiting = len(put)
        gate.set()
        filler.join()
    assert waiting == 1  # what the function works on; the next is in the hand of who makes it
    assert put == list(range(10))


def fail(_: int) -> None:
    raise OddError("odd")


def test_an_error_behind_is_raised_at_a_later_put():
    with pytest.raises(OddError), Behind[int](fail) as behind:
        for item in range(1000):
            behind.put(item)
            time.sleep(0.001)
        pytest.fail("no put raised")


def test_an_error_behind_is_raised_on_leaving():
    with pytest.raises(OddError), Behind[int](fail) as behind:
        behind.put(1)


def test_after_an_error_nothing_more_is_done():
    tried = []

    def once(item: int) -> None:
        tried.append(item)
        raise OddError("odd")

    with pytest.raises(OddError), Behind[int](once) as behind:
        behind.put(1)
        behind.put(2)
    assert tried == [1]


def test_an_error_of_the_caller_wins_and_drops_what_waits():
    gate, got = threading.Event(), []

    def slow(item: int) -> None:
        gate.wait(0.2)
        got.append(item)

    with pytest.raises(ZeroDivisionError), Behind[int](slow) as behind:
        behind.put(1)
        until(behind._queue.empty)
        behind.put(2)
        raise ZeroDivisionError
    assert got == [1]
