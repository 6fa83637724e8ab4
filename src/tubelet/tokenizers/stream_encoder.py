"""Encoding of a clip that comes in runs of frames, one latent step and one tile at a time."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from tubelet.checks import check_frames
from tubelet.errors import ShapeError
from tubelet.nn.stepping import RunningPast
from tubelet.tokenizers.checks import checked_run
from tubelet.tokenizers.footprint import footprint
from tubelet.tokenizers.grouping import fill
from tubelet.tokenizers.steps import encode_step
from tubelet.tokenizers.stream_state import StreamState
from tubelet.tokenizers.tiling import Tile, plan, plan_for, tiles
from tubelet.types import Frames, Latent, Stride, Video
from tubelet.video.pixels import to_model

if TYPE_CHECKING:
    from tubelet.tokenizers.continuous import ContinuousTokenizer


class StreamEncoder:
    """Give frames in runs of any length, get the latent steps that are complete.

    However the runs are cut, the stream always advances by one latent step and through the same tiles, so
    the latent is the same bit for bit. Memory: the frames of one group, the network's past, and one tile.
    """

    def __init__(
        self,
        tokenizer: "ContinuousTokenizer",
        *,
        channels: int,
        memory: int,
        tile: tuple[int, int] | None,
        state: StreamState | None,
    ) -> None:
        self._tokenizer = tokenizer
        self._channels = channels
        self._memory = memory
        self._tile = tile
        self._step = 0
        self._clips = 1
        self._pending: list[Tensor] = []
        self._size: tuple[int, int] | None = None
        self._tiles: list[Tile] = []
        self._strip = 1
        self._past: list[RunningPast] = []
        if state is not None:
            self._open(state.size, state.tile)
            self._step = state.step
            self._pending = list(state.pending)
            self._clips = max(map(_clips_in, self._pending), default=1)
            self._past = state.past_on(tokenizer.device)

    def push(self, video: Video) -> Latent:
        """Take frames as model input; give the latent steps that they complete, which may be none.

        Raises:
            ShapeError: the frames are not ``b 3 T H W``, or not of the size of those before.
            OptionError: they are no floating-point tensor, or their values are of another scale.
            LatentError: they hold NaN or infinity.

        Warns:
            RangeWarning: the values seem to lie in [0, 1]; once for each tokenizer.
        """
        return self._push(list(checked_run(self._tokenizer, video).unbind(dim=2)))

    def push_frames(self, frames: Frames) -> Latent:
        """Take frames as decoded (one clip); they become model input tile by tile, which saves memory.

        Raises:
            ShapeError: the frames are not ``UInt8 T H W 3``, or not of the size of those before.
        """
        check_frames(frames, "frames", cure="Push model input with push.")
        # PyTorch takes only memory that is contiguous and may be written; most frames are.
        writable = np.require(frames, requirements=["C_CONTIGUOUS", "WRITEABLE"])
        return self._push(list(torch.from_numpy(writable).unbind(dim=0)))

    def finish(self) -> Latent:
        """Fill up and encode the last group; the stream is then at its end.

        Raises:
            ShapeError: no frame was ever pushed.
        """
        if self._size is None:
            raise ShapeError("no frame was pushed; a clip has at least one. Push frames before finishing.")
        return self._advance(last=True)

    def state(self) -> StreamState:
        """A copy of all that the stream knows, to store and to go on from.

        Raises:
            ShapeError: no frame was pushed yet, so there is nothing to go on from.
        """
        if self._size is None or self._tile is None:
            raise ShapeError("no frame was pushed; a stream has a state after its first frame.")
        return StreamState(
            step=self._step,
            size=self._size,
            tile=self._tile,
            pending=tuple(frame.clone() for frame in self._pending),
            past=tuple(past.copied() for past in self._past),
        )

    def _push(self, frames: list[Tensor]) -> Latent:
        for frame in frames:
            size = frame_size(frame)
            known = self._size or self._open(size, self._tile)
            if size != known:
                raise ShapeError(
                    f"a frame is {size[0]}x{size[1]} and those before were {known[0]}x{known[1]}; "
                    "a clip has one size. Start a new stream for the other size."
                )
            if self._pending and frame.dtype != self._pending[0].dtype:
                raise ShapeError(
                    f"a frame is {frame.dtype} and those that wait for it are {self._pending[0].dtype}; "
                    "a group is of one kind. Use push or push_frames throughout."
                )
            self._clips = _clips_in(frame)
        self._pending.extend(frames)
        latent = self._advance(last=False)
        # What waits for its group must not keep the caller's whole run alive, nor change with it.
        self._pending = [frame.clone() for frame in self._pending]
        return latent

    def _open(self, size: tuple[int, int], tile: tuple[int, int] | None) -> tuple[int, int]:
        """Fix the size of the frames and lay out the tiles; give the size."""
        tokenizer = self._tokenizer
        cells = tokenizer.grouping.cells(*size)
        halo = 0 if tokenizer.encoder is None else tokenizer.encoder.radius
        costs = footprint(tokenizer, tokenizer.encoder)
        if tile is None:
            chosen = plan(cells, halo=halo, costs=costs, memory=self._memory)
        else:
            chosen = plan_for(tile, cells, halo=halo, costs=costs, memory=self._memory)
        self._size = size
        self._tile, self._strip = chosen.tile, chosen.strip
        self._tiles = tiles(cells, self._tile, halo=halo)
        self._past = [RunningPast() for _ in self._tiles]
        return size

    @torch.no_grad()
    def _advance(self, *, last: bool) -> Latent:
        """Encode every group that is complete; the last one of a clip is, whatever it holds."""
        grouping = self._tokenizer.grouping
        steps: list[Latent] = []
        while self._pending:
            wanted = grouping.frames_in(self._step)
            if len(self._pending) < wanted and not last:
                break
            steps.append(self._encode(self._pending[:wanted]))
            self._pending = self._pending[wanted:]
            self._step += 1
        return torch.cat(steps, dim=2) if steps else self._empty(0)

    def _encode(self, group: list[Tensor]) -> Latent:
        """One latent step from the frames of its group, tile by tile."""
        assert self._size is not None
        latent = self._empty(1)
        for tile, past in zip(self._tiles, self._past, strict=True):
            encoded = encode_step(
                self._tokenizer,
                partial(self._region, group, tile),
                cells=tile.cells,
                past=past,
                strip=self._strip,
            )
            rows, columns = tile.inside
            latent[:, :, :, tile.rows, tile.columns] = encoded[:, : self._channels, :, rows, columns]
        return latent

    def _region(self, group: list[Tensor], tile: Tile, part: slice) -> Video:
        """The pixels of some of the rows that a tile depends on, in a whole group of whole patches."""
        stride = self._tokenizer.stride
        top = tile.region_rows.start
        rows = slice((top + part.start) * stride.h, (top + part.stop) * stride.h)
        columns = slice(tile.region_columns.start * stride.w, tile.region_columns.stop * stride.w)
        if group[0].dtype == torch.uint8:
            video = to_model(torch.stack([frame[rows, columns] for frame in group]).numpy())
        else:
            # Frame by frame, because those of a state may lie elsewhere than those that come after it.
            frames = [frame[:, :, rows, columns].to(self._tokenizer.device) for frame in group]
            # Channels last, as the transform reads them.
            parts = [rearrange(frame, "b c H W -> b H W c") for frame in frames]
            video = rearrange(torch.stack(parts, dim=1), "b T H W c -> b c T H W")
        video = video.to(device=self._tokenizer.device, dtype=self._tokenizer.dtype)
        missing = Stride(
            stride.t - len(group),
            rows.stop - rows.start - video.shape[3],
            columns.stop - columns.start - video.shape[4],
        )
        return fill(video, missing)

    def _empty(self, steps: int) -> Latent:
        """Room for so many latent steps."""
        cells = (0, 0) if self._size is None else self._tokenizer.grouping.cells(*self._size)
        shape = (self._clips, self._channels, steps, *cells)
        return torch.empty(shape, dtype=self._tokenizer.dtype, device=self._tokenizer.device)


def frame_size(frame: Tensor) -> tuple[int, int]:
    """Height and width of a pending frame, ``UInt8 H W 3`` or ``Float b 3 H W``."""
    shape = frame.shape[:2] if frame.dtype == torch.uint8 else frame.shape[2:]
    return shape[0], shape[1]


def _clips_in(frame: Tensor) -> int:
    """How many clips a pending frame is of."""
    return 1 if frame.dtype == torch.uint8 else frame.shape[0]
