"""Latent steps gathered into chunks: what is coded, checked and sought as one."""

import numpy as np
from jaxtyping import Int64

from tubelet.bitstream.chunk import Chunk
from tubelet.quantizers.scalar import Symbols
from tubelet.tokenizers.grouping import Grouping

CHUNK_SYMBOLS = 1 << 21
"""Symbols that a chunk aims at: its tables cost about one per cent, and it fits into a few megabytes."""

LARGEST_CHUNK = 32
"""Latent steps of a chunk at most: seeking decodes one."""


class Chunker:
    """Takes symbols and timestamps as they come, gives chunks of a fixed number of latent steps."""

    def __init__(self, grouping: Grouping, *, symbols_per_step: int) -> None:
        self._grouping = grouping
        self._steps = max(1, min(LARGEST_CHUNK, CHUNK_SYMBOLS // symbols_per_step))
        self._number = 0
        self._step = 0
        self._symbols: list[Symbols] = []
        self._times: Int64[np.ndarray, " T"] = np.empty(0, dtype=np.int64)

    def push(self, symbols: Symbols, timestamps: Int64[np.ndarray, " T"]) -> list[Chunk]:
        """Take symbols of any number of latent steps and the timestamps of the frames just read."""
        self._times = np.concatenate([self._times, timestamps])
        self._symbols += np.split(symbols, symbols.shape[1], axis=1) if symbols.shape[1] else []
        chunks: list[Chunk] = []
        while len(self._symbols) >= self._steps:
            chunks.append(self._take(self._steps))
        return chunks

    def finish(self) -> list[Chunk]:
        """The last chunk, if anything is left for one."""
        return [self._take(len(self._symbols))] if self._symbols else []

    def _take(self, steps: int) -> Chunk:
        first_frame = self._grouping.first_frame(self._step)
        frames = self._grouping.first_frame(self._step + steps) - first_frame
        chunk = Chunk(
            number=self._number,
            first_step=self._step,
            first_frame=first_frame,
            timestamps=self._times[:frames],
            symbols=self._symbols[0] if steps == 1 else np.concatenate(self._symbols[:steps], axis=1),
        )
        self._times = self._times[frames:]
        self._symbols = self._symbols[steps:]
        self._number += 1
        self._step += steps
        return chunk
