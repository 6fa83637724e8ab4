"""Decoding of a clip whose latent comes in runs of steps, one latent step and one tile at a time."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from einops import rearrange

from tubelet.errors import ShapeError
from tubelet.nn.blocks import Past
from tubelet.tokenizers.stream_state import StreamState
from tubelet.tokenizers.tiling import choose_tile, tiles
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
        self._tile = tile or choose_tile(
            cells, halo=halo, bytes_per_cell=tokenizer.bytes_per_cell(), memory=memory
        )
        if state is not None:
            self._step, self._tile = state.step, state.tile
        self._tiles = tiles(cells, self._tile, halo=halo)
        self._past: list[tuple[Past, ...] | None] = [None] * len(self._tiles)
        if state is not None:
            self._past = state.past_on(tokenizer.device)

    def push(self, latent: Latent) -> Video:
        """Take latent steps; give their frames as model output.

        Raises:
            ShapeError: the latent is not of the clip's size, or goes on past its end.
            LatentError: the latent holds NaN or infinity.
        """
        self._check(latent)
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
            LatentError: the latent holds NaN or infinity.
        """
        self._check(latent)
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
            past=tuple(past and tuple(tensor.clone() for tensor in past) for past in self._past),
        )

    def _check(self, latent: Latent) -> None:
        """Raise unless these steps can come next."""
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
        self._tokenizer.check_latent(latent)
        self._clips = latent.shape[0]

    def _span(self, steps: int) -> tuple[int, int]:
        """The frames that the next steps hold, cut at the clip's end."""
        first_frame = self._tokenizer.grouping.first_frame
        edges = first_frame(self._step), first_frame(self._step + steps)
        start, stop = edges if self._frames is None else (min(edge, self._frames) for edge in edges)
        return start, stop

    def _decode(self, step: Latent) -> Iterator["_Part"]:
        """The frames of one latent step, tile by tile; then the stream is one step on."""
        grouping, stride = self._tokenizer.grouping, self._tokenizer.stride
        start, stop = self._span(1)
        for index, tile in enumerate(self._tiles):
            with torch.no_grad():
                region = step[:, :, :, tile.region_rows, tile.region_columns]
                decoded = self._tokenizer.decode_steps(
                    region.to(self._tokenizer.device, self._tokenizer.dtype), self._past[index]
                )
            self._past[index] = decoded.past
            groups = decoded.groups
            if grouping.frames_in(self._step) == 1:
                groups = groups.mean(dim=2, keepdim=True)
            inside_rows, inside_columns = tile.inside
            rows, columns = _pixels(tile.rows, stride.h), _pixels(tile.columns, stride.w)
            groups = groups[
                :, :, : stop - start, _pixels(inside_rows, stride.h), _pixels(inside_columns, stride.w)
            ]
            video = groups[..., : self._size[0] - rows.start, : self._size[1] - columns.start]
            yield _Part(frames=slice(start, stop), rows=rows, columns=columns, video=video)
        self._step += 1


class _Part(NamedTuple):
    """A tile of decoded frames and where it belongs, in frames and pixels of the clip."""

    frames: slice
    rows: slice
    columns: slice
    video: Video


def _pixels(positions: slice, stride: int) -> slice:
    """Pixels of a range of latent positions."""
    return slice(positions.start * stride, positions.stop * stride)
