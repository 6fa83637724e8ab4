"""What a video's last frames have beyond their decoded version, for the frames that are predicted next.

A prediction is decoded, so detail that a tokenizer does not keep would be gone with the first predicted
frame, where nothing moves, too. There the last frame itself goes on, without its noise as far as the frames
before tell it, and what is predicted is a change of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tubelet.types import Frames, Video
from tubelet.video.pixels import to_model

_MEAN_OF = 4
"""Frames whose mean goes on where it is a better guess than their last one: noise is less in it."""

_JUDGED = 2
"""Last frames by which guesses from the frames before them are judged."""

LOOKED_AT = _MEAN_OF + _JUDGED
"""The last frames of a video that count."""

BYTES_PER_PIXEL = 3 * LOOKED_AT + 100
"""What is held of these frames in 8 bits, of what is lacking, and of the frame at work."""

_RADIUS = 3
"""Pixels to each side that count; radii of 6 and 12 differ by 0.01 dB (docs/lab-log.md)."""

_NEAR = 6
"""Pixels to each side beyond these from which something may move in."""

_STILL = (2 * 2 / 255) ** 2
"""Power of changes, of two levels of 8 bits, at which half of a prediction is believed."""

_HALO = _RADIUS + _RADIUS + _NEAR
"""Rows to each side that a row of what is found depends on."""

_ROWS = 128
"""Rows for which it is found at a time, where frames are in 8 bits."""

_LEAST = 1e-9
"""What a mean square counts at least, which is zero where a frame comes back as it was."""

Frame = Float[Tensor, "b 3 H W"]

Local = Float[Tensor, "b 1 H W"]
"""Mean of pixels around each place."""


@dataclass(frozen=True, slots=True)
class LastDetail:
    """Detail of the last frames, and where it may go on.

    Attributes:
        shown: what the tokenizer makes of the last frame, known or predicted.
        lacking: what the guess of the next frame has beyond it: of the last frame, or the last ones' mean.
        power: of that.
        frame_power: of what the last frame itself has beyond it.
        change: by how much frames differed from such a guess from the frames before them.
        believed: share of a predicted change that is shown, by how much changed nearby.
    """

    shown: Frame
    lacking: Frame
    power: Local
    frame_power: Local
    change: Local
    believed: Local

    @classmethod
    def of(cls, last: Video, shown: Frame) -> "LastDetail":
        """Find it.

        Args:
            last: the last frames of a video, at most `LOOKED_AT` of them, RGB in [-1, 1].
            shown: what the tokenizer makes of the last of these.
        """
        frame, judged = last[:, :, -1], _judged(last)
        share = _share_of_mean(judged, like=last[:, :1, -1])
        lacking = frame + share * _to_mean(last) - shown
        change = torch.zeros_like(share)
        for each in judged:
            change += _around(each.frame - (each.before + share * each.to_mean)) / len(judged)
        near = _mean(change, _NEAR)
        return cls(
            shown, lacking, _around(lacking), _around(frame - shown), change, believed=near / (near + _STILL)
        )

    @classmethod
    def of_frames(cls, frames: Frames, shown: Frame) -> "LastDetail":
        """The same of frames in 8 bits, in strips of rows, so that few pixels are numbers at a time.

        Args:
            frames: the last ones, at most `LOOKED_AT` of them.
            shown: what the tokenizer makes of the last of these.
        """
        height, strips = frames.shape[1], list[tuple[Tensor, ...]]()
        for top in range(0, height, _ROWS):
            first, last = max(0, top - _HALO), min(height, top + _ROWS + _HALO)
            of = cls.of(to_model(frames[:, first:last]).to(shown), shown[:, :, first:last])
            found = (of.lacking, of.power, of.frame_power, of.change, of.believed)
            strips.append(tuple(each[:, :, top - first :][:, :, :_ROWS].clone() for each in found))
        return cls(shown, *(torch.cat(each, dim=2) for each in zip(*strips, strict=True)))

    def added(self, coming: Video) -> Video:
        """Frames that are predicted, with the detail as far as it stands still.

        Where the video stood still, so do they, whatever a tokenizer expects. The share of the detail is what
        it has in common, at its power, with that of a frame of the last one's power which differs from the
        guess by such a change: ``(power + frame_power - change) / (2 power)``, from nothing to all. The
        change is that of the video's last frames and that of the prediction.
        """
        added = torch.empty_like(coming)
        for index, frame in enumerate(coming.unbind(dim=2)):
            added[:, :, index] = self._added(frame)
        return added

    def _added(self, frame: Frame) -> Frame:
        predicted = self.believed * (frame - self.shown)
        common = self.power + self.frame_power - self.change - _around(predicted)
        share = (common / (2 * self.power).clamp(min=_LEAST)).clamp(0, 1)
        return self.shown + predicted + share * self.lacking


class _Judged(NamedTuple):
    """One of the last frames, which guesses from those before it are held against.

    Attributes:
        frame: itself.
        before: the one before it.
        to_mean: from that one to the mean of the last ones before it.
    """

    frame: Frame
    before: Frame
    to_mean: Frame


def _judged(last: Video) -> list[_Judged]:
    """Those of the last frames that have one before them."""
    length = last.shape[2]
    return [
        _Judged(last[:, :, time], last[:, :, time - 1], _to_mean(last[:, :, :time]))
        for time in range(max(1, length - _JUDGED), length)
    ]


def _to_mean(before: Video) -> Frame:
    """From the last frame to the mean of the last ones."""
    return before[:, :, -_MEAN_OF:].mean(dim=2) - before[:, :, -1]


def _share_of_mean(judged: Sequence[_Judged], *, like: Local) -> Local:
    """The share of the way to the mean with the least squared error of guesses around each place."""
    along, squares = torch.zeros_like(like), torch.full_like(like, _LEAST)
    for each in judged:
        along += _local((each.frame - each.before) * each.to_mean)
        squares += _local(each.to_mean.square())
    return (along / squares).clamp(0, 1)


def _around(difference: Frame) -> Local:
    """The mean square of a difference around each place."""
    return _local(difference.square())


def _local(values: Frame) -> Local:
    """The mean of all colours of pixels around each place."""
    return _mean(rearrange(values.mean(dim=1), "b H W -> b 1 H W"), _RADIUS)


def _mean(values: Local, radius: int) -> Local:
    """The mean of so many pixels to each side that lie inside the frame."""
    return F.avg_pool2d(values, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)
