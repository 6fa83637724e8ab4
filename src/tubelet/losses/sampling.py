"""Some frames of every clip, for a loss that costs too much on all of them."""

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
    frames: int,
    generator: torch.Generator,
) -> Pair:
    """Take a few frames of every clip, the same of both videos.

    Each clip draws its own frames, every set of frames with the same chance and in their order; so the mean
    of a loss per frame has the mean over all frames as its expectation. LPIPS on every frame costs more than
    ten times what a small tokenizer does: LeanVAE (arXiv:2503.14325) takes five frames of a clip.

    Args:
        reference: what `video` should be.
        video: what is compared with it.
        frames: how many per clip; all, where a clip has fewer.
        generator: decides. One on the CPU serves videos on any device, and then nothing waits for the device.

    Returns:
        Both, b 3 frames H W. The frames are not neighbours any more: they do not suit a loss on motion.

    Raises:
        OptionError: frames is below 1.
        ShapeError: the shapes differ or hold no numbers.
    """
    if frames < 1:
        raise OptionError(f"frames is {frames}; it must be at least 1.")
    reference, video = alike(reference, video)
    check_clip(video)
    length = video.shape[2]
    parts: list[tuple[Tensor, Tensor]] = []
    for clip in range(len(video)):
        chosen = _draw_frames(length, min(frames, length), generator).to(video.device)
        parts.append((reference[clip].index_select(1, chosen), video[clip].index_select(1, chosen)))
    return Pair(*(torch.stack(side) for side in zip(*parts, strict=True)))


def _draw_frames(length: int, kept: int, generator: torch.Generator) -> Tensor:
    """`kept` different frame numbers in their order."""
    order = torch.randperm(length, generator=generator, device=generator.device)
    return order[:kept].sort().values
