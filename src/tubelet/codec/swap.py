"""What is seen in one clip, moved as another one moves: structure and dynamics exchanged."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Unpack

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

from tubelet.checks import check_clip
from tubelet.codec.memory import left_for_streams
from tubelet.codec.open_clip import GivenCheckpoint, as_checkpoint, as_tokenizer, read_ahead
from tubelet.codec.options import FileOptions, Options
from tubelet.codec.sinks import VideoSink, filled
from tubelet.errors import OptionError, ShapeError
from tubelet.files import check_suffix, check_targets
from tubelet.given import as_path
from tubelet.models.protocol import HasDynamics
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.grouping import Grouping
from tubelet.tokenizers.streams.decoder import StreamDecoder
from tubelet.tokenizers.streams.encoder import StreamEncoder
from tubelet.types import Frames, Latents, Video
from tubelet.video.info import VideoInfo
from tubelet.video.read import Run, open_video
from tubelet.video.write import SUFFIXES, Writer

DEFAULT = "tubelet-twin"
"""The tokenizer that is meant when none is named."""


def swap(
    structure: Video,
    dynamics: Float[Tensor, "_ 3 _ _ _"],
    *,
    tokenizer: ContinuousTokenizer | GivenCheckpoint = None,
) -> Video:
    """Move what is seen in one clip as another clip moves.

    Args:
        structure: the clip whose things are seen, RGB in [-1, 1].
        dynamics: a clip of the same shape, whose motion they have.
        tokenizer: one whose latent has structure and dynamics, its name or its folder; the shipped one for
            none.

    Returns:
        A clip of the same shape. Of a clip and itself it is what the tokenizer gives back of it.

    Raises:
        ShapeError: the clips are of different shapes, or are none.
        OptionError: the tokenizer has no dynamics of their own, or as `ContinuousTokenizer.encode`.
        LatentError: a clip holds NaN or infinity.
        CheckpointError: the tokenizer cannot be read.
    """
    check_clip(structure, "structure")
    check_clip(dynamics, "dynamics")
    tokenizer = as_tokenizer(tokenizer, default=DEFAULT)
    names = _dynamics_of(tokenizer)
    if structure.shape != dynamics.shape:
        raise ShapeError(
            f"the clips are {tuple(structure.shape)} and {tuple(dynamics.shape)}; dynamics fit a "
            "clip of the same length and size only. Cut or resize one of them."
        )
    seen, moving = tokenizer.encode_parts(structure), tokenizer.encode_parts(dynamics)
    frames, height, width = structure.shape[2:]
    return tokenizer.decode_parts(exchanged(seen, moving, names), frames=frames, height=height, width=width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """What `swap_files` wrote.

    Attributes:
        tokenizer: its name.
        frames: how many.
        height: their rows of pixels.
        width: their columns.
    """

    tokenizer: str
    frames: int
    height: int
    width: int


def swap_files(
    structure: Path | str,
    dynamics: Path | str,
    target: Path | str,
    *,
    tokenizer: GivenCheckpoint = None,
    panels: bool = False,
    **options: Unpack[FileOptions],
) -> Swapped:
    """Move what is seen in one video as another video moves, in bounded memory.

    The result is as long as the shorter of the two, and its frames are shown when those of `dynamics` are. It
    has no sound.

    Args:
        structure: the video whose things are seen; any file that `tubelet.video` reads.
        dynamics: a video of the same size, whose motion they have.
        target: the video file to write; its suffix chooses the format.
        tokenizer: one whose latent has structure and dynamics: a shipped one, a checkpoint's folder, or a
            checkpoint; the shipped one for none.
        panels: show four videos in one of twice the size: `structure` and `dynamics` above, below each the
            same with the motion of the other.
        **options: see `FileOptions`.

    Raises:
        ShapeError: the videos are of different sizes.
        OptionError: the tokenizer has no dynamics of their own, or an option has no meaning.
        TubeletError: as `reconstruct_file`.
    """
    settings, target = Options(**options), as_path(target, "target")
    structure, dynamics = as_path(structure, "structure"), as_path(dynamics, "dynamics")
    check_suffix(target, SUFFIXES, "a video")
    check_targets([target], sources=[structure, dynamics], force=settings.force)
    checkpoint = as_checkpoint(DEFAULT if tokenizer is None else tokenizer, settings.device)
    names = _dynamics_of(checkpoint.tokenizer)
    quiet = Options(memory=settings.memory)
    with (
        open_video(structure) as first,
        open_video(dynamics) as second,
        closing(read_ahead(first, quiet)) as seen_runs,
        closing(read_ahead(second, settings)) as moving_runs,
    ):
        info = second.info
        _check_sizes(structure, first.info, dynamics, info)
        streams = _Streams.of(checkpoint.tokenizer, info, settings.memory, both_ways=panels)
        height, width = ((2 if panels else 1) * side for side in (info.height, info.width))
        writer = Writer(
            target,
            width=width,
            height=height,
            time_base=info.time_base,
            colour=first.info.colour,
            sample_aspect=first.info.sample_aspect,
            force=settings.force,
        )
        frames = 0
        with filled(VideoSink(writer, None, time_base=info.time_base)) as put_frames:
            for run in streams.runs(seen_runs, moving_runs, names):
                frames += len(run.frames)
                put_frames(run)
    return Swapped(tokenizer=checkpoint.name, frames=frames, height=height, width=width)


def exchanged(
    structure: Mapping[str, Tensor], dynamics: Mapping[str, Tensor], names: Iterable[str]
) -> dict[str, Tensor]:
    """The parts of one latent, and those with these names of another."""
    return {**structure, **{name: dynamics[name] for name in names}}


class _Step(NamedTuple):
    """A step of a clip.

    Attributes:
        latents: its parts.
        frames: as they were read.
        timestamps: of its frames.
        end: when the last of them stops being shown, as `Run.end`.
    """

    latents: Latents
    frames: Frames
    timestamps: Int64[np.ndarray, " T"]
    end: int | None


class _Streams(NamedTuple):
    """The way there of both clips, and the way back: of what is seen in the first, or of that in either."""

    grouping: Grouping
    seen: StreamEncoder[Latents]
    moving: StreamEncoder[Latents]
    decoders: tuple[StreamDecoder[Latents], ...]

    @classmethod
    def of(
        cls, tokenizer: ContinuousTokenizer, info: VideoInfo, memory: int, *, both_ways: bool
    ) -> "_Streams":
        """Open all of them; they never work at once, so each may use all but what the others remember."""
        size = info.height, info.width
        left = left_for_streams(memory, tokenizer, *size, reads=True, writes=True)
        rows, columns = tokenizer.grouping.cells(*size)
        costs = tokenizer.model.encoder_footprint(), tokenizer.model.decoder_footprint()
        there, back = (rows * columns * each.remembered for each in costs)
        encoders, decoders = 2, 2 if both_ways else 1
        others = left - (encoders - 1) * there - decoders * back
        own = left - encoders * there - (decoders - 1) * back
        return cls(
            tokenizer.grouping,
            tokenizer.parts_encoder(memory=others),
            tokenizer.parts_encoder(memory=others),
            tuple(
                tokenizer.parts_decoder(height=info.height, width=info.width, memory=own)
                for _ in range(decoders)
            ),
        )

    def runs(self, seen: Iterable[Run], moving: Iterable[Run], names: Iterable[str]) -> Iterator[Run]:
        """Frames of what is seen in the one, moved as in the other, a step at a time; or four panels."""
        steps = zip(
            _steps(seen, self.seen, self.grouping), _steps(moving, self.moving, self.grouping), strict=False
        )
        for still, motion in steps:
            ways = [(still.latents, motion.latents), (motion.latents, still.latents)]
            moved = [
                decoder.push_frames(exchanged(*way, names))
                for decoder, way in zip(self.decoders, ways, strict=False)
            ]
            count = min(len(still.timestamps), len(motion.timestamps))
            end = motion.end if count == len(motion.timestamps) else int(motion.timestamps[count])
            frames = moved[0][:count]
            if len(moved) > 1:
                rows = [[still.frames, motion.frames], moved]
                frames = np.concatenate(
                    [np.concatenate([each[:count] for each in row], axis=2) for row in rows], axis=1
                )
            yield Run(frames=frames, timestamps=motion.timestamps[:count], end=end)


def _steps(runs: Iterable[Run], encoder: StreamEncoder[Latents], grouping: Grouping) -> Iterator[_Step]:
    """The steps of a clip, however its runs are cut."""
    waiting: list[Run] = []
    number = 0
    for run in runs:
        waiting.append(run)
        while sum(len(each.frames) for each in waiting) >= (wanted := grouping.frames_in(number)):
            step, rest = _cut(waiting, wanted)
            yield _Step(encoder.push_frames(step.frames), step.frames, step.timestamps, step.end)
            waiting = [] if rest is None else [rest]
            number += 1
    if waiting:
        step, _ = _cut(waiting, sum(len(each.frames) for each in waiting))
        encoder.push_frames(step.frames)
        yield _Step(encoder.finish(), step.frames, step.timestamps, step.end)


def _cut(runs: Sequence[Run], count: int) -> tuple[Run, Run | None]:
    """The first frames of consecutive runs, and the others."""
    frames = np.concatenate([run.frames for run in runs])
    times = np.concatenate([run.timestamps for run in runs])
    if count == len(frames):
        return Run(frames=frames, timestamps=times, end=runs[-1].end), None
    first = Run(frames=frames[:count], timestamps=times[:count], end=int(times[count]))
    return first, Run(frames=frames[count:], timestamps=times[count:], end=runs[-1].end)


def _dynamics_of(tokenizer: ContinuousTokenizer) -> tuple[str, ...]:
    """The parts that say how things move.

    Raises:
        OptionError: there are none.
    """
    if not isinstance(tokenizer.model, HasDynamics):
        parts = ", ".join(part.name for part in tokenizer.parts)
        raise OptionError(
            f"this tokenizer has no dynamics apart from what is seen; it gives {parts}. Use {DEFAULT}, "
            "or one of the same kind (`tubelet train twin`)."
        )
    return tokenizer.model.dynamics


def _check_sizes(first: Path | str, one: VideoInfo, second: Path | str, other: VideoInfo) -> None:
    if (one.height, one.width) != (other.height, other.width):
        raise ShapeError(
            f"{first} has {one.width}x{one.height} pixels and {second} has {other.width}x{other.height}; "
            "dynamics fit a clip of the same size only. Scale or crop one of them."
        )
