"""The parts of a latent along motion as models of symbols: vectors, and flags of cells that are plain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from tubelet.bitstream.symbol_model import CodingTable, Exchange
from tubelet.errors import OptionError
from tubelet.priors.motion.contexts import (
    FRAMES,
    Integers,
    flag_contexts,
    second_contexts,
    surroundings,
    vector_contexts,
)
from tubelet.priors.motion.order import exchanged, passes

TableOf = NDArray[np.integer]
"""The table of every context."""


@final
@dataclass(frozen=True, eq=False)
class VectorModel:
    """A `SymbolModel` of vectors: of each frame in turn the number to the right and the one down.

    The last frame of a group is coded first. What is coded of the others is by how much they differ from
    constant velocity between the frame before and the last one. All of that is expected to be as around.

    Attributes:
        name: what the header of a file calls its prior.
        sha256: of the prior.
        channels: twice the frames with vectors.
        tables: all tables of the prior.
        table_of: of each context.
    """

    name: str
    sha256: str
    channels: int
    tables: Sequence[CodingTable]
    table_of: TableOf

    @property
    def groups(self) -> Sequence[tuple[int, int]]:
        """All channels are one group."""
        return [(0, self.channels)]

    def code_counts(self, shape: tuple[int, int, int], classes: int, exchange: Exchange) -> NDArray[np.int32]:
        """Refuse: vectors have no map (see `SymbolModel`)."""
        raise _no_map(self.name)

    def code_group(
        self, group: int, lower: NDArray[np.int32], counts: NDArray[np.int32] | None, exchange: Exchange
    ) -> NDArray[np.int32]:
        """Code all vectors; see `SymbolModel`."""
        steps, height, width = lower.shape[1:]
        vectors = np.zeros((self.channels // 2, 2, steps, height, width), np.int64)
        merged = np.zeros((steps, height, width), np.bool_)
        last = len(vectors) - 1
        for frame in (last, *range(last)):
            linear = None if frame == last else _between(vectors, frame)
            vectors[frame] = self._coded(frame, linear, merged, exchange)
        return vectors.reshape(self.channels, steps, height, width).astype(np.int32)

    def _coded(
        self, frame: int, linear: Integers | None, merged: NDArray[np.bool_], exchange: Exchange
    ) -> Integers:
        """The vectors of a frame; `merged` is written with the last one."""
        shape = merged.shape
        field = np.zeros((2, *shape), np.int64)
        own = np.zeros_like(field) if linear is None else linear
        for some in passes(*shape[1:]):
            around = surroundings(field, some)
            here = own[:, :, some.rows, some.columns]
            contexts = vector_contexts(
                around,
                some,
                0 if linear is None else min(1 + frame, FRAMES - 1),
                merged=merged[:, some.rows, some.columns],
                nearby=around.expected if linear is None else here,
            )
            wanted = around.expected + here
            down = exchanged(exchange, (2 * frame + 1, some), wanted[1], self.table_of[contexts])
            contexts = second_contexts(contexts, down)
            right = exchanged(exchange, (2 * frame, some), wanted[0], self.table_of[contexts])
            off = np.stack([right, down])
            field[:, :, some.rows, some.columns] = around.expected + off
            if linear is None:
                merged[:, some.rows, some.columns] = (off == 0).all(axis=0)
        return field + own


@final
@dataclass(frozen=True, eq=False)
class FlagModel:
    """A `SymbolModel` of one channel that is 0 or, for whole regions, 1; attributes as `VectorModel`."""

    name: str
    sha256: str
    tables: Sequence[CodingTable]
    table_of: TableOf

    @property
    def groups(self) -> Sequence[tuple[int, int]]:
        """The only channel."""
        return [(0, 1)]

    def code_counts(self, shape: tuple[int, int, int], classes: int, exchange: Exchange) -> NDArray[np.int32]:
        """Refuse: flags have no map (see `SymbolModel`)."""
        raise _no_map(self.name)

    def code_group(
        self, group: int, lower: NDArray[np.int32], counts: NDArray[np.int32] | None, exchange: Exchange
    ) -> NDArray[np.int32]:
        """Code all flags; see `SymbolModel`."""
        steps, height, width = lower.shape[1:]
        flags = np.zeros((steps, height, width), np.int64)
        for some in passes(height, width):
            contexts = flag_contexts(flags, some)
            found = exchanged(exchange, (0, some), np.zeros_like(contexts), self.table_of[contexts])
            flags[:, some.rows, some.columns] = found
        return flags[None].astype(np.int32)


def _between(vectors: Integers, frame: int) -> Integers:
    """What a frame's vectors are at constant velocity from the frame before to the last one, rounded."""
    before = vectors[frame - 1] if frame else np.zeros_like(vectors[0])
    steps = len(vectors) - frame
    return before + (2 * (vectors[-1] - before) + steps) // (2 * steps)


def _no_map(name: str) -> OptionError:
    return OptionError(f"prior {name!r} is for vectors and flags, which have no map of counts. Leave it out.")
