"""Choosing where crops lie in a clip, and cutting them out of it while it is decoded once."""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from tubelet.data.crops import Cut
from tubelet.errors import DamageWarning, OptionError, VideoError
from tubelet.files.names import text_name
from tubelet.spelling import counted
from tubelet.types import Frames
from tubelet.video.info import VideoInfo
from tubelet.video.ranges import AnyVideo, open_any
from tubelet.video.resize import Small, shrink

Block = UInt8[np.ndarray, "n t side side 3"]
"""The crops of one clip."""

STRIDES = (1, 2, 4, 8)
"""Frames of a clip per frame of a crop; training on low frame rates too is worth 0.2 dB (VidTok, 2024)."""

SCALES = (1.0, 1.5, 2.0, 3.0)
"""By how much frames are shrunk before a crop is cut."""

LARGEST_BLOCK = 1 << 30
"""Bytes that the crops of one clip may take, in memory and in their file."""

_RUN_BYTES = 1 << 25
"""Bytes of decoded frames that are cut at a time."""

_LONGEST = 2**31
"""Frames that a clip may claim to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareConfig:
    """What is cut out of each clip; every clip counts the same, however long it is.

    Attributes:
        crop: rows and columns of a crop.
        frames: of a crop.
        per_clip: crops of a clip; fewer where some are blank.
        seed: of the random choices; the same seed gives the same bytes.
    """

    crop: int = 160
    frames: int = 33
    per_clip: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.crop, self.frames, self.per_clip) < 1 or self.seed < 0:
            raise OptionError(
                f"crop is {self.crop}, frames is {self.frames}, per_clip is {self.per_clip} and seed is "
                f"{self.seed}; the first three start at 1 and the seed at 0."
            )
        size = self.per_clip * self.frames * self.crop**2 * 3
        if size > LARGEST_BLOCK:
            raise OptionError(
                f"the {self.per_clip} crops of a clip would take {size} bytes; at most {LARGEST_BLOCK} are "
                "held in memory. Choose fewer or smaller crops."
            )


class Skipped(NamedTuple):
    """Why a clip gives no crop, and whether that is because it is damaged."""

    reason: str
    damaged: bool = False


def plan_cuts(
    config: PrepareConfig, *, length: int, height: int, width: int, generator: np.random.Generator
) -> list[Cut]:
    """Draw the stride, first frame, scale and position of each crop; all that fit are equally likely.

    Gives none if the clip is too short or too small for a crop.

    Args:
        config: how many crops, and of which size.
        length: frames of the clip.
        height: of its frames.
        width: of its frames.
        generator: of the random choices.
    """
    strides = [stride for stride in STRIDES if (config.frames - 1) * stride < length]
    sizes = {scale: (round(height / scale), round(width / scale)) for scale in SCALES}
    scales = [scale for scale, size in sizes.items() if min(size) >= config.crop]
    if not strides or not scales:
        return []
    cuts = []
    for _ in range(config.per_clip):
        stride = strides[generator.integers(len(strides))]
        scale = scales[generator.integers(len(scales))]
        rows, columns = sizes[scale]
        cuts.append(
            Cut(
                first=int(generator.integers(length - (config.frames - 1) * stride)),
                stride=stride,
                scale=scale,
                row=int(generator.integers(rows - config.crop + 1)),
                column=int(generator.integers(columns - config.crop + 1)),
            )
        )
    return cuts


class Cropped(NamedTuple):
    """The crops of a clip, where they are in it, and whether its end is missing."""

    cuts: list[Cut]
    block: Block
    damaged: bool


def crops_of(clip: AnyVideo, number: int, config: PrepareConfig) -> Cropped | Skipped:
    """Give the crops of a clip, or why there are none.

    A clip whose end is missing gives crops of what is left. One with damage before the last frame of a crop
    gives none: frames that a decoder patched up look sound, and a network would learn them.

    Args:
        clip: a video, or a range of one.
        number: of the clip among all; with the seed it decides which crops are cut.
        config: how many, and of which size.
    """
    try:
        with open_any(clip) as opened:
            info = opened.info
        length = _claimed_length(info)
        if length < config.frames:
            length = _counted_length(clip)
        # A clip that ends before its time is planned again, with the length that was found.
        while True:
            generator = np.random.default_rng((config.seed, number))
            cuts = plan_cuts(config, length=length, height=info.height, width=info.width, generator=generator)
            if not cuts:
                return Skipped(_why_none(info, length, config), damaged=bool(info.damage))
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                found = _cut_out(clip, info, cuts, config)
            if not isinstance(found, int):
                break
            length = found
    except VideoError as error:
        return Skipped(text_name(str(error)), damaged=True)
    for each in heard:
        if issubclass(each.category, DamageWarning):
            return Skipped(text_name(str(each.message)), damaged=True)
        warnings.warn(each.message, stacklevel=2)
    return Cropped(cuts, found, bool(info.damage))


def _why_none(info: VideoInfo, length: int, config: PrepareConfig) -> str:
    if length < config.frames:
        return f"it has {counted(length, 'frame')}; a crop takes {config.frames}"
    return f"its frames have {info.width}x{info.height} pixels; a crop takes {config.crop}x{config.crop}"


def _claimed_length(info: VideoInfo) -> int:
    """The number of frames that a file claims; 0 if it claims nothing."""
    if info.frames:
        return min(info.frames, _LONGEST)
    return round(min((info.duration_seconds or 0.0) * float(info.average_rate or 0), _LONGEST))


def _counted_length(clip: AnyVideo) -> int:
    count = 0
    try:
        with open_any(clip) as opened:
            for run in opened.runs():
                count += len(run.frames)
    except VideoError:
        # The frames before a damage are good.
        if not count:
            raise
    return count


def _cut_out(clip: AnyVideo, info: VideoInfo, cuts: list[Cut], config: PrepareConfig) -> Block | int:
    """Give the crops, or the number of frames if the clip ends before they do.

    Raises:
        VideoError: nothing can be read.
    """
    places = [cut.first + cut.stride * np.arange(config.frames) for cut in cuts]
    stop = max(int(place[-1]) for place in places) + 1
    block = np.empty((len(cuts), config.frames, config.crop, config.crop, 3), np.uint8)
    run_length = max(1, _RUN_BYTES // (info.height * info.width * 3))
    begin = 0
    try:
        with open_any(clip) as opened:
            for run in opened.runs(run=run_length, stop=stop):
                _fill(block, cuts, places, run.frames, begin)
                begin += len(run.frames)
    except VideoError:
        if not begin:
            raise
    return block if begin >= stop else begin


def _fill(block: Block, cuts: list[Cut], places: list[np.ndarray], frames: Frames, begin: int) -> None:
    """Copy what a run of frames, the first of which is number `begin`, gives to each crop."""
    side = block.shape[2]
    for scale in SCALES:
        users = [number for number, cut in enumerate(cuts) if cut.scale == scale]
        inside = {n: (begin <= places[n]) & (places[n] < begin + len(frames)) for n in users}
        needed = np.unique([place for n in users for place in places[n][inside[n]]]).astype(np.intp)
        small = _shrink_by(frames[needed - begin], scale)
        for n in users:
            rows = slice(cuts[n].row, cuts[n].row + side)
            columns = slice(cuts[n].column, cuts[n].column + side)
            block[n, inside[n]] = small[np.searchsorted(needed, places[n][inside[n]]), rows, columns]


def _shrink_by(frames: Frames, scale: float) -> Small:
    height, width = frames.shape[1:3]
    return frames if scale == 1 else shrink(frames, height=round(height / scale), width=round(width / scale))
