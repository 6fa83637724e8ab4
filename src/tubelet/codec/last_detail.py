"""What a video's last frame has and its decoded version lacks, for the frames that are predicted after it.

A prediction is decoded, so detail that a tokenizer does not keep would be gone with the first predicted
frame, where nothing moves, too. There the last frame itself goes on, and what is predicted is a change of it.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tubelet.types import Video

LOOKED_AT = 4
"""The last frames of a video that say where it stands still."""

BYTES_PER_PIXEL = 12 * LOOKED_AT + 80
"""What is held of these frames, of what the last one lacks, and of the frame at work."""

_RADIUS = 3
"""Pixels to each side that count; radii of 6 and 12 differ by 0.01 dB (docs/lab-log.md)."""

_NEAR = 6
"""Pixels to each side beyond these from which something may move in."""

_STILL = (2 * 2 / 255) ** 2
"""Power of changes, of two levels of 8 bits, at which half of a prediction is believed."""

_LEAST = 1e-9
"""What a mean square counts at least, which is zero where a frame comes back as it was."""

Power = Float[Tensor, "b 1 H W"]
"""Mean square of pixels around each place."""


@dataclass(frozen=True, slots=True)
class LastDetail:
    """Detail of a last frame, and where it may go on.

    Attributes:
        shown: what the tokenizer makes of that frame, known or predicted.
        lacking: what the frame has beyond it.
        power: of that.
        moved: by how much the frame differs from those before it.
        believed: share of a predicted change that is shown, by how much moved nearby.
    """

    shown: Float[Tensor, "b 3 H W"]
    lacking: Float[Tensor, "b 3 H W"]
    power: Power
    moved: Power
    believed: Float[Tensor, "b 1 H W"]

    @classmethod
    def of(cls, last: Video, shown: Float[Tensor, "b 3 H W"]) -> "LastDetail":
        """Find it.

        Args:
            last: the last frames of a video, at most `LOOKED_AT` of them, RGB in [-1, 1].
            shown: what the tokenizer makes of the last of these.
        """
        frame = last[:, :, -1]
        moved = torch.zeros_like(frame[:, :1])
        for before in last[:, :, :-1].unbind(dim=2):
            moved += _around(frame - before) / (last.shape[2] - 1)
        lacking = frame - shown
        near = _mean(moved, _NEAR)
        return cls(shown, lacking, _around(lacking), moved, near / (near + _STILL))

    def added(self, coming: Video) -> Video:
        """Frames that are predicted, with the detail as far as it stands still.

        Where the video stood still, so do they, whatever a tokenizer expects. The share of the detail is what
        it has in common, at its power, with that of a frame from which it differs by such a change:
        ``1 - change / (2 power)``, at least nothing. The change is that of the video's last frames and that
        of the prediction. Detail that is new in each frame, as noise is, changes by twice its power.
        """
        return torch.stack([self._added(frame) for frame in coming.unbind(dim=2)], dim=2)

    def _added(self, frame: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b 3 H W"]:
        predicted = self.believed * (frame - self.shown)
        change = self.moved + _around(predicted)
        share = (1 - change / (2 * self.power).clamp(min=_LEAST)).clamp(min=0)
        return self.shown + predicted + share * self.lacking


def _around(difference: Float[Tensor, "b 3 H W"]) -> Power:
    """The mean square of a difference around each place."""
    return _mean(rearrange(difference.square().mean(dim=1), "b H W -> b 1 H W"), _RADIUS)


def _mean(values: Float[Tensor, "b 1 H W"], radius: int) -> Float[Tensor, "b 1 H W"]:
    """The mean of so many pixels to each side that lie inside the frame."""
    return F.avg_pool2d(values, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)
