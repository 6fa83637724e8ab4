"""A ``.tube`` file as a video that can be read from anywhere."""

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import SupportsIndex

import numpy as np
from jaxtyping import Int64, UInt8

from tubelet.bitstream.chunk import PartSymbols
from tubelet.bitstream.header import Header
from tubelet.bitstream.part_header import TOKENS
from tubelet.bitstream.reader import TubeReader
from tubelet.codec.chunking import part_of
from tubelet.codec.fill import filled_part
from tubelet.codec.header import facts_to_colour, header_to_audio, stored_to_packet, wanted_channels
from tubelet.codec.matching import GivenTokenizer, check_steps, matching_tokenizer
from tubelet.codec.memory import left_for_streams, steps_per_run
from tubelet.codec.options import seed_of
from tubelet.codec.pipeline import Piece, symbols_to_frames
from tubelet.codec.room import check_room
from tubelet.codec.symbols import (
    ClipSymbols,
    LatentQuantizer,
    SymbolQuantizer,
    TokenQuantizer,
    only,
    symbols_to_digits,
)
from tubelet.errors import OptionError
from tubelet.given import as_fraction, as_path, as_whole, check_whole_numbers, checked_memory
from tubelet.priors.files import model_for
from tubelet.quantizers.scalar import ScalarQuantizer
from tubelet.tokenizers.clip import only_part
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.parts import joined
from tubelet.tokenizers.streams.decoder import KnownLatents
from tubelet.tokenizers.streams.state import DEFAULT_MEMORY
from tubelet.tokenizers.token_grid import TokenGrid
from tubelet.types import Latent
from tubelet.video.audio import AudioPacket
from tubelet.video.info import AudioInfo, Colour
from tubelet.video.read import Run, cut, every

_SYMBOL_BYTES = 4


class Tube:
    """An open ``.tube`` file; `len` and indexing count frames. A context manager.

    Decoding may start at any frame: the chunk that holds it is opened, the decoder warms up on the few latent
    steps before, and the frames are those of a full decode, bit for bit. What a file of a latent can do, one
    of tokens can; `tokens` is for these alone.

    Attributes:
        header: what the file says of itself.
        complete: whether the file has its end; if not, `frames` ends with the last whole chunk.
    """

    def __init__(
        self,
        path: Path,
        *,
        tokenizer: GivenTokenizer,
        channels: int | None,
        refine: int,
        seed: int,
        memory: int,
        device: str,
    ) -> None:
        self._opened = partial(
            Tube,
            path,
            tokenizer=tokenizer,
            channels=channels,
            refine=refine,
            seed=seed,
            memory=memory,
            device=device,
        )
        self._reader = TubeReader(path, model_for)
        # Frames and audio may be asked for by different threads, and there is one place in the file.
        self._reading = Lock()
        try:
            self.header: Header = self._reader.header
            self.complete: bool = self._reader.complete
            matching = matching_tokenizer(path, self.header, tokenizer, device)
            self._quantizer: SymbolQuantizer
            if isinstance(matching, DiscreteTokenizer):
                self._tokenizer = matching.backbone
                self._quantizer = TokenQuantizer(tokenizer=matching)
            else:
                self._tokenizer = matching
                self._quantizer = LatentQuantizer(
                    of_part={
                        part.name: ScalarQuantizer(steps=stored.steps, centroids=stored.centroids)
                        for part, stored in zip(matching.parts, self.header.parts, strict=True)
                    }
                )
            if refine:
                self._tokenizer = self._tokenizer.refined(refine, seed=seed)
            self._channels = wanted_channels(channels, self.header, self._tokenizer.parts)
            self._memory = memory
            check_steps(path, self._tokenizer, self._reader)
        except BaseException:
            self._reader.close()
            raise

    def __enter__(self) -> "Tube":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()

    def __reduce__(self) -> tuple["partial[Tube]", tuple[()]]:
        """A copy, or what another process gets, has opened the file again."""
        return self._opened, ()

    def __len__(self) -> int:
        return self.frames

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
        """Decode frame after frame (``H W 3``), in bounded memory."""
        for run in self.read():
            yield from run.frames

    def __getitem__(self, index: SupportsIndex | slice) -> UInt8[np.ndarray, "*T H W 3"]:
        """Decode one frame (``H W 3``) or a range of frames (``T H W 3``).

        Raises:
            OptionError: there is no such frame, or a range runs backwards.
            BitstreamError: a chunk that is needed is damaged.
        """
        if isinstance(index, slice):
            start, stop, stride = index.indices(self.frames)
            if stride < 1:
                raise OptionError(
                    f"frames are asked for in steps of {stride}; they are decoded forwards. Turn them around "
                    "afterwards: [::-1]."
                )
            runs = list(every(self.read(start, max(start, stop)), stride))
            empty = np.empty((0, self.header.height, self.header.width, 3), dtype=np.uint8)
            return np.concatenate(runs) if runs else empty
        if (frame := as_whole(index)) is None:
            raise OptionError(f"frame {index!r:.60} is asked for; a frame is a whole number, frames a slice.")
        if not -self.frames <= frame < self.frames:
            raise OptionError(f"frame {frame} is asked for; the clip has {self.frames}, counted from 0.")
        first = frame % self.frames
        return next(self.read(first, first + 1)).frames[0]

    @property
    def frames(self) -> int:
        """Frames of the clip."""
        return self._reader.frames

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick of the timestamps."""
        return Fraction(*self.header.time_base)

    @property
    def colour(self) -> Colour:
        """How the source's colours were coded."""
        return facts_to_colour(self.header.colour)

    @property
    def audio(self) -> AudioInfo | None:
        """The audio stream, if there is one."""
        return None if self.header.audio is None else header_to_audio(self.header.audio)

    def audio_packets(self) -> Iterator[AudioPacket]:
        """The audio packets, untouched."""
        packets = self._reader.audio()
        while True:
            with self._reading:
                packet = next(packets, None)
            if packet is None:
                return
            yield stored_to_packet(packet)

    @cached_property
    def timestamps(self) -> Int64[np.ndarray, " T"]:
        """When each frame is shown, in ticks of `time_base`."""
        with self._reading:
            return self._reader.timestamps()

    @cached_property
    def end(self) -> int | None:
        """When the last frame stops being shown, in ticks of `time_base`; none if the file does not say.

        Raises:
            BitstreamError: what says it is damaged.
        """
        with self._reading:
            return self._reader.end

    def time_of(self, frame: int) -> int:
        """When a frame is shown, in ticks of `time_base`; a few bytes are read, as `timestamps` reads them.

        Raises:
            OptionError: there is no such frame.
        """
        with self._reading:
            return self._reader.time_of(frame)

    def frame_at(self, seconds: float) -> int:
        """The first frame shown `seconds` after the first or later; the number of frames if none is."""
        exact = as_fraction(seconds, "seconds")
        if not self.frames:
            return 0
        # A microsecond is allowed for seconds that were rounded when they were written down.
        wanted = (exact - Fraction(1, 10**6)) / self.time_base
        with self._reading:
            return self._reader.frame_at(self._reader.time_of(0) + math.ceil(wanted))

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Run]:
        """Decode frames `start` to `stop`, a run at a time, in bounded memory.

        Raises:
            OptionError: there are no such frames.
            BitstreamError: a chunk that is needed is damaged.
        """
        end = self.frames if stop is None else stop
        check_whole_numbers(start=start, stop=end)
        if not 0 <= start <= end <= self.frames:
            raise OptionError(f"frames {start} to {end} are asked for; the clip has {self.frames}, from 0.")
        if start == end:
            return
        grouping = self._tokenizer.grouping
        step_bytes = 3 * self.header.height * self.header.width * grouping.stride.t
        what = f"a step of {grouping.stride.t} frames of {self.header.width}x{self.header.height}"
        check_room(what, step_bytes, self._memory)
        first_step = max(0, grouping.step_of(start) - self._tokenizer.warm_up)
        size = self.header.height, self.header.width
        decoder = self._tokenizer.parts_decoder(
            height=self.header.height,
            width=self.header.width,
            frames=self.frames,
            first_step=first_step,
            # Most frames go on to a video file.
            memory=left_for_streams(self._memory, self._tokenizer, *size, writes=True),
        )
        last_step = grouping.step_of(end - 1) + 1
        at_most = steps_per_run(self._tokenizer, *size, self._memory)
        pieces = self._pieces(first_step, last_step, at_most=at_most)
        before = start - grouping.first_frame(first_step)
        yield from cut(symbols_to_frames(pieces, decoder, self._quantizer), before, end - start)

    def _shown_until(self, frame: int) -> int | None:
        """When the frame before a frame stops being shown."""
        return self.end if frame == self.frames else self.time_of(frame)

    def latent(self, first_step: int = 0, last_step: int | None = None) -> Latent:
        """The latent of steps `first_step` up to, not including, `last_step`: ready for a generator.

        In a file of tokens it is what the tokens stand for. Channels that a position does not have are 0.

        Raises:
            OptionError: there are no such steps, or the latent has several parts: use `latents`.
            BitstreamError: a chunk that is needed is damaged.
        """
        name = only_part(self._tokenizer.parts).name
        return self.latents(first_step, last_step).latents[name]

    def latents(self, first_step: int = 0, last_step: int | None = None) -> KnownLatents:
        """Every part of the latent of some steps, and how many channels each position has; as `latent`."""
        stop = self._check_range(first_step, last_step)
        pieces = self._pieces(first_step, stop, at_most=stop - first_step)
        found = [self._quantizer.dequantize(piece.symbols) for piece in pieces]
        known = [each.known for each in found]
        return KnownLatents(joined([each.latents for each in found]), joined(known) if known[0] else {})

    def tokens(self, first_step: int = 0, last_step: int | None = None) -> TokenGrid:
        """The tokens of steps `first_step` up to, not including, `last_step`, as a grid of one clip.

        A part that does not begin with the clip has no lead frame, whatever the clip has.

        Raises:
            OptionError: there are no such steps, or the file holds a latent.
            BitstreamError: a chunk that is needed is damaged.
        """
        header, grouping = self.header, self._tokenizer.grouping
        if header.content != TOKENS:
            raise OptionError("the file holds a quantised latent, and no tokens. Use `latent`.")
        stop = self._check_range(first_step, last_step)
        first_frame = grouping.first_frame(first_step)
        pieces = self._pieces(first_step, stop, at_most=stop - first_step)
        return TokenGrid(
            digits=symbols_to_digits(
                np.concatenate([only(piece.symbols) for piece in pieces], axis=1), header.bases
            ),
            bases=header.bases,
            stride=grouping.stride,
            lead_frame=header.lead_frame and first_step == 0,
            frames=min(grouping.first_frame(stop), self.frames) - first_frame,
            height=header.height,
            width=header.width,
        )

    def _check_range(self, first_step: int, last_step: int | None) -> int:
        """Raise unless there are such steps; give the one after the last."""
        steps = self._reader.steps
        stop = steps if last_step is None else last_step
        check_whole_numbers(first_step=first_step, last_step=stop)
        if not 0 <= first_step < stop <= steps:
            raise OptionError(f"steps {first_step} to {stop} are asked for; there are {steps}, from 0.")
        return stop

    def _pieces(self, first_step: int, last_step: int, *, at_most: int) -> Iterator[Piece]:
        """The symbols of a range of steps, not more than so many steps at a time, and never across chunks."""
        reader, first_frame = self._reader, self._tokenizer.grouping.first_frame
        for number in range(reader.chunk_of_step(first_step), reader.chunk_of_step(last_step - 1) + 1):
            entry = reader.chunks[number]
            check_room(f"chunk {number}", self._bytes_of(entry.steps), self._memory)
            end = entry.first_step + entry.steps
            with self._reading:
                chunk = reader.read_chunk(number, channels=self._channels)
            parts = [filled_part(part) for part in chunk.parts]
            begin = max(first_step, entry.first_step)
            for step in range(begin, min(end, last_step), at_most):
                stop = min(step + at_most, end, last_step)
                times = chunk.timestamps[
                    first_frame(step) - entry.first_frame : first_frame(stop) - entry.first_frame
                ]
                yield Piece(
                    symbols=self._steps_of(parts, entry.first_step, slice(step, stop)),
                    timestamps=times,
                    end=self._shown_until(first_frame(step) + len(times)),
                )

    def _bytes_of(self, steps: int) -> int:
        """What so many steps of symbols take, and those of one channel twice while it is decoded."""
        values = 0
        for part in self.header.parts:
            channels = self._channels.get(part.name, part.channels)
            latent_steps = steps * (self.header.stride[0] // part.stride[0])
            values += (channels + 2) * latent_steps * part.rows * part.columns
        return _SYMBOL_BYTES * values

    def _steps_of(self, parts: list[PartSymbols], first_step: int, steps: slice) -> ClipSymbols:
        """The symbols of some steps of a chunk, which begins with `first_step`."""
        grids, symbols = self._tokenizer.grids, {}
        for part, found in zip(self._tokenizer.parts, parts, strict=True):
            first = grids[part.name].first
            origin = first(first_step)
            symbols[part.name] = part_of(
                found, slice(first(steps.start) - origin, first(steps.stop) - origin)
            )
        return symbols


def open_tube(
    path: Path | str,
    *,
    tokenizer: GivenTokenizer = None,
    channels: int | None = None,
    refine: int = 0,
    seed: int | None = None,
    memory: int = DEFAULT_MEMORY,
    device: str = "cpu",
) -> Tube:
    """Open a ``.tube`` file to read frames or latents from anywhere in it.

    Args:
        path: the file.
        tokenizer: the folder or the checkpoint of the tokenizer that made it, if it is not shipped; or one
            with a flow that refines that.
        channels: decode the first so many channels only; the others are not even read.
        refine: in how many steps a tokenizer with a flow refines the frames; 0 leaves it as it is.
        seed: of the noise for that; 0 for none.
        memory: bytes that frames in flight, the networks' state and the work on them may take; a step of
            frames, or a chunk of symbols, that claims more is refused when it is asked for.
        device: where the tokenizer computes: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        BitstreamError: it is not a ``.tube`` file, damaged, or newer than this program.
        CheckpointError: its tokenizer is not here, or another one has its name.
        OptionError: it has not as many channels, its tokenizer refines nothing, a seed is given although
            nothing is refined, or there is no such device here.

    Warns:
        DamageWarning: the file is cut short; frames up to its last whole chunk are there.
    """
    return Tube(
        as_path(path, "path"),
        tokenizer=tokenizer,
        channels=channels,
        refine=refine,
        seed=seed_of(seed, refine=refine),
        memory=checked_memory(memory),
        device=device,
    )
