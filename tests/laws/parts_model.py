"""A model of three parts of different strides, by arithmetic that shows every mistake of place."""

from collections.abc import Iterator

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.models.protocol import Decoded, Encoded, Footprint, Past, PixelsOf, Rows
from tubelet.models.whole_tile import HeldPast, decode_whole_tile, encode_whole_tile
from tubelet.types import Known, Latents, Part, Stride, Video

CELL = Stride(4, 16, 16)
PARTS = (Part("whole", 3, CELL), Part("rows", 3, Stride(2, 16, 4)), Part("columns", 3, Stride(1, 4, 16)))
WEIGHTS = {"whole": 0.5, "rows": 0.3, "columns": 0.4}


class PartsModel(nn.Module):
    """Each part holds means of pixels, mixed with the cells around and the step before."""

    def __init__(self, *, variational: bool = False) -> None:
        super().__init__()
        self.parts, self.stride, self.variational = PARTS, CELL, variational
        self.gain = nn.Parameter(torch.ones(()), requires_grad=False)

    dtype = property(lambda self: self.gain.dtype)
    device = property(lambda self: self.gain.device)
    encoder_halo = decoder_halo = 1
    warm_up = 1

    def encode_groups(self, groups: Video, past: Past | None) -> Encoded:
        around, after = self._mixed(_pooled(groups, CELL), past)
        latents = {part.name: _pooled(groups, part.stride) for part in PARTS}
        latents["whole"] = around
        spreads = {name: 0.1 * latent - 2 for name, latent in latents.items()}
        return Encoded(latents, spreads if self.variational else None, after)

    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        shown = {name: _masked(latent, known.get(name)) for name, latent in latents.items()}
        shown["whole"], after = self._mixed(shown["whole"], past)
        spread = (WEIGHTS[part.name] * _spread(shown[part.name], part.stride) for part in PARTS)
        return Decoded(sum(spread, start=torch.zeros((), dtype=self.dtype)), after)

    def _mixed(self, whole: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        """A weighted sum of a step's cells, of their neighbours, and of the step before."""
        before = whole[:, :, :1] if past is None else past[0]
        earlier = torch.cat([before, whole[:, :, :-1]], dim=2)
        padded = F.pad(whole, (1, 1, 1, 1))
        left, above = padded[..., 1:-1, :-2], padded[..., 2:, 1:-1]
        return self.gain * (whole + 0.25 * left + 0.125 * above + 0.5 * earlier), (whole[:, :, -1:].clone(),)

    def start_past(self, stored: Past | None) -> HeldPast:
        return HeldPast(stored)

    def encode_step(
        self, pixels_of: PixelsOf, past: HeldPast, *, cells: tuple[int, int], strip: int
    ) -> Encoded:
        return encode_whole_tile(self, pixels_of, past, cells=cells)

    def decode_step(self, latents: Latents, past: HeldPast, known: Known, *, strip: int) -> Iterator[Rows]:
        return decode_whole_tile(self, latents, past, known)

    def encoder_footprint(self) -> Footprint:
        return Footprint(remembered=24, whole=8 * 3 * 4 * 16 * 16, strip=0, most=1)

    decoder_footprint = encoder_footprint

    def networks(self) -> list[nn.Module]:
        return []


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
