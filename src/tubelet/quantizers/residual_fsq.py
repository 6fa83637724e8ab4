"""Residual finite scalar quantisation: each layer rounds what those before it have left, on a finer scale.

Source: Mentzer et al. 2023 (arXiv:2309.15505) for levels instead of a codebook; Parker et al. 2024
(arXiv:2411.19842), section 3.2, for levels at even distances from -1 to 1, which fit into one another: of L
levels, each has a cell that reaches half a distance to both sides, and a layer scaled by 1/L divides it
evenly into L. Layer after layer is therefore the same as dividing the range into Lⁿ even cells at once and
writing the number of the cell in base L, the first layer's digit counting most. So it is computed here, and
the first layers' digits are exactly those that fewer layers give.

`ResidualFSQ` without `fit` has the digits and values of the published one. As in `FSQ`, `fit` chooses a gain
per channel before the bound, and cells stand for the mean of what falls into them.
"""

from itertools import accumulate
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

from tubelet.errors import OptionError, ShapeError
from tubelet.quantizers.codebooks import check_vectors
from tubelet.quantizers.digits import Bases, Digits, check_digits, digits_kind
from tubelet.quantizers.fsq import GAINS
from tubelet.quantizers.protocol import Quantized, Vectors
from tubelet.quantizers.vectors import Rows, full_precision, latent_to_rows, rows_to_latent, straight_through
from tubelet.types import Latent

MOST_CELLS = 1 << 16
"""Of a channel, by all layers: each has its own value, and float32 tells 2⁸ places apart inside it."""

FITTING_VECTORS = 1 << 14
"""What gains are chosen on; values are means of all vectors."""

Cells = Int[Tensor, "b t h w c"]
"""The cell of each channel at each position, among those of all layers or of the first ones."""

Places = Int[Tensor, "layers n c"]
"""Where in `values` the cells stand that vectors fall into, by layer."""


class CellNumbers(NamedTuple):
    """Numbers of the cells of a `ResidualFSQ`.

    Attributes:
        levels: of each channel, in each layer.
        counts: cells of each channel, among those of the layers so far.
        starts: where in the values those of a channel begin.
        edge: where the outer edge of the last cell is, the last level being 1.
    """

    levels: Int[Tensor, " c"]
    counts: Int[Tensor, "layers c"]
    starts: Int[Tensor, "layers c"]
    edge: Float[Tensor, " c"]


class ResidualFSQ(nn.Module):
    """One token per layer and position, one digit per channel; the first layers' tokens are a coarser latent.

    Args:
        levels: how many values each channel has in each layer, two or more.
        layers: how many layers there are.

    Attributes:
        channels: of the latent, one for each of `levels`.
        bases: `levels`, for each layer's token.
        gain: what each channel is multiplied with before it is bounded.
        values: what each cell of each channel stands for, those of the first layer first; learned.

    Raises:
        OptionError: a channel has fewer than two levels or too many cells, or there is no layer.
    """

    def __init__(self, levels: tuple[int, ...], layers: int) -> None:
        super().__init__()
        if not levels or min(levels) < 2 or layers < 1:
            raise OptionError(
                f"levels are {levels} in {layers} layers; each channel needs two or more, in a layer or more."
            )
        if max(levels) ** layers > MOST_CELLS:
            raise OptionError(
                f"{max(levels)} levels in {layers} layers are {max(levels) ** layers} cells of a channel; it "
                f"may have {MOST_CELLS}. Use fewer layers."
            )
        self.channels = len(levels)
        self.layers = layers
        self.bases: Bases = (tuple(levels),) * layers
        cells = torch.tensor([[each ** (depth + 1) for each in levels] for depth in range(layers)])
        starts = list(accumulate(cells.flatten().tolist(), initial=0))[:-1]
        self.register_buffer("_levels", torch.tensor(levels), persistent=False)
        self.register_buffer("_cells", cells, persistent=False)
        self.register_buffer("_starts", torch.tensor(starts).reshape(cells.shape), persistent=False)
        self.register_buffer(
            "_edge",
            torch.tensor([each / (each - 1) for each in levels], dtype=torch.float32),
            persistent=False,
        )
        self._levels: Tensor
        self._cells: Tensor
        self._starts: Tensor
        self._edge: Tensor
        self.register_buffer("gain", torch.ones(len(levels)))
        self.gain: Tensor
        self.values = nn.Parameter((self._middles() * self._of_cells(self._edge)).to(torch.float32))

    def forward(self, latent: Latent, layers: Int[Tensor, " b"] | None = None) -> Quantized:
        """Quantise in training: the gradient is that of the bound, once, however many layers there are.

        Args:
            latent: of clips.
            layers: how many layers stand for each clip, from 1; the caller draws it so that each number of
                layers is learned. Digits are of all layers nevertheless. All, if not given.

        Raises:
            ShapeError: the latent has not `channels` channels, or there is not one number for each clip.
            LatentError: it holds NaN or infinity.
            OptionError: there are not so many layers.
        """
        with full_precision(latent):
            rows = latent_to_rows(latent, self.channels)
            bounded = self._bound(rows)
            finest = self._cell(bounded)
            kept = self._kept(latent, layers)
            cells = finest // _of_clips(self._cells[-1] // self._cells[kept])
            value = self.values[cells + _of_clips(self._starts[kept])]
            # Near zero a step of the latent is a step of what stands for it.
            value = straight_through(value, bounded * (self._edge / self.gain))
        return Quantized(rows_to_latent(value), self._pack(finest), value.new_zeros(()))

    def quantize(self, latent: Latent) -> Digits:
        """The digits of a latent, of all layers."""
        with full_precision(latent), torch.no_grad():
            return self._pack(self._cell(self._bound(latent_to_rows(latent, self.channels))))

    def dequantize(self, digits: Digits) -> Latent:
        """The latent that digits stand for, of all layers or of the first ones.

        Raises:
            ShapeError: the digits are not those of whole layers, or of none, or of more than there are.
            TokenError: a digit is outside its base.
        """
        given = digits.shape[1] // self.channels if digits.ndim == 5 else 1
        given = min(max(given, 1), self.layers)
        check_digits(digits, self.bases[:given])
        by_layer = rearrange(digits, "b (n c) t h w -> n b t h w c", c=self.channels).long()
        cells = torch.zeros_like(by_layer[0])
        for layer in by_layer:
            cells = cells * self._levels + layer
        return rows_to_latent(self.values[cells + self._starts[given - 1]])

    @torch.no_grad()
    def fit(self, vectors: Vectors, *, generator: torch.Generator) -> None:
        """Choose the gain of each channel and the values of its cells for the least squared error.

        The gain is that of the least product of the errors of all layers. Each cell then stands for the mean
        of what falls into it, so that, on these vectors, no error grows with the number of layers.

        Args:
            vectors: latents of zero mean and unit variance, several for each cell of a channel.
            generator: not used.

        Raises:
            ShapeError: the vectors have another number of channels, or there is none.
            LatentError: they hold NaN or infinity.
        """
        check_vectors(vectors, self.channels)
        vectors = vectors.to(torch.float32)
        some = vectors[:: -(-len(vectors) // FITTING_VECTORS)]
        least = torch.full_like(self.gain, torch.inf)
        best = self.gain.clone()
        for gain in GAINS:
            self.gain.fill_(gain)
            places = self._places(some)
            errors = (some - self._means(some, places)[places]).square().sum(dim=1)
            # Vectors that are fewer than the cells have errors of zero, of which none is better.
            score = errors.clamp(min=torch.finfo(errors.dtype).tiny).log().sum(dim=0)
            best = torch.where(score < least, gain, best)
            least = torch.minimum(score, least)
        self.gain.copy_(best)
        self.values.copy_(self._means(vectors, self._places(vectors)))

    def update(self, latent: Latent, digits: Digits, *, generator: torch.Generator) -> None:
        """Nothing: all that moves moves by gradients."""

    def cells(self) -> "CellNumbers":
        """The numbers of its cells, such as an export needs."""
        return CellNumbers(self._levels, self._cells, self._starts, self._edge)

    def _bound(self, rows: Rows) -> Rows:
        """Into -1 to 1, where 1 is the outer edge of the last cell, `_edge` times the last level."""
        return torch.tanh(rows * self.gain / self._edge)

    def _cell(self, bounded: Rows) -> Cells:
        """Which cell of all layers, counted from -1."""
        count = self._cells[-1]
        cells = ((bounded.detach() + 1) / 2 * count).floor().long()
        return cells.clamp(torch.zeros_like(count), count - 1)

    def _pack(self, finest: Cells) -> Digits:
        by_layer = [finest // (self._cells[-1] // count) % self._levels for count in self._cells]
        return rearrange(by_layer, "n b t h w c -> b (n c) t h w").to(digits_kind(self.bases))

    def _kept(self, latent: Latent, layers: Int[Tensor, " b"] | None) -> Int[Tensor, " b"]:
        """The last layer that stands for each clip, counted from 0."""
        if layers is None:
            return torch.full((len(latent),), self.layers - 1, device=latent.device)
        if layers.shape != latent.shape[:1]:
            raise ShapeError(
                f"layers are of shape {tuple(layers.shape)} for {len(latent)} clips; give each clip a number."
            )
        if layers.numel() and not 1 <= int(layers.min()) <= int(layers.max()) <= self.layers:
            raise OptionError(
                f"layers go from {int(layers.min())} to {int(layers.max())}; they must be 1 to {self.layers}."
            )
        return layers.to(latent.device, torch.int64) - 1

    def _places(self, vectors: Vectors) -> Places:
        finest = self._cell(self._bound(rearrange(vectors, "n c -> n 1 1 1 c")))
        finest = rearrange(finest, "n 1 1 1 c -> 1 n c")
        each = rearrange(self._cells, "layers c -> layers 1 c")
        return finest // (self._cells[-1] // each) + rearrange(self._starts, "layers c -> layers 1 c")

    def _means(self, vectors: Vectors, places: Places) -> Float[Tensor, " v"]:
        """The mean of what falls into each cell; where nothing does, what lies in its middle."""
        flat = vectors.double().flatten()
        sums, counts = torch.zeros_like(self._middles()), torch.zeros_like(self._middles())
        for layer in places:
            sums.index_add_(0, layer.flatten(), flat)
            counts.index_add_(0, layer.flatten(), torch.ones_like(flat))
        unbound = torch.atanh(self._middles()) * self._of_cells(self._edge / self.gain)
        return torch.where(counts > 0, sums / counts.clamp(min=1), unbound).to(torch.float32)

    def _middles(self) -> Float64[Tensor, " v"]:
        """The middle of each cell where `_bound` gives it."""
        counts = self._cells.flatten()
        count, start = (each.repeat_interleave(counts) for each in (counts, self._starts.flatten()))
        cell = torch.arange(len(count), device=count.device) - start
        return (2 * cell + 1 - count).double() / count

    def _of_cells(self, channels: Float[Tensor, " c"]) -> Float[Tensor, " v"]:
        """Of each channel, for all its cells."""
        return channels.repeat(self.layers).repeat_interleave(self._cells.flatten())


def _of_clips(table: Int[Tensor, "b c"]) -> Int[Tensor, "b 1 1 1 c"]:
    return rearrange(table, "b c -> b 1 1 1 c")
