"""The frames of a clip that a protocol compares."""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tubelet.errors import DamageWarning, ShapeError, TubeletWarning
from tubelet.evaluate.frame_buffer import FrameBuffer
from tubelet.evaluate.protocols import Protocol
from tubelet.types import Frames
from tubelet.video.info import USUAL_RATE
from tubelet.video.ranges import AnyVideo, open_any, path_of
from tubelet.video.resize import Small, shrink_to_short_side


class Clip(NamedTuple):
    """A clip as a protocol wants it.

    Attributes:
        frames: all that are compared.
        rate: frames per second.
        warnings: what reading had to say.
        damage: those of them that say what is damaged.
    """

    frames: Frames
    rate: Fraction
    warnings: tuple[str, ...]
    damage: tuple[str, ...]


def open_clip(video: AnyVideo, protocol: Protocol) -> Clip:
    """Read a clip by a protocol.

    Raises:
        VideoError: it cannot be read, or its size changes.
        ShapeError: it is smaller than what the protocol cuts out.
    """
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        buffer: FrameBuffer | None = None
        with open_any(video) as opened:
            rate = opened.info.average_rate or USUAL_RATE
            for run in opened.runs(stop=protocol.frames):
                frames = fitted(run.frames, protocol)
                if buffer is None:
                    buffer = FrameBuffer(height=frames.shape[1], width=frames.shape[2])
                buffer.add(frames)
    if buffer is None:
        raise ShapeError(f"{path_of(video).name} gives no frame; a clip has at least one.")
    return Clip(buffer.frames(), rate, _said(heard, TubeletWarning), _said(heard, DamageWarning))


def _said(heard: Sequence[warnings.WarningMessage], category: type[Warning]) -> tuple[str, ...]:
    """The messages of one category, each once."""
    said = dict.fromkeys(str(each.message) for each in heard if issubclass(each.category, category))
    return tuple(said)


def fitted(frames: Frames, protocol: Protocol) -> Small:
    """Frames at the size that a protocol compares.

    Raises:
        ShapeError: they are smaller than what is cut out.
    """
    if protocol.short_side is not None:
        frames = shrink_to_short_side(frames, protocol.short_side)
    side = protocol.crop
    if side is None:
        return frames
    height, width = frames.shape[1:3]
    if min(height, width) < side:
        raise ShapeError(
            f"the frames have {width}x{height} pixels; {protocol.name} cuts {side}x{side} out of each and "
            "enlarges none. Leave this clip out."
        )
    top, left = (height - side) // 2, (width - side) // 2
    return frames[:, top : top + side, left : left + side]


def windows(frames: Frames, protocol: Protocol) -> Iterator[Frames]:
    """The parts of a clip that are reconstructed by themselves; the whole clip where there are no windows."""
    length = protocol.window
    if length is None:
        yield frames
        return
    for begin in range(0, len(frames), length):
        part = frames[begin : begin + length]
        missing = length - len(part)
        yield np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part


def identity(video: AnyVideo, name: str) -> dict[str, Any]:
    """Who a clip is: its name, the bytes of its file and their SHA-256; none of one that cannot be read."""
    path = path_of(video)
    try:
        with path.open("rb") as file:
            digest, size = hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
    except OSError:
        digest, size = "", 0  # reconstructing it says why
    return {"name": name, "bytes": size, "sha256": digest}
