"""A part of a batch for a loss that is too dear for the whole."""

import torch
from torch import Tensor

from tubelet.checks import check_clip
from tubelet.errors import OptionError
from tubelet.losses.pair import Pair, alike
from tubelet.types import Video


def sample(
    reference: Video,
    video: Video,
    *,
    frames: int | None = None,
    crop: int | None = None,
    generator: torch.Generator,
) -> Pair:
    """Take a few frames of every clip, and one square of them, at the same places of both videos.

    Each clip draws its own frames, every set of frames with the same chance and in their order; so the mean
    of a loss per frame has the mean over all frames as its expectation. Each clip draws its own corner, every
    position with the same chance; samples near the border are in fewer squares, so they count less. LPIPS on
    every frame costs more than ten times what a small tokenizer does: LeanVAE (arXiv:2503.14325) takes five
    frames of a clip.

    Args:
        reference: what `video` should be.
        video: what is judged.
        frames: how many per clip; all for none, or where a clip has fewer.
        crop: rows and columns of the square; the whole frame for none, or a side that is shorter.
        generator: decides. One on the CPU serves videos on any device, and then nothing waits for the device.

    Returns:
        Both, b 3 frames crop crop. The frames are no neighbours any more: not for a loss on motion.

    Raises:
        OptionError: frames or crop is below 1.
        ShapeError: the shapes differ or hold no numbers.
    """
    for name, number in {"frames": frames, "crop": crop}.items():
        if number is not None and number < 1:
            raise OptionError(f"{name} is {number}; it must be at least 1, or None for all.")
    reference, video = alike(reference, video)
    check_clip(video)
    clips, _, length, height, width = video.shape
    kept = length if frames is None else min(frames, length)
    tall, wide = (side if crop is None else min(crop, side) for side in (height, width))
    parts: list[tuple[Tensor, Tensor]] = []
    for clip in range(clips):
        chosen = _draw_frames(length, kept, generator).to(video.device)
        top = _draw_corner(height - tall, generator)
        left = _draw_corner(width - wide, generator)
        expected, found = (
            each[clip, :, :, top : top + tall, left : left + wide].index_select(1, chosen)
            for each in (reference, video)
        )
        parts.append((expected, found))
    return Pair(*(torch.stack(side) for side in zip(*parts, strict=True)))


def _draw_frames(length: int, kept: int, generator: torch.Generator) -> Tensor:
    """`kept` different frame numbers in their order."""
    order = torch.randperm(length, generator=generator, device=generator.device)
    return order[:kept].sort().values


def _draw_corner(slack: int, generator: torch.Generator) -> int:
    """A number from 0 to `slack`, both included."""
    return int(torch.randint(slack + 1, (), generator=generator, device=generator.device))
