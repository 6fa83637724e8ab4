"""Tiles: parts of a frame, worked on one at a time with as much margin as their result depends on."""

from dataclasses import dataclass
from math import isqrt

from tubelet.errors import OptionError

CACHE_BYTES = 12 << 20
"""Working set of a tile that costs nothing to make small: it stays in a core's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """Rows and columns of a latent grid, and the larger region that they depend on."""

    rows: slice
    columns: slice
    region_rows: slice
    region_columns: slice

    @property
    def inside(self) -> tuple[slice, slice]:
        """The tile's own rows and columns, counted from the corner of its region."""
        top, left = self.region_rows.start, self.region_columns.start
        return (
            slice(self.rows.start - top, self.rows.stop - top),
            slice(self.columns.start - left, self.columns.stop - left),
        )


def tiles(cells: tuple[int, int], size: tuple[int, int], *, halo: int) -> list[Tile]:
    """Cover a grid of `cells` with tiles of at most `size`, each with `halo` cells of margin.

    A region is cut off at the frame's border only: inside the frame, what lies beyond a tile is real data as
    far as the tile's result can see. So tiles give what the whole frame gives.
    """
    return [
        Tile(rows=rows, columns=columns, region_rows=region_rows, region_columns=region_columns)
        for rows, region_rows in _spans(cells[0], size[0], halo)
        for columns, region_columns in _spans(cells[1], size[1], halo)
    ]


def _spans(length: int, size: int, halo: int) -> list[tuple[slice, slice]]:
    """Cut one axis; each span comes with its margin."""
    starts = range(0, length, size)
    return [
        (slice(a, min(a + size, length)), slice(max(a - halo, 0), min(a + size + halo, length)))
        for a in starts
    ]


def choose_tile(cells: tuple[int, int], *, halo: int, bytes_per_cell: int, memory: int) -> tuple[int, int]:
    """The largest tile whose working set fits into `memory` bytes: whole rows if possible, else a square.

    Without a halo small tiles cost nothing, so they are kept inside the cache.

    Raises:
        OptionError: not even one cell with its halo fits.
    """
    rows, columns = cells
    budget = min(memory, CACHE_BYTES) if halo == 0 else memory
    affordable = budget // bytes_per_cell
    strip = affordable // columns - 2 * halo
    if strip >= min(rows, max(1, 2 * halo)):
        return min(strip, rows), columns
    side = isqrt(affordable) - 2 * halo
    if side >= 1:
        return min(side, rows), min(side, columns)
    if halo == 0:
        return 1, 1
    least = (2 * halo + 1) ** 2 * bytes_per_cell
    raise OptionError(
        f"memory is {memory} bytes; one tile with the {halo} positions it depends on takes {least}. "
        "Allow more memory, or use a tokenizer with fewer blocks."
    )
