"""What quantisers with a codebook share: where its entries start, and what several processes agree on."""

import torch
import torch.distributed as dist
from einops import rearrange
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from tubelet.errors import LatentError, OptionError, ShapeError
from tubelet.quantizers.digits import Bases, Digits, check_digits, digits_kind
from tubelet.quantizers.nearest import Codebook, nearest
from tubelet.quantizers.protocol import Vectors
from tubelet.quantizers.rotation import unit
from tubelet.quantizers.vectors import Rows

ITERATIONS = 6
"""Of Lloyd's algorithm."""

Index = Int[Tensor, "b t h w"]
"""The number of an entry at each position, ``torch.int64``."""


def check_codebook(channels: int, codes: int) -> None:
    """Raise unless a codebook can be so large.

    Raises:
        OptionError: it has no channel, or fewer than two entries.
    """
    if channels < 1 or codes < 2:
        raise OptionError(
            f"the codebook has {codes} entries of {channels} channels; it needs two or more, of one or more."
        )


def check_vectors(vectors: Vectors, channels: int) -> None:
    """Raise unless a quantiser of so many channels can be fitted to them.

    Raises:
        ShapeError: they have another number of channels, or there is none.
        LatentError: they hold NaN or infinity.
    """
    if vectors.shape[1] != channels or not len(vectors):
        raise ShapeError(
            f"vectors are of shape {tuple(vectors.shape)}; a quantiser is fitted to n c with c = {channels} "
            "and n of one or more."
        )
    if not vectors.isfinite().all():
        raise LatentError(
            "the vectors hold NaN or infinity, which no quantiser is fitted to. Leave them out."
        )


def nearest_index(rows: Rows, codebook: Codebook) -> Index:
    """The nearest entry at each position."""
    return nearest(rearrange(rows, "b t h w c -> (b t h w) c"), codebook).reshape(rows.shape[:-1])


def index_to_digits(index: Index, bases: Bases) -> Digits:
    """Entries as the only digit of the only token."""
    return rearrange(index, "b t h w -> b 1 t h w").to(digits_kind(bases))


def digits_to_index(digits: Digits, bases: Bases) -> Index:
    """Undo `index_to_digits`.

    Raises:
        ShapeError: there is not one digit per position.
        TokenError: a digit is not a number of an entry.
    """
    check_digits(digits, bases)
    return rearrange(digits, "b 1 t h w -> b t h w").to(torch.int64)


def normal_codebook(codes: int, channels: int, generator: torch.Generator) -> Codebook:
    """Entries drawn from a normal distribution of unit variance: what a latent is before anything is known.

    They are where the generator is.
    """
    return torch.randn(codes, channels, generator=generator, device=generator.device)


def k_means(vectors: Vectors, codes: int, *, generator: torch.Generator, on_sphere: bool = False) -> Codebook:
    """Entries that are each the mean of the vectors nearest to it, by a few rounds of Lloyd's algorithm.

    They start as vectors drawn at random, no two equal; where there are too few, the rest is drawn from a
    normal distribution of their mean and variance. An entry that no vector is nearest to stays.

    Source: Lloyd 1982, Least squares quantization in PCM.

    Args:
        vectors: in float32.
        codes: how many entries.
        generator: draws the start.
        on_sphere: whether means are scaled to length one; the vectors are then of length one as well.
    """
    codebook = drawn(vectors, codes, generator)
    if len(codebook) < codes:
        spread = normal_codebook(codes - len(codebook), vectors.shape[1], generator).to(vectors.device)
        spread = vectors.mean(dim=0) + spread * vectors.std(dim=0, correction=0)
        codebook = torch.cat([codebook, unit(spread) if on_sphere else spread])
    for _ in range(ITERATIONS):
        index = nearest(vectors, codebook)
        counts = index.bincount(minlength=codes)[:, None]
        means = torch.zeros_like(codebook).index_add_(0, index, vectors) / counts.clamp(min=1)
        codebook = torch.where(counts > 0, unit(means) if on_sphere else means, codebook)
    return codebook


def drawn(vectors: Vectors, count: int, generator: torch.Generator) -> Codebook:
    """So many different ones of the vectors at random, or all different ones if they are fewer."""
    # Flat pictures give equal vectors, and equal entries would be wasted.
    different = vectors.unique(dim=0)
    return different[drawn_places(len(different), count, generator).to(vectors.device)]


def drawn_places(among: int, count: int, generator: torch.Generator) -> Int[Tensor, " n"]:
    """So many different numbers below `among` in random order, or all of them if they are fewer."""
    return torch.randperm(among, generator=generator, device=generator.device)[:count]


def drawn_from_all(vectors: Vectors, count: int, generator: torch.Generator) -> Codebook:
    """As `drawn`, from the vectors of all processes, and the same ones in each of them."""
    if not _in_company():
        return drawn(vectors, count, generator)
    # Each gives an equal share, at its places among zeros, so that the sum holds everybody's.
    share = -(-count // dist.get_world_size())
    mine = drawn(vectors, share, generator)
    everything = vectors.new_zeros(dist.get_world_size(), share, vectors.shape[1] + 1)
    everything[dist.get_rank(), : len(mine), :-1] = mine
    everything[dist.get_rank(), : len(mine), -1] = 1
    given = rearrange(sum_over_processes(everything), "p n c -> (p n) c")
    return given[given[:, -1] > 0, :-1][:count]


def sum_over_processes(tensor: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Add up, in place, what all processes that train together hold."""
    if _in_company():
        dist.all_reduce(tensor)
    return tensor


def as_in_the_first_process(tensor: Shaped[Tensor, "*any"]) -> Shaped[Tensor, "*any"]:
    """Replace, in place, what each process that trains along holds by what the first one does."""
    if _in_company():
        dist.broadcast(tensor, src=0)
    return tensor


def _in_company() -> bool:
    return dist.is_available() and dist.is_initialized()


def mean_square(
    first: Float[Tensor, "*any"], second: Float[Tensor, "*any"], clips: Float[Tensor, " b"] | None = None
) -> Float[Tensor, ""]:
    """Mean squared difference, each clip's times its number in `clips`; zero where there is nothing."""
    squares = (first - second).square()
    if clips is not None:
        squares = squares * clips.reshape(-1, *[1] * (squares.ndim - 1))
    return squares.sum() / max(1, squares.numel())
