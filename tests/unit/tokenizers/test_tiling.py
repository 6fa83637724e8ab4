import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tubelet.errors import OptionError
from tubelet.models.protocol import Footprint
from tubelet.tokenizers.streams.tiling import Plan, plan, plan_for, tiles

sides = st.integers(1, 40)
cells = st.tuples(sides, sides)
halos = st.integers(0, 5)


@given(cells, st.tuples(sides, sides), halos)
def test_every_cell_lies_in_exactly_one_tile(cells, size, halo):
    covered = np.zeros(cells, int)
    for tile in tiles(cells, size, halo=halo):
        covered[tile.rows, tile.columns] += 1
    assert (covered == 1).all()


@given(cells, st.tuples(sides, sides), halos)
def test_a_region_holds_everything_within_the_halo_that_the_frame_has(cells, size, halo):
    for tile in tiles(cells, size, halo=halo):
        for own, region, length in (
            (tile.rows, tile.region_rows, cells[0]),
            (tile.columns, tile.region_columns, cells[1]),
        ):
            assert region == slice(max(0, own.start - halo), min(length, own.stop + halo))


@given(cells, st.tuples(sides, sides), halos)
def test_the_inside_of_a_region_is_the_tile(cells, size, halo):
    grid = np.arange(cells[0] * cells[1]).reshape(cells)
    for tile in tiles(cells, size, halo=halo):
        region = grid[tile.region_rows, tile.region_columns]
        assert (region[tile.inside] == grid[tile.rows, tile.columns]).all()


costs = st.builds(
    Footprint,
    remembered=st.integers(0, 5000),
    whole=st.integers(1, 5000),
    strip=st.integers(1, 5000),
    most=st.just(512),
)


def taken(chosen: Plan, cells: tuple[int, int], halo: int, costs: Footprint) -> int:
    """What a plan takes, counted tile by tile."""
    regions = [tile.cells for tile in tiles(cells, chosen.tile, halo=halo)]
    kept = sum(rows * columns for rows, columns in regions)
    largest = max(rows * columns for rows, columns in regions)
    return costs.remembered * kept + costs.whole * largest + costs.strip * chosen.strip


@given(cells, halos, costs, st.integers(0, 10**7))
def test_a_plan_fits_the_memory_or_is_refused(cells, halo, costs, memory):
    try:
        chosen = plan(cells, halo=halo, costs=costs, memory=memory)
    except OptionError:
        whole = cells[0] * cells[1] * (costs.remembered + costs.whole) + cells[1] * costs.strip
        assert whole > memory
        return
    assert 1 <= chosen.tile[0] <= cells[0] and 1 <= chosen.tile[1] <= cells[1]
    assert taken(chosen, cells, halo, costs) <= chosen.bytes <= memory


@given(cells, halos, costs)
def test_with_memory_enough_the_whole_frame_is_one_tile(cells, halo, costs):
    chosen = plan(cells, halo=halo, costs=costs, memory=10**9)
    assert chosen.tile == cells
    assert chosen.strip == max(cells[1], min(512, cells[0] * cells[1]))


@given(cells, halos, costs, st.integers(0, 10**7))
def test_a_tile_that_is_given_is_planned_as_when_it_was_chosen(cells, halo, costs, memory):
    try:
        chosen = plan(cells, halo=halo, costs=costs, memory=memory)
    except OptionError:
        return
    assert plan_for(chosen.tile, cells, halo=halo, costs=costs, memory=memory) == chosen


def test_a_network_without_memory_of_steps_is_tiled_as_small_as_needed():
    costs = Footprint(remembered=0, whole=100, strip=100, most=512)
    whole = plan((400, 400), halo=2, costs=costs, memory=10**8)
    little = plan((400, 400), halo=2, costs=costs, memory=10**6)
    assert whole.tile == (400, 400)
    assert little.tile[0] * little.tile[1] < 10**4


def test_a_refusal_says_how_much_memory_a_frame_takes():
    costs = Footprint(remembered=10, whole=1, strip=1, most=512)
    with pytest.raises(OptionError, match=r"memory is 99 bytes; .* takes 812\. Allow more: 810 of them"):
        plan((9, 9), halo=0, costs=costs, memory=99)
