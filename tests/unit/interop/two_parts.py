"""A model of two parts that remembers nothing: little to trace, so its exports are quick."""

import torch
from einops import repeat
from torch import Tensor
from torch.nn import functional as F

from tubelet.models.protocol import Decoded, Encoded, Past
from tubelet.models.whole_tile import WholeTileModel
from tubelet.types import Known, Latents, Part, Stride, Video

CELL = Stride(2, 8, 8)
PARTS = [Part("colour", 3, CELL), Part("light", 1, Stride(1, 8, 8))]


class TwoParts(WholeTileModel):
    """The colour of each cell, and how much brighter than it each frame is."""

    def __init__(self) -> None:
        super().__init__(PARTS, stride=CELL)

    def encode_groups(self, groups: Video, past: Past | None) -> Encoded:
        frames = F.avg_pool3d(groups, (1, 8, 8))
        colour = F.avg_pool3d(frames, (2, 1, 1))
        light = frames.mean(dim=1, keepdim=True) - _each_frame(colour).mean(dim=1, keepdim=True)
        return Encoded({"colour": colour, "light": light}, None, None)

    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        shown = [_shown(latents[part.name], known.get(part.name)) for part in PARTS]
        frames = _each_frame(shown[0]) + shown[1]
        return Decoded(repeat(frames, "b c t h w -> b c t (h rows) (w columns)", rows=8, columns=8), None)


def _each_frame(latent: Tensor) -> Tensor:
    return repeat(latent, "b c t h w -> b c (t two) h w", two=2)


def _shown(latent: Tensor, counts: Tensor | None) -> Tensor:
    channels = torch.arange(latent.shape[1]).reshape(-1, 1, 1, 1)
    return latent if counts is None else torch.where(channels < counts, latent, 0)
