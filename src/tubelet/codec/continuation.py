"""What a tokenizer predicts after a clip, and a video file with it, as one video file."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import NamedTuple, Unpack

import numpy as np
from jaxtyping import Float
from torch import Tensor

from tubelet.checks import check_clip
from tubelet.codec.last_detail import BYTES_PER_PIXEL, LOOKED_AT, LastDetail
from tubelet.codec.memory import left_for_streams, steps_per_run
from tubelet.codec.open_clip import GivenCheckpoint, as_checkpoint, as_tokenizer, read_ahead
from tubelet.codec.options import FileOptions, Options
from tubelet.codec.sinks import VideoSink, filled
from tubelet.errors import OptionError, ShapeError, VideoError
from tubelet.files import check_suffix, check_target
from tubelet.given import as_path, check_numbers, check_whole_numbers
from tubelet.tokenizers.ahead import predictive_model
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Frames, Latents, Stride, Video
from tubelet.video.audio import read_audio
from tubelet.video.info import VideoInfo
from tubelet.video.pixels import from_model
from tubelet.video.read import Run, open_video
from tubelet.video.write import SUFFIXES, Writer

DEFAULT = "tubelet-predict"
"""The tokenizer that is meant when none is named."""

_LONGEST = 3600.0
"""Seconds that are predicted at most."""

_USUAL_RATE = 24
"""Frames per second after a single one."""

_MOST_FRAMES = round(_LONGEST * _USUAL_RATE)
"""Frames that are predicted of a clip in memory at most."""

_TIMES = 16
"""Last timestamps whose mean distance says how fast frames follow one another."""

_PAUSE = 2
"""A distance is a pause if it is more than so many times the usual one, the median."""


def continue_clip(
    video: Video, *, frames: int, tokenizer: ContinuousTokenizer | GivenCheckpoint = None
) -> Float[Tensor, "b 3 _ H W"]:
    """Predict the frames that follow a clip.

    They follow from its full latent steps. Where neither the clip nor the prediction moves they keep the
    detail of the clip's last frame, which a latent does not.

    Args:
        video: RGB in [-1, 1], at least one latent step long: a frame for `tubelet-predict`.
        frames: how many are predicted.
        tokenizer: one that predicts, its name or its folder; `DEFAULT` for none.

    Returns:
        The predicted frames alone, around [-1, 1], not clamped.

    Raises:
        ShapeError: the clip is none, or shorter than a step.
        OptionError: the tokenizer has not learnt to predict; `frames` is not a whole number from 1 to
            86400; or as `ContinuousTokenizer.encode`.
        LatentError: the clip holds NaN or infinity.
        CheckpointError: the tokenizer cannot be read.
    """
    check_whole_numbers(frames=frames)
    if not 1 <= frames <= _MOST_FRAMES:
        raise OptionError(f"frames is {frames}; from 1 to {_MOST_FRAMES} frames are predicted at a time.")
    check_clip(video)
    tokenizer = as_tokenizer(tokenizer, default=DEFAULT)
    predictive_model(tokenizer.model)
    length, height, width = video.shape[2:]
    grouping = tokenizer.grouping
    full = grouping.first_frame(grouping.steps(length + 1) - 1)
    if not full:
        raise ShapeError(_too_short("the clip", length, grouping.stride))
    latents = tokenizer.encode_parts(video[:, :, :full])
    steps = ceil((length - full + frames) / grouping.stride.t)
    shown = tokenizer.decode_parts(latents, frames=full, height=height, width=width, ahead=steps)
    last = video[:, :, -LOOKED_AT:].to(shown)
    detail = LastDetail.of(last, shown[:, :, length - 1])
    return detail.added(shown[:, :, length : length + frames])


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """What was written.

    Attributes:
        tokenizer: its name.
        frames: of the source.
        ahead: frames that were predicted after them.
        steps: latent steps that were predicted for that.
        learnt: latent steps that the tokenizer has learnt to predict.
    """

    tokenizer: str
    frames: int
    ahead: int
    steps: int
    learnt: int


def continue_file(
    source: Path | str,
    target: Path | str,
    *,
    seconds: float = 1.0,
    tokenizer: GivenCheckpoint = None,
    **options: Unpack[FileOptions],
) -> Continuation:
    """Write a video whose first frames are those of another, and whose last ones are predicted from them.

    Frames of the source are written as they are. What follows is predicted from its full latent steps: of a
    last step that is not full, the frames are predicted too, and left out. As in `continue_clip`, detail of
    the last frame goes on where nothing moves.

    Args:
        source: any file that `tubelet.video` reads.
        target: the video file to write; its suffix chooses the format.
        seconds: how much is predicted, at the rate of the source's last frames.
        tokenizer: one that predicts: a shipped one, a folder, or a checkpoint; `DEFAULT` for none.
        **options: see `FileOptions`.

    Raises:
        OptionError: the tokenizer has not learnt to predict; or a path, `seconds`, the suffix or `memory` has
            no meaning.
        CheckpointError: there is no such tokenizer.
        VideoError: the source cannot be read, or the target not be coded; or the source is too short.
        OutputError: the target exists, or there is no room for it.
    """
    source, target = as_path(source, "source"), as_path(target, "target")
    check_numbers(seconds=seconds)
    if not 0 < seconds <= _LONGEST:
        raise OptionError(f"seconds is {seconds}; it is above 0 and at most {_LONGEST:g}.")
    settings = Options(**options)
    check_suffix(target, SUFFIXES, "a video")
    check_target(target, sources=[source], force=settings.force)
    with (
        open_video(source) as video,
        closing(read_ahead(video, _with_more(settings, video.info, seconds))) as runs,
    ):
        info, checkpoint = (
            video.info,
            as_checkpoint(DEFAULT if tokenizer is None else tokenizer, settings.device),
        )
        learnt = predictive_model(checkpoint.tokenizer.model).ahead
        seen = _Seen(checkpoint.tokenizer, info, memory=settings.memory)
        with filled(_sink(target, info, settings)) as put_frames:
            for run in runs:
                seen.take(run)
                put_frames(run)
                del run  # as in the pipeline
            plan = seen.plan(seconds)
            for run in seen.predicted(plan):
                put_frames(run)
                settings.on_frames(len(run.frames))
    return Continuation(
        tokenizer=checkpoint.name, frames=seen.frames, ahead=plan.frames, steps=plan.steps, learnt=learnt
    )


def _too_short(what: str, frames: int, stride: Stride) -> str:
    """Why nothing follows a clip."""
    return (
        f"{what} has {frames} frames, and a latent step {stride.t}; nothing is predicted from less than a "
        "step. Give a longer clip."
    )


def _with_more(settings: Options, info: VideoInfo, seconds: float) -> Options:
    """The same, whose total counts about as many frames more as are predicted."""
    more = round(seconds * float(info.average_rate or _USUAL_RATE))
    return replace(settings, on_total=lambda frames: settings.on_total(frames and frames + more))


class _Plan(NamedTuple):
    """What is predicted.

    Attributes:
        frames: how many are wanted.
        before: frames of the first step that the source has already.
        steps: latent steps that hold both.
        first: when the first of the wanted frames is shown, in ticks.
        tick: ticks between frames.
    """

    frames: int
    before: int
    steps: int
    first: int
    tick: Fraction


class _Seen:
    """What must be known of a clip to predict what follows: its last latent steps and timestamps.

    Args:
        tokenizer: one that predicts.
        info: of the clip.
        memory: bytes for all.

    Attributes:
        frames: how many were taken.
    """

    def __init__(self, tokenizer: ContinuousTokenizer, info: VideoInfo, *, memory: int) -> None:
        self.frames = 0
        self._tokenizer = tokenizer
        self._info = info
        self._memory = memory
        # The decoder begins when the encoder has ended, so each has all that there is.
        self._streams = left_for_streams(
            memory,
            tokenizer,
            info.height,
            info.width,
            reads=True,
            writes=True,
            beside=BYTES_PER_PIXEL * info.height * info.width,
        )
        self._encoder = tokenizer.parts_encoder(memory=self._streams)
        # Those that decoding must start before, and the last one itself.
        self._latents = deque[Latents](maxlen=tokenizer.warm_up + 1)
        self._steps = 0
        self._frames = deque[Frames](maxlen=LOOKED_AT)
        self._times = deque[int](maxlen=_TIMES)
        self._end: int | None = None

    def take(self, run: Run) -> None:
        """Take the next frames."""
        grids = self._tokenizer.grids
        latents = self._encoder.push_frames(run.frames)
        for index in range(grids.steps_in(latents, self._steps)):
            self._latents.append(grids.step_of(latents, self._steps, index))
        self._steps += grids.steps_in(latents, self._steps)
        self._frames.extend(frame.copy() for frame in run.frames[-LOOKED_AT:])
        self._times.extend(run.timestamps.tolist())
        self.frames, self._end = self.frames + len(run.frames), run.end

    def plan(self, seconds: float) -> _Plan:
        """What to predict, for so many seconds.

        Raises:
            VideoError: the clip is shorter than one latent step.
        """
        grouping, info = self._tokenizer.grouping, self._info
        if not self._latents:
            raise VideoError(_too_short(str(info.path), self.frames, grouping.stride))
        last = self._times[-1]
        tick = max(self._distance(), Fraction(1))
        frames = max(1, round(seconds / float(tick * info.time_base)))
        before = self.frames - grouping.first_frame(self._steps)
        first = last + round(tick) if self._end is None or self._end <= last else self._end
        return _Plan(frames, before, ceil((before + frames) / grouping.stride.t), first, tick)

    def _distance(self) -> Fraction:
        """How far frames are apart, in ticks: the mean of the last distances without pauses."""
        distances = np.diff(np.array(self._times))
        if not len(distances):
            return Fraction(1, _USUAL_RATE) / self._info.time_base
        usual = distances[distances <= _PAUSE * np.median(distances)]
        return Fraction(int(usual.sum()), len(usual))

    def predicted(self, plan: _Plan) -> Iterator[Run]:
        """The frames after the clip, in runs."""
        tokenizer, info = self._tokenizer, self._info
        del self._encoder
        stride, begin = tokenizer.stride.t, self._steps - len(self._latents)
        decoder = tokenizer.parts_decoder(
            height=info.height, width=info.width, first_step=begin, memory=self._streams
        )
        *before, last = self._latents
        for latents in before:
            decoder.push(latents)
        known = decoder.push(last)
        detail = None if plan.before else self._detail(known[:, :, -1])
        del known
        at_once = steps_per_run(tokenizer, info.height, info.width, self._memory)
        for done in range(0, plan.steps, at_once):
            steps = min(at_once, plan.steps - done)
            start = done * stride - plan.before
            coming = decoder.push_ahead(steps)
            if detail is None:
                detail = self._detail(coming[:, :, plan.before - 1])
            frames = from_model(detail.added(coming[:, :, max(0, -start) : plan.frames - start]))
            if len(frames):
                number = max(0, start)
                times = [plan.first + round(plan.tick * (number + at)) for at in range(len(frames) + 1)]
                yield Run(frames=frames, timestamps=np.array(times[:-1], dtype=np.int64), end=times[-1])

    def _detail(self, shown: Float[Tensor, "1 3 H W"]) -> LastDetail:
        """That of the source's last frame, of which the tokenizer makes `shown`."""
        return LastDetail.of_frames(np.stack(self._frames), shown.clone())


def _sink(target: Path, info: VideoInfo, settings: Options) -> VideoSink:
    """What the frames go into, and the source's audio with them."""
    sound = info.audio if settings.audio else None
    writer = Writer(
        target,
        width=info.width,
        height=info.height,
        time_base=info.time_base,
        colour=info.colour,
        sample_aspect=info.sample_aspect,
        audio=sound,
        force=settings.force,
    )
    packets = None if sound is None else (read_audio(info.path), sound.time_base)
    return VideoSink(writer, packets, time_base=info.time_base)
