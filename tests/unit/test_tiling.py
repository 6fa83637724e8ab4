import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tubelet.errors import OptionError
from tubelet.tokenizers.tiling import choose_tile, tiles

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


@given(cells, halos, st.integers(1, 5000), st.integers(0, 10**7))
def test_a_tile_with_its_halo_fits_the_memory_or_is_refused(cells, halo, bytes_per_cell, memory):
    try:
        rows, columns = choose_tile(cells, halo=halo, bytes_per_cell=bytes_per_cell, memory=memory)
    except OptionError:
        assert halo and (2 * halo + 1) ** 2 * bytes_per_cell > memory
        return
    assert 1 <= rows <= cells[0] and 1 <= columns <= cells[1]
    assume(halo or (rows, columns) != (1, 1))
    region = min(cells[0], rows + 2 * halo) * min(cells[1], columns + 2 * halo)
    assert region * bytes_per_cell <= memory


@given(cells, halos)
def test_with_memory_enough_the_whole_frame_is_one_tile(cells, halo):
    assume(halo)
    assert choose_tile(cells, halo=halo, bytes_per_cell=1, memory=10**9) == cells


def test_a_refusal_says_how_much_memory_a_tile_takes():
    with pytest.raises(OptionError, match=r"memory is 99 bytes; one tile .* takes 250\. Allow more"):
        choose_tile((9, 9), halo=2, bytes_per_cell=10, memory=99)
