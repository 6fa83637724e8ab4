"""Two networks that correct the content of a model along motion, on its way in and on its way out.

```text
coefficients ─┬─ encoder ─ + ─ content       content ─┬─ decoder ─ + ─ coefficients
              └─ first K ─ ┘                          └─ zeros ─── ┘
```

Both are told how far a cell moves in each later frame, whether it is plain, and the first channels of the
places in the first frame that it comes from. Their last layers start at zero, so an untrained model equals
the linear one bit for bit.
"""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.models.motion.warp import FINENESS, Cells, Vectors
from tubelet.models.protocol import Past
from tubelet.nn.blocks import ResidualStack
from tubelet.nn.klt import correction_scale
from tubelet.nn.prefix import PrefixInput, column
from tubelet.types import Counts, Latent

WARPED = 16
"""Channels at most that networks see at the places from which a cell comes: the first ones."""


class Moves(NamedTuple):
    """What the networks are told of motion.

    Attributes:
        told: how far each cell moves, in deviations, and whether it is plain.
        vectors: where its later frames come from; zero where it is plain.
        cell: pixels of a cell.
    """

    told: Float[Tensor, "b m t h w"]
    vectors: Vectors
    cell: Cells


class Corrected(NamedTuple):
    """A latent or coefficients, corrected, and what is remembered for the steps that follow."""

    values: Latent
    past: Past


class MotionNetworks(nn.Module):
    """An encoder and a decoder.

    Attributes:
        encoder: corrects the first coefficients.
        decoder: corrects all coefficients.
        prefix: tells the decoder which channels there are.
        latent_mean: of each channel before it was standardised.
        latent_deviation: likewise.
    """

    def __init__(
        self,
        *,
        channels: int,
        coefficients: int,
        told: int,
        frames: int,
        width: int,
        blocks: tuple[int, int],
        memory: int,
    ) -> None:
        """Make networks that change nothing yet.

        Args:
            channels: of content.
            coefficients: of each basis.
            told: numbers that say how a cell moves.
            frames: of a step.
            width: channels inside.
            blocks: residual blocks of the encoder and of the decoder.
            memory: steps that each block looks back.
        """
        super().__init__()
        self.channels = channels
        known = told + (frames - 1) * min(WARPED, channels)
        self.encoder = ResidualStack(
            coefficients + known, channels, width=width, blocks=blocks[0], memory=memory
        )
        self.decoder = ResidualStack(
            channels + 1 + known, coefficients, width=width, blocks=blocks[1], memory=memory, rated=True
        )
        self.prefix = PrefixInput(channels)
        self.register_buffer("latent_mean", torch.zeros(channels))
        self.register_buffer("latent_deviation", torch.ones(channels))
        self.latent_mean: Tensor
        self.latent_deviation: Tensor

    def encode(
        self, coefficients: Latent, moves: Moves, past: Past | None, deviation: Float[Tensor, " k"]
    ) -> Corrected:
        """Content of whole steps.

        Args:
            coefficients: all of them, of unit variance.
            moves: of the same cells.
            past: what this gave for the steps before; none at the start of a clip.
            deviation: of each coefficient, in pixels.
        """
        inputs = torch.cat([coefficients, self._known(coefficients, moves)], dim=1)
        correction, after = self.encoder(inputs, past)
        every = torch.tensor(self.channels, device=deviation.device)
        scale = correction_scale(deviation, every)[: self.channels]
        raw = coefficients[:, : self.channels] + scale * correction
        return Corrected((raw - column(self.latent_mean)) / column(self.latent_deviation), after)

    def decode(
        self,
        content: Latent,
        counts: Counts | None,
        moves: Moves,
        past: Past | None,
        deviation: Float[Tensor, " k"],
    ) -> Corrected:
        """All coefficients of the first channels of content; the mirror of `encode`.

        Args:
            content: the first channels.
            counts: how many of them each position has; none if every position has all.
            moves: of the same cells.
            past: what this gave for the steps before; none at the start of a clip.
            deviation: of each coefficient, in pixels.
        """
        kept = content.shape[1]
        linear = content * column(self.latent_deviation[:kept]) + column(self.latent_mean[:kept])
        features = self.prefix(linear, counts)
        inputs = torch.cat([features.inputs, self._known(features.skip, moves)], dim=1)
        correction, after = self.decoder(inputs, past, features.rates)
        skip = F.pad(features.skip, (0, 0, 0, 0, 0, 0, 0, len(deviation) - self.channels))
        return Corrected(skip + correction_scale(deviation, features.counts) * correction, after)

    def standardise(self, mean: Float[Tensor, " c"], deviation: Float[Tensor, " c"]) -> None:
        """Say what mean and deviation content has; from then on it has 0 and 1, and decodes as before."""
        self.latent_mean.add_(self.latent_deviation * mean)
        self.latent_deviation.mul_(deviation)

    def _known(self, features: Latent, moves: Moves) -> Float[Tensor, "b d t h w"]:
        """How cells move, and the first channels of the places that they come from."""
        some = rearrange(features[:, : min(WARPED, self.channels)], "b c t h w -> (b t) c h w")
        found = warped(some, moves.vectors, moves.cell)
        return torch.cat(
            [moves.told, rearrange(found, "(b t) k c h w -> b (k c) t h w", b=len(features))], dim=1
        )


def warped(features: Float[Tensor, "n c h w"], vectors: Vectors, cell: Cells) -> Float[Tensor, "n k c h w"]:
    """Features of first frames at the places that cells come from, between the four nearest cells.

    Beyond the border are those at the border, as for pixels.

    Args:
        features: of each cell.
        vectors: of the frames after the first.
        cell: pixels of a cell.
    """
    (_, _, height, width), later = features.shape, vectors.shape[1]
    down, right = vectors.unbind(dim=2)
    rows = _places(down, rearrange(torch.arange(height, device=down.device), "h -> h 1"), cell.h)
    columns = _places(right, torch.arange(width, device=down.device), cell.w)
    flat = features.flatten(2)
    total = torch.zeros_like(flat).repeat(1, 1, later)
    for row, high in zip(rows.cells, rows.shares, strict=True):
        for column_, wide in zip(columns.cells, columns.shares, strict=True):
            place = row.clamp(0, height - 1) * width + column_.clamp(0, width - 1)
            index = rearrange(place, "n k h w -> n 1 (k h w)").expand(-1, flat.shape[1], -1)
            share = rearrange((high * wide).to(flat.dtype), "n k h w -> n 1 (k h w)")
            total = total + share * flat.gather(2, index)
    return rearrange(total, "n c (k h w) -> n k c h w", k=later, h=height)


class _Places(NamedTuple):
    """Along one axis: the two cells that a place lies between, and how much of each it is."""

    cells: tuple[Tensor, Tensor]
    shares: tuple[Tensor, Tensor]


def _places(quarters: Tensor, cells: Tensor, pixels: int) -> _Places:
    """Where vectors lead to, from cells of so many pixels."""
    unit = FINENESS * pixels
    first = cells + quarters.div(unit, rounding_mode="floor")
    share = quarters.remainder(unit).double() / unit
    return _Places((first, first + 1), (1 - share, share))
