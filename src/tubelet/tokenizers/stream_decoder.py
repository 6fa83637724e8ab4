"""Decoding of a clip whose latent comes in runs of steps, one latent step and one tile at a time."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from einops import rearrange

from tubelet.errors import ShapeError
from tubelet.nn.stepping import RunningPast
from tubelet.tokenizers.checks import checked_latent
from tubelet.tokenizers.footprint import footprint
from tubelet.tokenizers.steps import Rows, decode_step
from tubelet.tokenizers.stream_state import StreamState
from tubelet.tokenizers.tiling import Tile, plan, plan_for, tiles
from tubelet.types import Frames, Latent, Video
from tubelet.video.pixels import from_model

if TYPE_CHECKING:
    from tubelet.tokenizers.continuous import ContinuousTokenizer


class StreamDecoder:
    """Give latent steps in runs of any length, get their frames; the mirror of `StreamEncoder`."""

    def __init__(
        self,
        tokenizer: "ContinuousTokenizer",
        *,
        size: tuple[int, int],
        frames: int | None,
        first_step: int,
        memory: int,
        tile: tuple[int, int] | None,
        state: StreamState | None,
    ) -> None:
        if min(*size, first_step + 1, 1 if frames is None else frames) < 1:
            raise ShapeError(
                f"the clip is {frames}x{size[0]}x{size[1]} from step {first_step}; frames, height and width "
                "start at 1 and steps at 0."
            )
        halo = 0 if tokenizer.decoder is None else tokenizer.decoder.radius
        cells = tokenizer.grouping.cells(*size)
        self._tokenizer = tokenizer
        self._size = size
        self._cells = cells
        self._frames = frames
        self._step = first_step
        self._clips = 1
        costs = footprint(tokenizer, tokenizer.decoder)
        if state is not None:
            self._step, tile = state.step, state.tile
        if tile is None:
            chosen = plan(cells, halo=halo, costs=costs, memory=memory)
        else:
            chosen = plan_for(tile, cells, halo=halo, costs=costs, memory=memory)
        self._tile, self._strip = chosen.tile, chosen.strip
        self._tiles = tiles(cells, self._tile, halo=halo)
        self._past = [RunningPast() for _ in self._tiles]
        if state is not None:
            self._past = state.past_on(tokenizer.device)

    def push(self, latent: Latent) -> Video:
        """Take latent steps; give their frames as model output.

        Raises:
            ShapeError: the latent is not of the clip's size, or goes on past its end.
            OptionError: the latent is no floating-point tensor, or has more channels than the tokenizer.
            LatentError: the latent holds NaN or infinity.
        """
        latent = self._checked(latent)
        start, stop = self._span(latent.shape[2])
        # Channels last, as the transform gives them and as frames lie in memory.
        shape = (latent.shape[0], stop - start, *self._size, 3)
        memory = torch.empty(shape, dtype=self._tokenizer.dtype, device=self._tokenizer.device)
        video = rearrange(memory, "b T H W c -> b c T H W")
        for index in range(latent.shape[2]):
            for part in self._decode(latent[:, :, index : index + 1]):
                frames = slice(part.frames.start - start, part.frames.stop - start)
                video[:, :, frames, part.rows, part.columns] = part.video
        return video

    def push_frames(self, latent: Latent) -> Frames:
        """Take latent steps of one clip; give frames of 8 bits, made tile by tile, which saves memory.

        Raises:
            ShapeError: the latent is not of the clip's size, goes on past its end, or is of several clips.
            OptionError: the latent is no floating-point tensor, or has more channels than the tokenizer.
            LatentError: the latent holds NaN or infinity.
        """
        latent = self._checked(latent)
        if latent.shape[0] != 1:
            raise ShapeError(
                f"the latent holds {latent.shape[0]} clips; frames are of one. Push them one by one."
            )
        start, stop = self._span(latent.shape[2])
        result = np.empty((stop - start, *self._size, 3), dtype=np.uint8)
        for index in range(latent.shape[2]):
            for part in self._decode(latent[:, :, index : index + 1]):
                frames = slice(part.frames.start - start, part.frames.stop - start)
                result[frames, part.rows, part.columns] = from_model(part.video)
        return result

    def finish(self) -> Video:
        """Say that no more steps come: gives no frames, because none are held back.

        Raises:
            ShapeError: the clip's length was given, and frames are missing.
        """
        given = self._tokenizer.grouping.first_frame(self._step)
        if self._frames is not None and given < self._frames:
            raise ShapeError(
                f"the clip has {self._frames} frames and only {given} were decoded; push the latent steps "
                f"from {self._step} on before finishing."
            )
        shape = (self._clips, 3, 0, *self._size)
        return torch.empty(shape, dtype=self._tokenizer.dtype, device=self._tokenizer.device)

    def state(self) -> StreamState:
        """A copy of all that the stream knows, to store and to go on from."""
        return StreamState(
            step=self._step,
            size=self._size,
            tile=self._tile,
            pending=(),
            past=tuple(past.copied() for past in self._past),
        )

    def _checked(self, latent: Latent) -> Latent:
        """These steps as the tokenizer computes; raise unless they can come next."""
        latent = checked_latent(self._tokenizer, latent)
        cells = (latent.shape[3], latent.shape[4])
        if cells != self._cells:
            raise ShapeError(
                f"the latent has {cells[0]}x{cells[1]} positions; a clip of {self._size[0]}x{self._size[1]} "
                f"pixels has {self._cells[0]}x{self._cells[1]}. Give the size of the encoded clip."
            )
        end = self._step + latent.shape[2]
        if self._frames is not None and end > self._tokenizer.grouping.steps(self._frames):
            raise ShapeError(
                f"the latent goes on to step {end}; a clip of {self._frames} frames has "
                f"{self._tokenizer.grouping.steps(self._frames)}. Give the length of the encoded clip."
            )
        self._clips = latent.shape[0]
        return latent

    def _span(self, steps: int) -> tuple[int, int]:
        """The frames that the next steps hold, cut at the clip's end."""
        first_frame = self._tokenizer.grouping.first_frame
        edges = first_frame(self._step), first_frame(self._step + steps)
        start, stop = edges if self._frames is None else (min(edge, self._frames) for edge in edges)
        return start, stop

    def _decode(self, step: Latent) -> Iterator["_Part"]:
        """The frames of one latent step, part by part; then the stream is one step on."""
        tokenizer = self._tokenizer
        for tile, past in zip(self._tiles, self._past, strict=True):
            region = step[:, :, :, tile.region_rows, tile.region_columns]
            region = region.to(tokenizer.device, tokenizer.dtype)
            for rows in decode_step(tokenizer, region, past=past, strip=self._strip):
                part = self._part(tile, rows)
                if part is not None:
                    yield part
        self._step += 1

    def _part(self, tile: Tile, decoded: Rows) -> "_Part | None":
        """What of some rows of a tile with its halo belongs into the clip; none if they are halo alone."""
        stride = self._tokenizer.stride
        top = tile.region_rows.start
        first, last = (
            max(tile.rows.start, top + decoded.rows.start),
            min(tile.rows.stop, top + decoded.rows.stop),
        )
        if first >= last:
            return None
        start, stop = self._span(1)
        groups = decoded.groups
        if self._tokenizer.grouping.frames_in(self._step) == 1:
            groups = groups.mean(dim=2, keepdim=True)
        rows, columns = _pixels(slice(first, last), stride.h), _pixels(tile.columns, stride.w)
        above = top + decoded.rows.start
        inside = _pixels(slice(first - above, last - above), stride.h), _pixels(tile.inside[1], stride.w)
        groups = groups[:, :, : stop - start, inside[0], inside[1]]
        video = groups[..., : self._size[0] - rows.start, : self._size[1] - columns.start]
        return _Part(frames=slice(start, stop), rows=rows, columns=columns, video=video)


class _Part(NamedTuple):
    """Decoded frames of some rows and columns, and where they belong, in frames and pixels of the clip."""

    frames: slice
    rows: slice
    columns: slice
    video: Video


def _pixels(positions: slice, stride: int) -> slice:
    """Pixels of a range of latent positions."""
    return slice(positions.start * stride, positions.stop * stride)
