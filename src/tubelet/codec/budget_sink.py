"""Latents into a ``.tube`` file that keeps a budget: chunk by chunk, each decided as a whole."""

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from tubelet.bitstream.chunk import Chunk, EncodedChunk, chunk_to_bytes
from tubelet.bitstream.coding import Codings
from tubelet.bitstream.container import RecordHead
from tubelet.bitstream.header import Header
from tubelet.bitstream.writer import TubeWriter
from tubelet.codec.allocate import Allocated
from tubelet.codec.decided_part import DecidedPart, PartsOfStep, joined
from tubelet.codec.pipeline import NO_TIMES, Encoded
from tubelet.codec.report import TubeReport
from tubelet.codec.sinks import TubeSink
from tubelet.codec.spending import ChunkFacts, Measured, Spending
from tubelet.priors.files import model_for
from tubelet.tokenizers.continuous import ContinuousTokenizer

_BESIDE_BYTES = 128
"""What the end of the last frame, the index without its entries, and the trailer take at most."""

_WITH_PRIOR = 0.75
"""What chunks take with a prior over what they take by tables, about: 0.4 to 0.85 on the dev clips."""

_INDEX_BYTES = 16
"""What a chunk's entry in the index takes at most, as long as no file has 10^14 bytes."""


def bits_beside(header_bytes: int) -> float:
    """What a file takes beside its chunks, at most, if its header takes so much."""
    return 8.0 * (header_bytes + _BESIDE_BYTES)


class FileCodings(NamedTuple):
    """What a file may be coded with; made once, because a prior is read and proven exact for it.

    Attributes:
        tables: tables alone.
        all: with the prior that the header names.
    """

    tables: Codings
    all: Codings

    @classmethod
    def of(cls, header: Header) -> "FileCodings":
        """Those of a file with this header."""
        return cls(Codings(header), Codings(header, model_for))


class FileSizes:
    """What a chunk takes with its entry in the index, at most; tables of its own are the estimate.

    Args:
        codings: of the file.
        chunk: makes a chunk of what is stored.
        beside: bits that come on top.
    """

    def __init__(
        self, codings: "FileCodings", chunk: Callable[[Allocated], Chunk], *, beside: float = 0.0
    ) -> None:
        self._chunk = chunk
        self._beside = beside
        self._codings = codings

    @property
    def ratio(self) -> float:
        """That of a prior, where the header names one."""
        return 1.0 if self._codings.all.header.prior is None else _WITH_PRIOR

    def estimate(self, done: Allocated) -> float:
        """Coded with tables of its own."""
        return self._bits(chunk_to_bytes(self._chunk(done), self._codings.tables))

    def exact(self, done: Allocated) -> Measured:
        """Coded as it is going to be."""
        encoded = chunk_to_bytes(self._chunk(done), self._codings.all)
        return Measured(self._bits(encoded), encoded)

    def _bits(self, encoded: EncodedChunk) -> float:
        return self._beside + 8.0 * (RecordHead.SIZE + len(encoded.to_bytes()) + _INDEX_BYTES)


class BudgetSink:
    """Takes the latents of a clip, decides what of one part is stored, and writes that and the others.

    Args:
        tube: the file.
        spending: decides.
        tokenizer: whose latents.
        time_base: of the timestamps.
        steps: of a chunk.
        halve_end: whether the last two chunks are about as long as each other, so that none is so short that
            its share does not pay for its head; as many steps again are held then.
    """

    def __init__(
        self,
        tube: TubeSink,
        spending: Spending,
        tokenizer: ContinuousTokenizer,
        *,
        time_base: Fraction,
        steps: int,
        halve_end: bool = False,
    ) -> None:
        self._time_base = time_base
        self._tube = tube
        self._codings = FileCodings(Codings(tube.header), tube.writer.codings)
        self._spending = spending
        self._grouping = tokenizer.grouping
        self._apart = DecidedPart(tokenizer)
        self._steps = steps
        self._halve_end = halve_end
        self._waiting: list[PartsOfStep] = []
        self._times: Int64[np.ndarray, " T"] = NO_TIMES
        self._number = self._step = 0
        self._begun = False

    @property
    def writer(self) -> TubeWriter:
        """The file."""
        return self._tube.writer

    def write(self, item: Encoded) -> None:
        """Take the next latent steps and timestamps; decide and write the chunks that are complete."""
        if not self._begun:
            self._spending.begin(bits_beside(self.writer.bytes_header))
            self._begun = True
        self._waiting += self._apart.steps(item)
        self._times = np.concatenate([self._times, item.timestamps])
        self._tube.end = item.end
        # A full one may be the last, and its last step not full.
        while len(self._waiting) > self._steps * (2 if self._halve_end else 1):
            self._write_chunk(self._steps)

    def finish(self) -> None:
        """Decide and write what is left."""
        if self._halve_end and len(self._waiting) > self._steps:
            self._write_chunk(-(-len(self._waiting) // 2))
        while self._waiting:
            self._write_chunk(min(self._steps, len(self._waiting)))
        self._tube.finish()

    def report(self) -> TubeReport:
        """Count what was written; the file must be closed."""
        return self._tube.report()

    def _seconds(self, times: Int64[np.ndarray, " T"]) -> float:
        """How long frames are shown, whose successors are waiting or are the clip's end."""
        if not len(times):
            return 0.0
        after = int(self._times[0]) if len(self._times) else self._tube.end
        if after is None:  # as long as the one before, as players do
            after = int(2 * times[-1] - times[-2]) if len(times) > 1 else int(times[0])
        return float((after - int(times[0])) * self._time_base)

    def _write_chunk(self, steps: int) -> None:
        taken, self._waiting = self._waiting[:steps], self._waiting[steps:]
        first_frame = self._grouping.first_frame(self._step)
        frames = self._grouping.first_frame(self._step + steps) - first_frame
        times, self._times = self._times[:frames], self._times[frames:]

        def chunk(done: Allocated) -> Chunk:
            return Chunk(
                number=self._number,
                first_step=self._step,
                first_frame=first_frame,
                timestamps=times,
                parts=self._apart.parts(done, taken),
            )

        content = joined(taken)
        facts = ChunkFacts(content.latent[0, 0].numel(), len(times), self._seconds(times))
        spent = self._spending.spend(content, facts, FileSizes(self._codings, chunk))
        self._tube.write_chunk(chunk(spent.done), spent.encoded)
        self._number += 1
        self._step += steps
