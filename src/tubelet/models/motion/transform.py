"""The two bases of a model along motion: of groups moved onto their first frames, and of groups as they are.

Where nothing can be followed, at a cut or in fast blur, frames have more temporal detail than a basis of
groups that stand still has room for. Such cells take a basis of their own.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tubelet.nn.klt import KLT
from tubelet.types import Stride

PlainCells = Bool[Tensor, "n h w"]
"""Which cells of groups take the basis of groups as they are."""


class TwoBases(nn.Module):
    """A KLT for each kind of cell, and one deviation for each channel of both.

    One deviation, so that a quantiser step of a channel is the same number of levels in every cell.

    Attributes:
        along: of groups that were moved onto their first frames.
        plain: of groups as they are.
        deviation: of each channel of the first over what it was fitted to.
    """

    def __init__(self, patch: Stride, *, channels: int) -> None:
        super().__init__()
        self.along = KLT(patch, inputs=3, outputs=channels)
        self.plain = KLT(patch, inputs=3, outputs=channels)
        self.register_buffer("deviation", torch.ones(channels))
        self.deviation: Tensor

    @property
    def klts(self) -> list[KLT]:
        """Both bases, that along motion first."""
        return [self.along, self.plain]

    def forward(self, patches: Float[Tensor, "n h w d"], plain: PlainCells) -> Float[Tensor, "n h w k"]:
        """Cells of whole groups to coefficients of unit variance."""
        coefficients = self.along.project(patches)
        if plain.any():
            coefficients[plain] = self.plain.project(patches[plain])
        return coefficients / self.deviation

    def inverse(self, latent: Float[Tensor, "n h w k"], plain: PlainCells) -> Float[Tensor, "n h w d"]:
        """Undo `forward`; of the first k channels, or all."""
        coefficients = latent * self.deviation[: latent.shape[-1]]
        patches = self.along.rebuild(coefficients)
        if plain.any():
            patches[plain] = self.plain.rebuild(coefficients[plain])
        return patches

    def narrowed(self, channels: int) -> "TwoBases":
        """The first channels as bases of their own."""
        narrow = TwoBases(self.along.patch, channels=channels)
        for new, known in ((narrow.along, self.along), (narrow.plain, self.plain)):
            new.load_state_dict({"basis": known.basis[:channels], "mean": known.mean})
        narrow.deviation.copy_(self.deviation[:channels])
        return narrow
