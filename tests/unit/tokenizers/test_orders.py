import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tubelet.errors import OptionError
from tubelet.tokenizers.orders import ORDERS, inverse_places, places_in_order

cells = st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 9))
orders = st.sampled_from(ORDERS)


def interleaved(row: int, column: int) -> int:
    """The bits of both numbers in turn, written out as text; those of the row count more."""
    pairs = zip(f"{row:016b}", f"{column:016b}", strict=True)
    return int("".join(a + b for a, b in pairs), 2)


def obvious(size: tuple[int, int, int], order: str) -> list[int]:
    """The places in order, sorted by what the order is named for."""
    steps, rows, columns = size
    keys = {
        "raster": lambda t, h, w: (t, h, w),
        "temporal": lambda t, h, w: (h, w, t),
        "morton": lambda t, h, w: (t, interleaved(h, w)),
    }
    every = [(t, h, w) for t in range(steps) for h in range(rows) for w in range(columns)]
    return [(t * rows + h) * columns + w for t, h, w in sorted(every, key=lambda at: keys[order](*at))]


@given(cells, orders)
def test_an_order_is_what_sorting_positions_gives(size, order):
    assert places_in_order(size, order).tolist() == obvious(size, order)


@given(cells, orders)
def test_every_place_is_read_once_and_the_inverse_finds_it(size, order):
    places = places_in_order(size, order)
    count = size[0] * size[1] * size[2]
    assert sorted(places.tolist()) == list(range(count))
    inverse = inverse_places(places)
    assert torch.equal(places[inverse], torch.arange(count))
    assert torch.equal(inverse[places], torch.arange(count))


@given(cells, st.sampled_from(["raster", "morton"]), st.integers(1, 6))
def test_what_comes_first_in_time_is_read_first(size, order, steps):
    first = min(steps, size[0])
    places = places_in_order(size, order)
    begin = places_in_order((first, *size[1:]), order)
    assert torch.equal(places[: len(begin)], begin)


@given(cells)
def test_in_temporal_order_each_position_is_read_through_all_time(size):
    steps, rows, columns = size
    spans = places_in_order(size, "temporal").reshape(rows * columns, steps)
    assert torch.equal(spans % (rows * columns), torch.arange(rows * columns)[:, None].expand(-1, steps))


@given(st.integers(0, 3), st.integers(1, 3))
def test_in_morton_order_every_square_of_a_power_of_two_stands_together(level, more):
    side, inner = 1 << (level + more), 1 << level
    places = places_in_order((1, side, side), "morton").reshape(-1, inner * inner)
    rows, columns = places // side // inner, places % side // inner
    assert (rows == rows[:, :1]).all()
    assert (columns == columns[:, :1]).all()


def test_four_positions_are_read_along_a_z():
    assert places_in_order((1, 2, 2), "morton").tolist() == [0, 1, 2, 3]
    assert places_in_order((1, 4, 4), "morton").tolist()[:8] == [0, 1, 4, 5, 2, 3, 6, 7]


def test_long_and_narrow_grids_are_read_in_line():
    for size in ((1, 1, 50_000), (1, 50_000, 1)):
        assert torch.equal(places_in_order(size, "morton"), torch.arange(50_000))


def test_an_unknown_order_is_refused_with_those_there_are():
    places = getattr(places_in_order, "__wrapped__", places_in_order)
    with pytest.raises(OptionError, match="order is 'hilbert'; it must be one of raster, temporal, morton"):
        places((1, 2, 2), "hilbert")
