"""Encoding of a clip that comes in runs of frames, one step and one tile at a time."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from einops import rearrange
from jaxtyping import UInt8
from torch import Tensor

from tubelet.checks import check_frames
from tubelet.errors import OptionError, ShapeError
from tubelet.models.protocol import StreamPast
from tubelet.tokenizers.checks import RangeWatch, check_as_many, checked_run
from tubelet.tokenizers.grouping import fill
from tubelet.tokenizers.parts import PartGrids, joined
from tubelet.tokenizers.streams.origin import Streamed
from tubelet.tokenizers.streams.state import StreamState, check_state
from tubelet.tokenizers.streams.tiling import Tile, plan, plan_for, tiles
from tubelet.types import Frames, Latents, Stride, Video
from tubelet.video.pixels import to_model

Given = TypeVar("Given")
"""What a stream gives of complete steps: a latent, its parts, its distribution, or digits."""


class Steps(NamedTuple):
    """The latent steps that a run of frames completed, maybe none.

    Attributes:
        latents: each part; the means, where the model knows a distribution.
        log_variances: natural logarithms of the variances around them; none where it knows none.
    """

    latents: Latents
    log_variances: Latents | None


class StreamEncoder(Generic[Given]):
    """Give frames in runs of any length, get the latent steps that are complete.

    However the runs are cut, the stream always advances by one step and through the same tiles, so the latent
    is the same bit for bit. Memory: the frames of one group, the network's past, and one tile.

    Args:
        streamed: what encodes, and which frames belong to which step.
        channels: how many channels of each part to give.
        give: makes of the steps what the caller gets.
        watch: looks at the scale of the frames.
        memory: bytes for what the network remembers and for the work on a step.
        tile: rows and columns of cells to work on at a time, instead of what `memory` suggests.
        state: what `state` gave, to go on from there.

    Raises:
        OptionError: the state is none, one of decoding, or one of another tokenizer.
        ShapeError: it is of another tiling.
    """

    def __init__(
        self,
        streamed: Streamed,
        *,
        channels: Mapping[str, int],
        give: Callable[[Steps], Given],
        watch: RangeWatch,
        memory: int,
        tile: tuple[int, int] | None,
        state: StreamState | None,
    ) -> None:
        model, grouping = streamed.model, streamed.grouping
        self._streamed = streamed
        self._model = model
        self._grouping = grouping
        self._grids = PartGrids(model, grouping)
        self._channels = channels
        self._give = give
        self._watch = watch
        self._memory = memory
        self._tile = tile
        self._step = 0
        self._clips: int | None = None
        self._finished = False
        self._pending: list[Tensor] = []
        self._size: tuple[int, int] | None = None
        self._tiles: list[Tile] = []
        self._strip = 1
        self._past: list[StreamPast] = []
        if state is not None:
            check_state(state, streamed)
            if any(frame.ndim not in {3, 4} or frame_size(frame) != state.size for frame in state.pending):
                raise OptionError(
                    "the state holds no frames that wait for their group: it is of a stream that decodes. "
                    "Give that of one that encodes."
                )
            self._open(state.size, state.tile)
            self._step = state.step
            self._pending = list(state.pending)
            self._clips = max(map(_clips_in, self._pending), default=None)
            self._past = state.past_of(model, tiles=len(self._tiles))

    def __copy__(self) -> "StreamEncoder[Given]":
        """A stream of the same model that goes on from here by itself."""
        return deepcopy(self, {id(shared): shared for shared in (self._model, self._watch)})

    def push(self, video: Video) -> Given:
        """Take frames as model input; give the latent steps that they complete, which may be none.

        Raises:
            ShapeError: the frames are not ``b 3 T H W``, or not of the size or number of clips of those
                before.
            OptionError: they are not a floating-point tensor, or their values are of another scale; or the
                stream is finished.
            LatentError: they hold NaN or infinity.

        Warns:
            RangeWarning: the values seem to lie in [0, 1]; once for each tokenizer.
        """
        return self._give(self._push(list(checked_run(self._model, self._watch, video).unbind(dim=2))))

    def push_frames(self, frames: Frames) -> Given:
        """Take frames as decoded (one clip); they become model input tile by tile, which saves memory.

        Raises:
            ShapeError: the frames are not ``UInt8 T H W 3``, or not of the size of those before.
        """
        check_frames(frames, "frames", cure="Push model input with push.")
        # PyTorch takes only memory that is contiguous and may be written; most frames are.
        writable = np.require(frames, requirements=["C_CONTIGUOUS", "WRITEABLE"])
        return self._give(self._push(list(torch.from_numpy(writable).unbind(dim=0))))

    def push_clips(self, frames: UInt8[np.ndarray, "b T H W 3"]) -> Given:
        """Take frames of several clips of one size as decoded, as many of each; rows are clips as in `push`.

        Each clip's latent depends on its own frames and on how many clips there are, which decides how sums
        are rounded; on the frames of the others it does not.

        Raises:
            ShapeError: the frames are not ``UInt8 b T H W 3``, or not of the size of those before.
        """
        if frames.dtype != np.uint8 or frames.ndim != 5 or frames.shape[4] != 3 or not len(frames):
            raise ShapeError(
                f"frames are {frames.dtype} {frames.shape}; several clips are uint8 (clips, frames, rows, "
                "columns, 3). Push one clip with push_frames."
            )
        writable = np.require(frames, requirements=["C_CONTIGUOUS", "WRITEABLE"])
        return self._give(self._push(list(torch.from_numpy(writable).unbind(dim=1))))

    def finish(self) -> Given:
        """Fill up and encode the last group; the stream is then at its end.

        Raises:
            ShapeError: no frame was ever pushed.
        """
        if self._size is None:
            raise ShapeError("no frame was pushed; a clip has at least one. Push frames before finishing.")
        self._finished = True
        return self._give(self._advance(last=True))

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
            origin=self._streamed.origin,
        )

    def _push(self, frames: list[Tensor]) -> Steps:
        if self._finished:
            raise OptionError("the stream is finished; frames of another clip need a new stream.")
        for frame in frames:
            size = frame_size(frame)
            known = self._size or self._open(size, self._tile)
            if size != known:
                raise ShapeError(
                    f"a frame is {size[0]}x{size[1]} and those before were {known[0]}x{known[1]}; "
                    "a clip has one size. Start a new stream for the other size."
                )
            check_as_many(_clips_in(frame), self._clips)
            if self._pending and frame.dtype != self._pending[0].dtype:
                raise ShapeError(
                    f"a frame is {frame.dtype} and those that wait for it are {self._pending[0].dtype}; "
                    "a group is of one kind. Use push or push_frames throughout."
                )
            self._clips = _clips_in(frame)
        self._pending.extend(frames)
        steps = self._advance(last=False)
        # What waits for its group must not keep the caller's whole run alive, nor change with it.
        self._pending = [frame.clone() for frame in self._pending]
        return steps

    def _open(self, size: tuple[int, int], tile: tuple[int, int] | None) -> tuple[int, int]:
        """Fix the size of the frames and lay out the tiles; give the size."""
        cells, halo = self._grouping.cells(*size), self._model.encoder_halo
        costs = self._model.encoder_footprint()
        if tile is None:
            chosen = plan(cells, halo=halo, costs=costs, memory=self._memory)
        else:
            chosen = plan_for(tile, cells, halo=halo, costs=costs, memory=self._memory)
        self._size = size
        self._tile, self._strip = chosen.tile, chosen.strip
        self._tiles = tiles(cells, self._tile, halo=halo)
        self._past = [self._model.start_past(None) for _ in self._tiles]
        return size

    @torch.no_grad()
    def _advance(self, *, last: bool) -> Steps:
        """Encode every group that is complete; the last one of a clip is, whatever it holds."""
        steps: list[Steps] = []
        while self._pending:
            wanted = self._grouping.frames_in(self._step)
            if len(self._pending) < wanted and not last:
                break
            steps.append(self._encode(self._pending[:wanted]))
            self._pending = self._pending[wanted:]
            self._step += 1
        if not steps:
            return self._room(0)
        means = joined([each.latents for each in steps])
        spreads = [each.log_variances for each in steps if each.log_variances is not None]
        return Steps(means, joined(spreads) if spreads else None)

    def _encode(self, group: list[Tensor]) -> Steps:
        """One step from the frames of its group, tile by tile."""
        steps = self._room(1)
        for tile, past in zip(self._tiles, self._past, strict=True):
            pixels_of = partial(self._region, group, tile)
            encoded = self._model.encode_step(pixels_of, past, cells=tile.cells, strip=self._strip)
            self._put(tile, encoded.latents, steps.latents)
            if encoded.log_variances is not None and steps.log_variances is not None:
                self._put(tile, encoded.log_variances, steps.log_variances)
        return steps

    def _put(self, tile: Tile, encoded: Latents, whole: Latents) -> None:
        """Put what a tile with its halo gave into its place in the whole."""
        given = self._grids.trimmed(encoded) if self._step == 0 else encoded
        for name, latent in given.items():
            grid = self._grids[name]
            rows, columns = grid.cells(tile.rows, tile.columns)
            inside = grid.cells(*tile.inside)
            part = latent[:, : self._channels[name], :, inside[0], inside[1]]
            whole[name][:, :, :, rows, columns] = part

    def _region(self, group: list[Tensor], tile: Tile, part: slice) -> Video:
        """The pixels of some of the rows that a tile depends on, in a whole group of whole cells."""
        stride, device = self._model.stride, self._model.device
        top = tile.region_rows.start
        rows = slice((top + part.start) * stride.h, (top + part.stop) * stride.h)
        columns = slice(tile.region_columns.start * stride.w, tile.region_columns.stop * stride.w)
        if group[0].dtype == torch.uint8:
            video = _levels_to_model([frame[..., rows, columns, :] for frame in group])
        else:
            # Frame by frame, because those of a state may lie elsewhere than those that come after it.
            frames = [frame[:, :, rows, columns].to(device) for frame in group]
            # Channels last, as the transform reads them.
            parts = [rearrange(frame, "b c H W -> b H W c") for frame in frames]
            video = rearrange(torch.stack(parts, dim=1), "b T H W c -> b c T H W")
        video = video.to(device=device, dtype=self._model.dtype)
        missing = Stride(
            stride.t - len(group),
            rows.stop - rows.start - video.shape[3],
            columns.stop - columns.start - video.shape[4],
        )
        return fill(video, missing)

    def _room(self, steps: int) -> Steps:
        """Room for so many steps from now on."""
        cells = (0, 0) if self._size is None else self._grouping.cells(*self._size)
        model = self._model

        def empty() -> Latents:
            return {
                part.name: torch.empty(
                    (
                        self._clips or 1,
                        self._channels[part.name],
                        *self._grids[part.name].shape(self._step, steps, cells),
                    ),
                    dtype=model.dtype,
                    device=model.device,
                )
                for part in model.parts
            }

        return Steps(empty(), empty() if model.variational else None)


def frame_size(frame: Tensor) -> tuple[int, int]:
    """Height and width of a pending frame, ``UInt8 H W 3`` or ``b H W 3``, or ``Float b 3 H W``."""
    shape = frame.shape[-3:-1] if frame.dtype == torch.uint8 else frame.shape[2:]
    return shape[0], shape[1]


def _clips_in(frame: Tensor) -> int:
    """How many clips a pending frame is of."""
    return 1 if frame.ndim == 3 else frame.shape[0]


def _levels_to_model(frames: list[Tensor]) -> Video:
    """Frames as decoded, of one clip or of several, as model input."""
    levels = torch.stack(frames, dim=-4)
    if levels.ndim == 4:
        return to_model(levels.numpy())
    video = to_model(rearrange(levels, "b T H W c -> (b T) H W c").numpy())
    return rearrange(video, "1 c (b T) H W -> b c T H W", b=len(levels))
