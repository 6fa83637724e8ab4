"""Quantisers with codebooks on the channels of one step, on four axes; see `tubelet.quantizers.flat`.

Scores are products in float32, so of entries that are nearly equally near another one may be taken than
`tubelet.quantizers.nearest` finds.
"""

from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.quantizers.nearest import Codebook

AT_ONCE = 1 << 12
"""Entries that are compared at a time, whose scores exist for every position."""

Step = Float[Tensor, "1 c h w"]
FlatIndex = Int[Tensor, "1 1 h w"]


class FlatCodebook(nn.Module):
    """The best entry for each position of a step, and what it stands for.

    Args:
        entries: what a latent is compared with.
        radius: what entries are multiplied with to stand for a latent.
        by_product: whether the inner product decides, not the distance.
    """

    def __init__(self, entries: Codebook, *, radius: float = 1.0, by_product: bool = False) -> None:
        super().__init__()
        entries = entries.detach().clone()
        squares = entries.double().square().sum(dim=1).float()
        self.register_buffer("entries", entries)
        self.register_buffer("bias", torch.zeros_like(squares) if by_product else -squares / 2)
        self.register_buffer("values", radius * entries)
        self.entries: Tensor
        self.bias: Tensor
        self.values: Tensor

    def quantize(self, latent: Step) -> FlatIndex:
        """The numbers of the entries, ``torch.int32``; the first of equally good ones."""
        best, found = None, None
        for first in range(0, len(self.entries), AT_ONCE):
            some = rearrange(self.entries[first : first + AT_ONCE], "k c -> k c 1 1")
            scores = F.conv2d(latent, some, self.bias[first : first + AT_ONCE])
            score, index = scores.amax(dim=1, keepdim=True), scores.argmax(dim=1, keepdim=True) + first
            if best is None or found is None:
                best, found = score, index
            else:
                better = score > best
                best, found = torch.where(better, score, best), torch.where(better, index, found)
        assert found is not None
        return found.to(torch.int32)

    def dequantize(self, digits: FlatIndex) -> Step:
        """What entries stand for."""
        found = self.values.index_select(0, digits.to(torch.int64).flatten())
        return found.t().reshape(1, self.values.shape[1], *digits.shape[2:])


class FlatLayers(nn.Module):
    """Codebooks of which each stands for what those before it have left, a digit each."""

    def __init__(self, layers: Sequence[FlatCodebook]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def quantize(self, latent: Step) -> Int[Tensor, "1 n h w"]:
        """The digits of all layers."""
        found: list[Tensor] = []
        for layer in self._each():
            found.append(layer.quantize(latent))
            latent = latent - layer.dequantize(found[-1])
        return torch.cat(found, dim=1)

    def dequantize(self, digits: Int[Tensor, "1 n h w"]) -> Step:
        """What they stand for together."""
        parts = [layer.dequantize(digits[:, i : i + 1]) for i, layer in enumerate(self._each())]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def _each(self) -> list[FlatCodebook]:
        return [layer for layer in self.layers if isinstance(layer, FlatCodebook)]
