"""Decoding of a clip whose latent comes in runs of steps, one step and one tile at a time."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from einops import rearrange

from tubelet.bitstream.limits import COUNT, SIDE
from tubelet.errors import OptionError, ShapeError
from tubelet.given import as_whole, check_whole_numbers
from tubelet.models.protocol import PredictiveModel, Rows
from tubelet.tokenizers.ahead import LastStep, check_full, counts_ahead, predictive_model
from tubelet.tokenizers.checks import check_as_many
from tubelet.tokenizers.generative import noise_of
from tubelet.tokenizers.grouping import Grouping
from tubelet.tokenizers.parts import PartGrids
from tubelet.tokenizers.streams.origin import Streamed
from tubelet.tokenizers.streams.state import StreamState, check_state
from tubelet.tokenizers.streams.tiling import Tile, plan, plan_for, tiles
from tubelet.types import Counts, Frames, Known, Latents, Video
from tubelet.video.pixels import from_model

Taken = TypeVar("Taken", contravariant=True)
"""What a stream takes: a latent, its parts, or digits."""


class KnownLatents(NamedTuple):
    """Latent steps, and how many channels each position has.

    Attributes:
        latents: each part, checked.
        known: of each part that is not known whole.
    """

    latents: Latents
    known: Known


Take = Callable[[Taken, Counts | Known | None], KnownLatents]
"""Checks what is pushed, and makes parts of it."""


class StreamDecoder(Generic[Taken]):
    """Give latent steps in runs of any length, get their frames; the mirror of `StreamEncoder`.

    Args:
        streamed: what decodes, and which frames belong to which step.
        take: checks what is pushed, and makes parts of it.
        size: rows and columns of pixels of the clip.
        frames: its length; none keeps whole groups.
        first_step: the first step that will be pushed.
        memory: bytes for what the network remembers and for the work on a step.
        tile: rows and columns of cells to work on at a time, instead of what `memory` suggests.
        state: what `state` gave, to go on from there.

    Raises:
        ShapeError: the size or length is not positive, or larger than that of any file; or the state is of
            another size.
        OptionError: the memory fits not one tile; or the state is none, one of encoding, or one of another
            tokenizer.
    """

    def __init__(
        self,
        streamed: Streamed,
        *,
        take: Take[Taken],
        size: tuple[int, int],
        frames: int | None,
        first_step: int,
        memory: int,
        tile: tuple[int, int] | None,
        state: StreamState | None,
    ) -> None:
        model, grouping = streamed.model, streamed.grouping
        _check_clip(size, frames, first_step, grouping)
        halo, costs = model.decoder_halo, model.decoder_footprint()
        cells = grouping.cells(*size)
        self._streamed = streamed
        self._model = model
        self._grouping = grouping
        self._grids = PartGrids(model, grouping)
        self._take = take
        self._size = size
        self._cells = cells
        self._frames = frames
        self._step = first_step
        self._clips: int | None = None
        self._predicts = isinstance(model, PredictiveModel) and model.ahead > 0
        self._last: LastStep | None = None
        if state is not None:
            check_state(state, streamed)
            if state.size != size:
                raise ShapeError(
                    f"the state is of frames of {state.size[0]}x{state.size[1]} and the clip's are "
                    f"{size[0]}x{size[1]}. Give the size of the clip that the state is of."
                )
            self._step, tile = state.step, state.tile
            self._last = LastStep.from_tensors(state.pending, [part.name for part in model.parts])
            self._clips = None if self._last is None else max(map(len, self._last.latents.values()))
        if tile is None:
            chosen = plan(cells, halo=halo, costs=costs, memory=memory)
        else:
            chosen = plan_for(tile, cells, halo=halo, costs=costs, memory=memory)
        self._tile, self._strip = chosen.tile, chosen.strip
        self._tiles = tiles(cells, self._tile, halo=halo)
        self._noise = [noise_of(model, tile.region_rows, tile.region_columns) for tile in self._tiles]
        if state is None:
            self._past = [model.start_past(None) for _ in self._tiles]
        else:
            self._past = state.past_of(model, tiles=len(self._tiles))

    def __copy__(self) -> "StreamDecoder[Taken]":
        """A stream of the same model that goes on from here by itself."""
        return deepcopy(self, {id(self._model): self._model})

    def push(self, latent: Taken, *, counts: Counts | Known | None = None) -> Video:
        """Take latent steps; give their frames as model output.

        Args:
            latent: consecutive steps.
            counts: how many channels each position has, as `decode` takes them; all by default.

        Raises:
            ShapeError: the latent is not of the clip's size, or goes on past its end, or is of another number
                of clips than before; or `counts` do not fit.
            OptionError: the latent is not a floating-point tensor, or has more channels than the tokenizer.
            LatentError: the latent holds NaN or infinity.
        """
        return self._video(self._checked(latent, counts))

    def push_ahead(self, steps: int) -> Video:
        """Predict the steps after those that were pushed; give their frames as model output.

        Prediction may go on in further calls, but nothing can be pushed after it: for that, keep the `state`
        of before.

        Args:
            steps: how many, from 1.

        Raises:
            OptionError: the tokenizer has not learnt to predict; `steps` is not a number from 1; or nothing
                was pushed yet.
            ShapeError: the clip's length was given, and was not reached, or its last step is not full.
        """
        return self._video(self._to_come(steps))

    def _video(self, run: "_Run") -> Video:
        """The frames of steps; the stream is then so many steps on."""
        start, stop = self._span(run.steps)
        # Channels last, as the transform gives them and as frames lie in memory.
        shape = (self._clips or 1, stop - start, *self._size, 3)
        memory = torch.empty(shape, dtype=self._model.dtype, device=self._model.device)
        video = rearrange(memory, "b T H W c -> b c T H W")
        for piece in self._decode(run):
            frames = slice(piece.frames.start - start, piece.frames.stop - start)
            video[:, :, frames, piece.rows, piece.columns] = piece.video
        return video

    def push_frames(self, latent: Taken, *, counts: Counts | Known | None = None) -> Frames:
        """Take latent steps of one clip; give frames of 8 bits, made tile by tile, which saves memory.

        Raises:
            ShapeError: the latent is not of the clip's size, goes on past its end, or is of several clips.
            OptionError: the latent is not a floating-point tensor, or has more channels than the tokenizer.
            LatentError: the latent holds NaN or infinity.
        """
        run = self._checked(latent, counts)
        if self._clips != 1:
            raise ShapeError(
                f"the latent holds {self._clips} clips; frames are of one. Push them one by one."
            )
        start, stop = self._span(run.steps)
        result = np.empty((stop - start, *self._size, 3), dtype=np.uint8)
        for piece in self._decode(run):
            frames = slice(piece.frames.start - start, piece.frames.stop - start)
            result[frames, piece.rows, piece.columns] = from_model(piece.video)
        return result

    def finish(self) -> Video:
        """Say that no more steps come: gives no frames, because none are held back.

        Raises:
            ShapeError: the clip's length was given, and frames are missing.
        """
        given = self._grouping.first_frame(self._step)
        if self._frames is not None and given < self._frames:
            raise ShapeError(
                f"the clip has {self._frames} frames and only {given} were decoded; push the latent steps "
                f"from {self._step} on before finishing."
            )
        shape = (self._clips or 1, 3, 0, *self._size)
        return torch.empty(shape, dtype=self._model.dtype, device=self._model.device)

    def state(self) -> StreamState:
        """A copy of all that the stream knows, to store and to go on from."""
        return StreamState(
            step=self._step,
            size=self._size,
            tile=self._tile,
            pending=() if self._last is None else self._last.to_tensors(),
            past=tuple(past.copied() for past in self._past),
            origin=self._streamed.origin,
        )

    def _checked(self, latent: Taken, counts: Counts | Known | None) -> "_Run":
        """These steps as the model takes them; raise unless they can come next."""
        latents, known = self._take(latent, counts)
        if self._last is not None and self._last.ahead:
            raise OptionError(
                f"{self._last.ahead} steps were predicted, and what is pushed would come after them. Go on "
                "from the state of before, or in a new stream."
            )
        for name, part in latents.items():
            grid, cells = self._grids[name], (part.shape[3], part.shape[4])
            wanted = (self._cells[0] * grid.rows, self._cells[1] * grid.columns)
            if cells != wanted:
                raise ShapeError(
                    f"the latent has {cells[0]}x{cells[1]} positions; a clip of {self._size[0]}x"
                    f"{self._size[1]} pixels has {wanted[0]}x{wanted[1]}. Give the size of the encoded clip."
                )
        steps = self._grids.steps_in(latents, self._step)
        end = self._step + steps
        if self._frames is not None and end > self._grouping.steps(self._frames):
            raise ShapeError(
                f"the latent goes on to step {end}; a clip of {self._frames} frames has "
                f"{self._grouping.steps(self._frames)}. Give the length of the encoded clip."
            )
        clips = max(len(part) for part in latents.values())
        check_as_many(clips, self._clips)
        self._clips = clips
        return _Run(self._step, steps, latents, known)

    def _to_come(self, steps: int) -> "_Run":
        """The next steps as the model takes those that it is to predict; raise unless it can."""
        model = predictive_model(self._model)
        count = as_whole(steps)
        if count is None or count < 1 or self._last is None:
            raise OptionError(
                f"{steps!r:.60} steps are to be predicted after {0 if self._last is None else 'some'} that "
                "were pushed; both are numbers from 1."
            )
        if self._frames is not None and not self._last.ahead:
            check_full(self._grouping, self._frames, self._step)
        self._frames = None
        still = {name: part.to(model.device) for name, part in self._last.latents.items()}
        with torch.no_grad():
            still = model.still(still, self._last.known)
        ahead = counts_ahead(self._last.ahead + 1, count)
        self._last = self._last._replace(ahead=self._last.ahead + count)
        # Copies: convolutions choose their kernel by how numbers lie in memory, and one step lies otherwise.
        latents = {name: part.repeat(1, 1, count, 1, 1) for name, part in still.items()}
        return _Run(self._step, count, latents, dict.fromkeys(latents, ahead))

    def _span(self, steps: int) -> tuple[int, int]:
        """The frames that the next steps hold, cut at the clip's end."""
        first_frame = self._grouping.first_frame
        edges = first_frame(self._step), first_frame(self._step + steps)
        start, stop = edges if self._frames is None else (min(edge, self._frames) for edge in edges)
        return start, stop

    def _decode(self, run: "_Run") -> Iterator["_Piece"]:
        """The frames of steps, piece by piece; the stream is then so many steps on."""
        for index in range(run.steps):
            step = self._grids.step_of(run.latents, run.first, index)
            known = self._grids.step_of(run.known, run.first, index)
            if self._step == 0:
                step, known = self._grids.filled(step), self._grids.filled_known(known)
            if self._predicts and (self._last is None or not self._last.ahead):
                self._last = LastStep.copied(step, known)
            for tile, past, noise in zip(self._tiles, self._past, self._noise, strict=True):
                latents = {
                    name: self._of_tile(name, part, tile).to(self._model.device)
                    for name, part in step.items()
                }
                latents.update(noise)
                some = {
                    name: self._of_tile(name, counts, tile).to(self._model.device)
                    for name, counts in known.items()
                }
                for rows in self._model.decode_step(latents, past, some, strip=self._strip):
                    piece = self._piece(tile, rows)
                    if piece is not None:
                        yield piece
            self._step += 1

    def _of_tile(self, name: str, whole: torch.Tensor, tile: Tile) -> torch.Tensor:
        """What a tile depends on; sides of 1 that stand for all positions stay."""
        rows, columns = self._grids[name].cells(tile.region_rows, tile.region_columns)
        whole = whole if whole.shape[3] == 1 else whole[:, :, :, rows]
        return whole if whole.shape[4] == 1 else whole[..., columns]

    def _piece(self, tile: Tile, decoded: Rows) -> "_Piece | None":
        """What of some rows of a tile with its halo belongs into the clip; none if they are halo alone."""
        stride = self._model.stride
        top = tile.region_rows.start
        first, last = (
            max(tile.rows.start, top + decoded.rows.start),
            min(tile.rows.stop, top + decoded.rows.stop),
        )
        if first >= last:
            return None
        start, stop = self._span(1)
        groups = decoded.groups
        if self._grouping.frames_in(self._step) == 1:
            groups = groups.mean(dim=2, keepdim=True)
        rows, columns = _pixels(slice(first, last), stride.h), _pixels(tile.columns, stride.w)
        above = top + decoded.rows.start
        inside = _pixels(slice(first - above, last - above), stride.h), _pixels(tile.inside[1], stride.w)
        groups = groups[:, :, : stop - start, inside[0], inside[1]]
        video = groups[..., : self._size[0] - rows.start, : self._size[1] - columns.start]
        return _Piece(frames=slice(start, stop), rows=rows, columns=columns, video=video)


def _check_clip(size: tuple[int, int], frames: int | None, first_step: int, grouping: Grouping) -> None:
    """Raise unless a clip can be so large and long, and be decoded from this step on.

    Raises:
        OptionError: one of these is not a whole number.
        ShapeError: it cannot.
    """
    height, width = size
    length = 1 if frames is None else frames
    check_whole_numbers(height=height, width=width, frames=length, first_step=first_step)
    if min(height, width, length) < 1 or first_step < 0:
        of_frames = "" if frames is None else f"{frames} frames of "
        raise ShapeError(
            f"the clip is of {of_frames}{height}x{width} pixels from step {first_step}; frames, height and "
            "width start at 1 and steps at 0."
        )
    if max(size) > SIDE:
        raise ShapeError(f"the clip is of {height}x{width} pixels; a side has at most {SIDE}.")
    if max(length, grouping.first_frame(first_step)) > COUNT:
        raise ShapeError(
            f"the clip has {length} frames or more and is decoded from step {first_step} on; no clip has "
            "2^63 frames or more."
        )
    if frames is not None and first_step > grouping.steps(frames):
        raise ShapeError(
            f"the first step is {first_step}; a clip of {frames} frames has {grouping.steps(frames)}. Begin "
            "with one of them, or leave out the length."
        )


class _Run(NamedTuple):
    """Steps that were pushed.

    Attributes:
        first: the first of them.
        steps: how many.
        latents: each part of them.
        known: how many channels each position has.
    """

    first: int
    steps: int
    latents: Latents
    known: Known


class _Piece(NamedTuple):
    """Decoded frames of some rows and columns, and where they belong, in frames and pixels of the clip."""

    frames: slice
    rows: slice
    columns: slice
    video: Video


def _pixels(cells: slice, stride: int) -> slice:
    """Pixels of a range of cells."""
    return slice(cells.start * stride, cells.stop * stride)
