"""Tiles: parts of a frame, worked on one at a time with as much margin as their result depends on."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt, prod

from tubelet.errors import OptionError
from tubelet.given import as_whole, checked_memory
from tubelet.models.protocol import Footprint

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
    def cells(self) -> tuple[int, int]:
        """Rows and columns of the region."""
        rows, columns = self.region_rows, self.region_columns
        return rows.stop - rows.start, columns.stop - columns.start

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a stream goes through a frame.

    Attributes:
        tile: latent rows and columns of a tile.
        strip: positions of a tile to work on at a time.
        bytes: what all of it takes.
    """

    tile: tuple[int, int]
    strip: int
    bytes: int


def plan(cells: tuple[int, int], *, halo: int, costs: Footprint, memory: int) -> Plan:
    """The largest tile that fits into `memory` bytes with all that is remembered, up to the whole frame.

    Smaller tiles take less to work in, but their halos are remembered too. Without a halo small tiles cost
    nothing, so they are kept inside the cache.

    Args:
        cells: latent rows and columns of the frame.
        halo: positions around a tile that its result depends on.
        costs: bytes per position.
        memory: bytes that there are.

    Raises:
        OptionError: no tile fits.
    """
    rows, columns = cells
    checked_memory(memory)
    if not costs.whole:
        tile = _cached(cells, max(1, min(memory, CACHE_BYTES) // costs.strip))
        return plan_for(tile, cells, halo=halo, costs=costs, memory=memory)
    sizes = [(height, columns) for height in _halved(rows)]
    sizes += [(min(side, rows), min(side, columns)) for side in _halved(max(cells))]
    least = min(_bytes(tile, cells, halo, costs) for tile in sizes)
    for tile in sizes:
        if _bytes(tile, cells, halo, costs) <= memory:
            return plan_for(tile, cells, halo=halo, costs=costs, memory=memory)
    kept = costs.remembered * rows * columns
    raise OptionError(
        f"memory is {memory} bytes; a frame of {rows}x{columns} latent positions takes {least}. Allow more: "
        f"{kept} of them are what the network remembers. Or use a tokenizer with fewer or no blocks."
    )


def plan_for(
    tile: tuple[int, int], cells: tuple[int, int], *, halo: int, costs: Footprint, memory: int
) -> Plan:
    """How to go through a frame in tiles of this size; strips are as large as is useful, and as fits.

    Raises:
        OptionError: the tile, or what there is of memory, is of another kind.
    """
    checked_memory(memory)
    if not (
        isinstance(tile, Sequence) and len(tile) == 2 and all((as_whole(side) or 0) > 0 for side in tile)
    ):
        raise OptionError(f"tile is {tile!r:.60}; it is rows and columns of cells, such as (16, 16).")
    least = _bytes(tile, cells, halo, costs)
    height, row = _region(tile, cells, halo)
    spare = max(0, memory - least) // max(1, costs.strip)
    strip = max(row, min(costs.most, row + spare, height * row))
    return Plan(tile=tile, strip=strip, bytes=least + (strip - row) * costs.strip)


def _cached(cells: tuple[int, int], affordable: int) -> tuple[int, int]:
    """Whole rows if so many positions hold one, else a square."""
    rows, columns = cells
    if affordable >= columns:
        return min(affordable // columns, rows), columns
    side = isqrt(affordable)
    return min(side, rows), min(side, columns)


def _halved(length: int) -> list[int]:
    """The length, and its halves, quarters … rounded up, down to 1."""
    sizes = [length]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // 2))
    return sizes


def _bytes(tile: tuple[int, int], cells: tuple[int, int], halo: int, costs: Footprint) -> int:
    """What tiles of this size take if a strip is a single row."""
    kept = prod(
        sum(region.stop - region.start for _, region in _spans(length, size, halo))
        for length, size in zip(cells, tile, strict=True)
    )
    height, width = _region(tile, cells, halo)
    return costs.remembered * kept + costs.whole * height * width + costs.strip * width


def _region(tile: tuple[int, int], cells: tuple[int, int], halo: int) -> tuple[int, int]:
    """Rows and columns of the largest tile with its halo."""
    height, width = (min(size + 2 * halo, length) for size, length in zip(tile, cells, strict=True))
    return height, width
