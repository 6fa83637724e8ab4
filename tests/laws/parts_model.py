"""A model of three parts of different strides, by arithmetic that shows every mistake of place."""

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor
from torch.nn import functional as F

from tubelet.models.protocol import Decoded, Encoded, Past
from tubelet.models.whole_tile import WholeTileModel
from tubelet.types import Known, Latents, Part, Stride, Video

CELL = Stride(4, 16, 16)
PARTS = (Part("whole", 3, CELL), Part("rows", 3, Stride(2, 16, 4)), Part("columns", 3, Stride(1, 4, 16)))
WEIGHTS = {"whole": 0.5, "rows": 0.3, "columns": 0.4}


class PartsModel(WholeTileModel):
    """Each part holds means of pixels, mixed with the cells around and the step before."""

    def __init__(self) -> None:
        super().__init__(PARTS, stride=CELL, halo=1, warm_up=1)

    def encode_groups(self, groups: Video, past: Past | None) -> Encoded:
        latents = {part.name: _pooled(groups, part.stride) for part in PARTS}
        latents["whole"], after = self._mixed(latents["whole"], past)
        return Encoded(latents, None, after)

    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        shown = {name: _masked(latent, known.get(name)) for name, latent in latents.items()}
        shown["whole"], after = self._mixed(shown["whole"], past)
        spread = [WEIGHTS[part.name] * _spread(shown[part.name], part.stride) for part in PARTS]
        return Decoded(spread[0] + spread[1] + spread[2], after)

    def _mixed(self, whole: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        """A weighted sum of a step's cells, of their neighbours, and of the step before."""
        before = whole[:, :, :1] if past is None else past[0]
        earlier = torch.cat([before, whole[:, :, :-1]], dim=2)
        padded = F.pad(whole, (1, 1, 1, 1))
        left, above = padded[..., 1:-1, :-2], padded[..., :-2, 1:-1]
        return whole + 0.25 * left + 0.125 * above + 0.5 * earlier, (whole[:, :, -1:].clone(),)


def _pooled(video: Tensor, stride: Stride) -> Tensor:
    t, h, w = stride
    return reduce(video, "b c (t pt) (h ph) (w pw) -> b c t h w", "mean", pt=t, ph=h, pw=w)


def _spread(latent: Tensor, stride: Stride) -> Tensor:
    """The first channels as colours, zero where they are missing, over the pixels of each position."""
    t, h, w = stride
    colours = F.pad(latent, (0, 0, 0, 0, 0, 0, 0, 3 - latent.shape[1]))
    return repeat(colours, "b c t h w -> b c (t pt) (h ph) (w pw)", pt=t, ph=h, pw=w)


def _masked(latent: Tensor, counts: Tensor | None) -> Tensor:
    channels = rearrange(torch.arange(latent.shape[1], device=latent.device), "c -> c 1 1 1")
    return latent if counts is None else torch.where(channels < counts, latent, 0)
