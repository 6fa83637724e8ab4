"""How the frames of a clip of any length and size fall into latent positions, and back."""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.errors import ShapeError
from tubelet.types import Stride, Video

Filled = Float[Tensor, "b 3 T_ H_ W_"]
"""A clip of whole groups and whole patches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Which frames and pixels belong to which latent position.

    With a lead frame the first frame is a group of its own, repeated to fill the patch (an image is a clip
    that stands still), and every further latent step holds ``stride.t`` frames: 1 + t·n frames are n + 1
    steps. Without one, every step holds ``stride.t`` frames. A last group that is not full is filled with
    its last frame, and sides that are not a multiple of the stride with their last row or column; decoding
    cuts both off.
    """

    stride: Stride
    lead_frame: bool

    def steps(self, frames: int) -> int:
        """Latent steps of a clip of `frames` frames."""
        if frames <= 0:
            return 0
        lead = int(self.lead_frame)
        return lead + -(-(frames - lead) // self.stride.t)

    def first_frame(self, step: int) -> int:
        """The first frame that latent step `step` holds; for the step past the end, the number of frames."""
        if self.lead_frame:
            return 0 if step == 0 else 1 + (step - 1) * self.stride.t
        return step * self.stride.t

    def step_of(self, frame: int) -> int:
        """The latent step that holds frame `frame`."""
        return self.steps(frame + 1) - 1

    def frames_in(self, step: int) -> int:
        """How many frames latent step `step` holds: one for a lead frame, else the stride."""
        return self.first_frame(step + 1) - self.first_frame(step)

    def cells(self, height: int, width: int) -> tuple[int, int]:
        """Latent rows and columns of frames of this size."""
        return -(-height // self.stride.h), -(-width // self.stride.w)

    def grid(self, frames: int, height: int, width: int) -> tuple[int, int, int]:
        """Latent steps, rows and columns of a clip of this length and size."""
        return (self.steps(frames), *self.cells(height, width))

    def group(self, video: Video) -> Filled:
        """Fill a clip up to whole groups and whole patches."""
        before = self.stride.t - 1 if self.lead_frame else 0
        frames, *sides = video.shape[2:]
        sizes = (before + frames, *sides)
        missing = Stride(*(-size % side for size, side in zip(sizes, self.stride, strict=True)))
        return fill(video, missing, before=before)

    def check(self, *, steps: int, frames: int, height: int, width: int, cells: tuple[int, int]) -> None:
        """Raise unless a latent of this many steps and cells belongs to a clip of this length and size.

        Raises:
            ShapeError: it does not.
        """
        check_positions(
            (steps, *cells),
            self.grid(frames, height, width),
            size=(frames, height, width),
            stride=self.stride,
            lead_frame=self.lead_frame,
        )

    def ungroup(self, groups: Filled, *, frames: int, height: int, width: int) -> Video:
        """Undo `group`; a repeated lead frame becomes the mean of its repeats, their best estimate."""
        if self.lead_frame:
            lead, rest = groups[:, :, : self.stride.t], groups[:, :, self.stride.t :]
            groups = torch.cat([lead.mean(dim=2, keepdim=True), rest], dim=2)
        return groups[:, :, :frames, :height, :width]


def check_positions(
    found: tuple[int, ...],
    expected: tuple[int, ...],
    *,
    size: tuple[int, int, int],
    stride: Stride,
    lead_frame: bool,
) -> None:
    """Raise unless a latent has the steps, rows and columns of a clip.

    Args:
        found: those that it has.
        expected: those of the clip.
        size: the clip's frames, rows and columns of pixels.
        stride: of the latent.
        lead_frame: whether the first frame is a group of its own.

    Raises:
        ShapeError: it has not.
    """
    if min(size) < 1 or expected != found:
        raise ShapeError(
            f"the latent has {'x'.join(map(str, found))} steps, rows and columns, but a clip of "
            f"{'x'.join(map(str, size))} has {'x'.join(map(str, expected))} at stride {stride} "
            f"{'with' if lead_frame else 'without'} a lead frame; give the size of the encoded clip."
        )


def fill(video: Video, missing: Stride, *, before: int = 0) -> Filled:
    """Repeat the last frame, row and column `missing` times; nothing is copied if nothing is missing.

    Channels lie where they did: padding by PyTorch puts them first, which whatever copies patches pays for.

    Args:
        video: of any size.
        missing: frames after the last, rows below and columns to the right.
        before: how often the first frame is repeated before it.
    """
    if not (any(missing) or before):
        return video
    clips, channels, *sides = video.shape
    frames = before + sides[0] + missing.t
    longer = [frames, sides[1] + missing.h, sides[2] + missing.w]
    if video.stride(1) == 1:
        whole = rearrange(video.new_empty(clips, *longer, channels), "b T H W c -> b c T H W")
    else:
        whole = video.new_empty(clips, channels, *longer)
    shown = slice(before, before + sides[0])
    whole[:, :, shown, : sides[1], : sides[2]] = video
    # What one axis leaves empty, the next one fills.
    whole[:, :, :before] = whole[:, :, before : before + 1]
    for axis, more in enumerate(missing, start=2):
        known = whole.shape[axis] - more
        whole.narrow(axis, known, more).copy_(whole.narrow(axis, known - 1, 1))
    return whole
