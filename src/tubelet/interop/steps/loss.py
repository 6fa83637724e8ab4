"""What an exported tokenizer loses against the one that it was made from."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from tubelet.checkpoint import Checkpoint
from tubelet.data.scenes import SceneOptions, scene_at
from tubelet.metrics.psnr import ClipPSNR
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.types import Frames
from tubelet.video.pixels import from_model, to_model

_SCENE = SceneOptions(height=128, width=128, frames=17, things=(3, 3), grounds=("gradient",))

SCENE_TEXT = f"a rendered scene of {_SCENE.frames} frames of {_SCENE.width}x{_SCENE.height}"
"""What is encoded and decoded."""


class Loss(NamedTuple):
    """How well a clip comes back.

    Attributes:
        before: PSNR of the tokenizer that was exported, in dB.
        after: that of what was exported.
    """

    before: float
    after: float

    @property
    def db(self) -> float:
        """What is lost; below zero, if what was exported happens to be better."""
        return self.before - self.after


def measured_loss(original: Checkpoint[Any], exported: Checkpoint[Any]) -> Loss:
    """Encode and decode a rendered scene with both; of the original as many channels as were exported.

    Args:
        original: a tokenizer, continuous or discrete.
        exported: the same, read from files.
    """
    frames = scene_at(0, options=_SCENE).frames()
    channels: dict[str, int] = {}
    if isinstance(exported.tokenizer, ContinuousTokenizer):
        channels = {part.name: part.channels for part in exported.tokenizer.parts if part.ordered}
    return Loss(*(_psnr(each.tokenizer, frames, channels) for each in (original, exported)))


@torch.no_grad()
def _psnr(
    tokenizer: ContinuousTokenizer | DiscreteTokenizer, frames: Frames, channels: Mapping[str, int]
) -> float:
    video = to_model(frames)
    if isinstance(tokenizer, DiscreteTokenizer):
        back = tokenizer(video)
    else:
        count, height, width = frames.shape[:3]
        latents = tokenizer.encode_parts(video, channels=channels)
        back = tokenizer.decode_parts(latents, frames=count, height=height, width=width)
    psnr = ClipPSNR()
    psnr.update(frames, from_model(back))
    return psnr.compute()
