"""Which entry of a codebook is nearest to a vector: the exact answer, whatever else is asked in the call.

Matrix products compare a vector with all entries fast, but in float32 and in an order that depends on the
shape of the call: two entries that are nearly equally near may change places when a clip is cut. So products
only choose candidates. With n the length of the vector, m that of an entry and u = (c + 8) · 2⁻²⁴, the score
|e|² / 2 - x·e is off by u (m² / 2 + n m) at most, in whatever order it is summed (Higham, Accuracy and
Stability of Numerical Algorithms, section 3.1); entries within twice that of the best score are candidates.
Candidates, mostly a single one, are compared by distances in float64 that are summed channel by channel; the
first of equally near ones wins. Each answer is thereby a function of one vector and the codebook alone: it
changes under no cut, order, number of threads or size of chunk, nor between devices that have float64.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from tubelet.quantizers.protocol import Vectors
from tubelet.quantizers.vectors import full_precision

CHUNK_BYTES = 8 * 2**20
"""Scores that exist at a time on a CPU, whose cache holds them; those of one vector if they take more."""

GPU_CHUNK_BYTES = 256 * 2**20
"""The same on a GPU, which needs much work at a time."""

BLOCK = 128
"""Entries whose scores are looked at together when candidates are collected."""

_EXTRA_ROUNDINGS = 8
"""Roundings beside those of the products: of the norms, the bound and the comparison."""

_COARSE_ROUNDING = {"tf32": 2.0**-9, "bf16": 2.0**-6}
"""Relative error of a product where the user lets torch multiply float32 in these formats."""

Codebook = Float[Tensor, "k c"]
"""Entries in rows."""

Indices = Int[Tensor, " n"]
"""The number of an entry for each vector, ``torch.int64``."""


def nearest(vectors: Vectors, codebook: Codebook) -> Indices:
    """The entry at the least Euclidean distance; the first, if several are equally near.

    Distances are those of `squared_distance`. Entries that are equal or nearly so cost time, never exactness.

    Args:
        vectors: finite, in float32.
        codebook: finite, in float32, at least one entry.
    """
    return _search(vectors, codebook, by_product=False)


def most_similar(vectors: Vectors, codebook: Codebook) -> Indices:
    """The entry with the largest inner product; the first, if several have the same.

    For entries of one length it is the nearest one.

    Args:
        vectors: finite, in float32.
        codebook: finite, in float32, at least one entry.
    """
    return _search(vectors, codebook, by_product=True)


def chunk_rows(codebook: Codebook) -> int:
    """How many vectors have so many entries that their scores fill a chunk."""
    most = GPU_CHUNK_BYTES if codebook.is_cuda else CHUNK_BYTES
    return max(1, most // (4 * len(codebook)))


def squared_distance(first: Vectors, second: Vectors) -> Float[Tensor, " n"]:
    """Squared distance of rows in float64, summed in the order of the channels whatever the shape is."""
    total = torch.zeros(first.shape[0], dtype=torch.float64, device=first.device)
    for channel in range(first.shape[1]):
        step = first[:, channel].double() - second[:, channel].double()
        total += step * step
    return total


def negative_product(first: Vectors, second: Vectors) -> Float[Tensor, " n"]:
    """Minus the inner product of rows in float64, summed in the order of the channels."""
    total = torch.zeros(first.shape[0], dtype=torch.float64, device=first.device)
    for channel in range(first.shape[1]):
        total -= first[:, channel].double() * second[:, channel].double()
    return total


class _Table(NamedTuple):
    """A codebook, ready to be searched.

    Attributes:
        codebook: the entries.
        columns: the same in columns, with entries added to fill the last block.
        bias: half the squared length of each entry, or zero; infinity for those that were added.
        longest: the largest length of an entry.
        by_product: whether the inner product decides, not the distance.
    """

    codebook: Codebook
    columns: Float[Tensor, "c p"]
    bias: Float[Tensor, " p"]
    longest: Float[Tensor, ""]
    by_product: bool


@torch.no_grad()
def _search(vectors: Vectors, codebook: Codebook, *, by_product: bool) -> Indices:
    """Go through the vectors chunk by chunk."""
    with full_precision(vectors):
        squares = codebook.double().square().sum(dim=1)
        filled = -len(codebook) % BLOCK
        bias = torch.zeros_like(squares) if by_product else squares / 2
        table = _Table(
            codebook=codebook,
            columns=F.pad(codebook, (0, 0, 0, filled)).t().contiguous(),
            bias=F.pad(bias.float(), (0, filled), value=torch.inf),
            longest=squares.amax().sqrt().float(),
            by_product=by_product,
        )
        rows = chunk_rows(table.columns.t())
        scores = table.bias.new_empty(min(rows, len(vectors)), len(table.bias))
        found = [_search_chunk(chunk, table, scores) for chunk in vectors.split(rows)]
        return torch.cat(found) if found else torch.zeros(0, dtype=torch.int64, device=vectors.device)


def _search_chunk(vectors: Vectors, table: _Table, scores: Float[Tensor, "r p"]) -> Indices:
    """Score all entries, collect the candidates of each vector, and decide between them.

    Comparisons are negated so that scores that overflowed to NaN count as candidates.
    """
    scores = scores[: len(vectors)]
    torch.addmm(table.bias, vectors, table.columns, alpha=-1, out=scores)
    blocks = rearrange(scores, "n (k b) -> n k b", b=BLOCK)
    least = blocks.amin(dim=2)
    best = least.amin(dim=1)
    limit = rearrange(best + 2 * _error(vectors, best, table), "n -> n 1")
    row, block = (~(least > limit)).nonzero(as_tuple=True)
    pair, place = (~(blocks[row, block] > limit[row])).nonzero(as_tuple=True)
    row, code = row[pair], block[pair] * BLOCK + place
    real = code < len(table.codebook)
    return _decide(vectors, table, row[real], code[real])


def _error(vectors: Vectors, best: Float[Tensor, " n"], table: _Table) -> Float[Tensor, " n"]:
    """How far off the score of the best entry, or of the nearest one, may be.

    Neither is longer than the longest entry, and both lie within |x| + r of the origin, if r is how far the
    entry of the best score is from x; r² is |x|² + 2 · best to within a few roundings of |x|².
    """
    device = "cuda" if vectors.is_cuda else "mkldnn"
    precision = getattr(torch.backends, device).matmul.fp32_precision
    rounding = (vectors.shape[1] + _EXTRA_ROUNDINGS) * 2.0**-24 + _COARSE_ROUNDING.get(precision, 0.0)
    length = vectors.norm(dim=1)
    # Products of tiny numbers may be lost altogether.
    lost = vectors.shape[1] * torch.finfo(torch.float32).tiny
    if table.by_product:
        return rounding * length * table.longest + lost
    squared = (length.square() + 2 * best).clamp(min=0) + 8 * rounding * length.square()
    reach = torch.minimum(length + 1.05 * squared.sqrt(), table.longest)
    return rounding * (reach.square() / 2 + length * reach) + lost


def _decide(vectors: Vectors, table: _Table, row: Int[Tensor, " p"], code: Int[Tensor, " p"]) -> Indices:
    """The best candidate of each vector; pairs of vector and candidate are given, at least one for each."""
    found = torch.zeros(len(vectors), dtype=torch.int64, device=vectors.device)
    found[row] = code
    several = row.bincount(minlength=len(vectors))[row] > 1
    row, code = row[several], code[several]
    measure = negative_product if table.by_product else squared_distance
    cost = measure(vectors[row], table.codebook[code])
    least = torch.full((len(vectors),), torch.inf, dtype=cost.dtype, device=cost.device)
    least.scatter_reduce_(0, row, cost, "amin")
    wins = cost == least[row]
    return found.scatter_reduce_(0, row[wins], code[wins], "amin", include_self=False)
