"""Steps gathered into chunks: what is coded, checked and sought as one."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64

from tubelet.bitstream.chunk import Chunk, PartSymbols
from tubelet.codec.symbols import ClipSymbols
from tubelet.tokenizers.parts import PartGrids

CHUNK_SYMBOLS = 1 << 21
"""Symbols that a chunk aims at: its tables cost about one per cent, and it fits into a few megabytes."""

LARGEST_CHUNK = 32
"""Steps of a chunk at most: seeking decodes one."""


def usual_steps(symbols_per_step: int) -> int:
    """Steps of a chunk where each has so many symbols."""
    return max(1, min(LARGEST_CHUNK, CHUNK_SYMBOLS // symbols_per_step))


class Chunker:
    """Takes symbols and timestamps as they come, gives chunks of a fixed number of steps."""

    def __init__(self, grids: PartGrids, *, steps: int) -> None:
        self._grids = grids
        self._steps = steps
        self._number = 0
        self._step = 0
        self._waiting: list[ClipSymbols] = []
        self._times: Int64[np.ndarray, " T"] = np.empty(0, dtype=np.int64)

    def push(self, symbols: ClipSymbols, timestamps: Int64[np.ndarray, " T"]) -> Iterator[Chunk]:
        """Take symbols of any number of whole steps and the timestamps of the frames just read."""
        self._times = np.concatenate([self._times, timestamps])
        first = self._step + len(self._waiting)
        lengths = {name: part.symbols.shape[1] for name, part in symbols.items()}
        for index in range(self._grids.steps_of(lengths, first)):
            self._waiting.append(
                {name: part_of(part, self._grids.span(name, first, index)) for name, part in symbols.items()}
            )
        while len(self._waiting) >= self._steps:
            yield self._take(self._steps)

    def finish(self) -> Iterator[Chunk]:
        """The last chunk, if anything is left for one."""
        if self._waiting:
            yield self._take(len(self._waiting))

    def _take(self, steps: int) -> Chunk:
        grouping = self._grids.grouping
        first_frame = grouping.first_frame(self._step)
        frames = grouping.first_frame(self._step + steps) - first_frame
        taken, self._waiting = self._waiting[:steps], self._waiting[steps:]
        chunk = Chunk(
            number=self._number,
            first_step=self._step,
            first_frame=first_frame,
            timestamps=self._times[:frames],
            parts=tuple(joined_parts([each[name] for each in taken]) for name in taken[0]),
        )
        self._times = self._times[frames:]
        self._number += 1
        self._step += steps
        return chunk


def part_of(part: PartSymbols, steps: slice) -> PartSymbols:
    """Some latent steps of a part."""
    counts = None if part.counts is None else part.counts[steps]
    return PartSymbols(symbols=part.symbols[:, steps], counts=counts)


def joined_parts(steps: list[PartSymbols]) -> PartSymbols:
    """Consecutive latent steps of a part as one."""
    if len(steps) == 1:
        return steps[0]
    counts = [each.counts for each in steps if each.counts is not None]
    return PartSymbols(
        symbols=np.concatenate([each.symbols for each in steps], axis=1),
        counts=np.concatenate(counts) if counts else None,
    )
