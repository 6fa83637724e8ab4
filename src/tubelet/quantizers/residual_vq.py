"""Residual vector quantisation: each codebook stands for what those before it have left.

Source: Zeghidour et al. 2021 (arXiv:2107.03312), section III-C; the method is older: Juang & Gray 1982.
"""

from itertools import chain

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from tubelet.errors import OptionError, ShapeError
from tubelet.quantizers.codebooks import check_vectors
from tubelet.quantizers.digits import Bases, Digits, check_digits
from tubelet.quantizers.protocol import Quantized, Vectors
from tubelet.quantizers.vectors import full_precision, latent_to_rows, rows_to_latent
from tubelet.quantizers.vq import VQ, attraction, passed_through
from tubelet.types import Latent


class ResidualVQ(nn.Module):
    """One token per layer and position, the coarsest first; the first layers' tokens are a coarser latent.

    What digits stand for need not have these digits: a sum of entries may be nearer to another first one. Its
    first digit is its own if it is its only one.

    Args:
        channels: of the latent.
        codes: how many entries each layer's codebook has, two or more.
        layers: how many codebooks there are.
        decay: as of `VQ`.
        restart_below: as of `VQ`, for the entries of each layer.
        commitment: weight of the loss that draws what each layer gets to its entries.
        rotation: whether the gradient is turned as the latent is, by the sum of all layers.
        learned: whether entries move by the gradient of a loss instead of by averages.

    Attributes:
        channels: of the latent.
        bases: `codes`, for the only digit of each layer's token.
        layers: the codebooks.

    Raises:
        OptionError: a number is out of its range.
    """

    def __init__(
        self,
        channels: int,
        codes: int,
        layers: int,
        *,
        decay: float = 0.99,
        restart_below: float = 0.0,
        commitment: float = 0.25,
        rotation: bool = False,
        learned: bool = False,
    ) -> None:
        super().__init__()
        if layers < 1:
            raise OptionError(f"layers are {layers}; there must be one or more.")
        each = [
            VQ(
                channels,
                codes,
                decay=decay,
                restart_below=restart_below,
                commitment=commitment,
                learned=learned,
            )
            for _ in range(layers)
        ]
        self.channels = channels
        self.bases: Bases = tuple(chain.from_iterable(layer.bases for layer in each))
        self.commitment = commitment
        self.rotation = rotation
        self.learned = learned
        self.layers = nn.ModuleList(each)
        with torch.no_grad():
            for depth, layer in enumerate(each):
                # So much of a normal vector's length is left by the layers before, at best.
                layer.codebook *= codes ** (-depth / channels)
                layer.sums.copy_(layer.codebook)

    def forward(self, latent: Latent, layers: Int[Tensor, " n"] | None = None) -> Quantized:
        """Quantise in training.

        The gradient passes once, from the sum of the entries to the latent, however many layers there are.
        The loss is the sum of the layers' losses as of `VQ`.

        Args:
            latent: of clips.
            layers: how many layers stand for each clip, from 1; the caller draws it so that each number of
                layers is learned. The others add nothing to the latent and the loss, but have digits, and
                `update` moves their entries. All, if not given.

        Raises:
            OptionError: there are not so many layers.
            ShapeError: there is not one number for each clip.
        """
        used = self._used(latent, layers)
        with full_precision(latent):
            rows = latent_to_rows(latent, self.channels)
            left, total, loss = rows, torch.zeros_like(rows), rows.new_zeros(())
            digits = []
            for layer, clips in zip(self.codebooks(), used, strict=True):
                found = layer.quantize(rows_to_latent(left))
                entries = latent_to_rows(layer.dequantize(found), self.channels)
                loss = loss + attraction(
                    left, entries, commitment=self.commitment, learned=self.learned, clips=clips
                )
                left = left - entries.detach()
                total = total + entries.detach() * rearrange(clips, "b -> b 1 1 1 1")
                digits.append(found)
            value = passed_through(rows, total, rotation=self.rotation)
            return Quantized(rows_to_latent(value), torch.cat(digits, dim=1), loss)

    def quantize(self, latent: Latent) -> Digits:
        """The digits of a latent, of all layers."""
        with full_precision(latent), torch.no_grad():
            left = rows_to_latent(latent_to_rows(latent, self.channels))
            digits = []
            for layer in self.codebooks():
                digits.append(layer.quantize(left))
                left = left - layer.dequantize(digits[-1])
            return torch.cat(digits, dim=1)

    def dequantize(self, digits: Digits) -> Latent:
        """The latent that digits stand for, of all layers or of the first ones.

        Raises:
            ShapeError: there are no digits, or more than there are layers.
            TokenError: a digit is outside its base.
        """
        given = digits.shape[1] if digits.ndim == 5 else 0
        check_digits(digits, self.bases[: max(1, given)])
        parts = [layer.dequantize(digits[:, i : i + 1]) for i, layer in enumerate(self.codebooks()[:given])]
        total = torch.zeros_like(parts[0])
        for part in parts:
            total = total + part
        return total

    @torch.no_grad()
    def fit(self, vectors: Vectors, *, generator: torch.Generator) -> None:
        """Set the entries of one layer after the other by k-means of what is left.

        Args:
            vectors: latents, some for each entry.
            generator: draws the start of the means.

        Raises:
            ShapeError: the vectors have another number of channels, or there is none.
            LatentError: they hold NaN or infinity.
        """
        check_vectors(vectors, self.channels)
        left = vectors.to(torch.float32)
        for layer in self.codebooks():
            layer.fit(left, generator=generator)
            latent = rearrange(left, "n c -> n c 1 1 1")
            left = left - rearrange(layer.dequantize(layer.quantize(latent)), "n c 1 1 1 -> n c")

    @torch.no_grad()
    def update(self, latent: Latent, digits: Digits, *, generator: torch.Generator) -> None:
        """Move the entries of every layer as `VQ.update` does.

        Raises:
            ShapeError: the digits are not those of all layers.
            TokenError: a digit is outside its base.
        """
        check_digits(digits, self.bases)
        with full_precision(latent):
            left = rows_to_latent(latent_to_rows(latent, self.channels))
            for number, layer in enumerate(self.codebooks()):
                digit = digits[:, number : number + 1]
                before = layer.dequantize(digit)
                layer.update(left, digit, generator=generator)
                left = left - before

    def codebooks(self) -> list[VQ]:
        """The layers, the coarsest first."""
        return [layer for layer in self.layers if isinstance(layer, VQ)]

    def _used(self, latent: Latent, layers: Int[Tensor, " n"] | None) -> Float[Tensor, "layers b"]:
        """1 where a layer stands for a clip, 0 elsewhere."""
        most = len(self.layers)
        if layers is None:
            return torch.ones(most, len(latent), device=latent.device)
        if layers.shape != latent.shape[:1]:
            raise ShapeError(
                f"layers are of shape {tuple(layers.shape)} for {len(latent)} clips; give each clip a number."
            )
        if layers.numel() and not 1 <= int(layers.min()) <= int(layers.max()) <= most:
            raise OptionError(
                f"layers go from {int(layers.min())} to {int(layers.max())}; they must be from 1 to {most}."
            )
        number = torch.arange(most, device=latent.device)
        return (rearrange(number, "n -> n 1") < layers.to(latent.device)).to(torch.float32)
