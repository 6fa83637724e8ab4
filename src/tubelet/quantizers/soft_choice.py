"""The softmax of vectors over all entries of a codebook; a chunk of it and of its scores exists at a time.

Gradients are written down rather than recorded: recorded, every chunk would be kept, or formed twice. With S
the scores, P their softmax by rows and F the gradient that reaches S, that of the vectors is F · E, and that
of the entries E is Fᵀ · X, less E times the column sums of F where scores hold - |e|² / 2.
"""

from collections.abc import Iterator
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.quantizers.nearest import Codebook, Indices, chunk_rows
from tubelet.quantizers.protocol import Vectors
from tubelet.quantizers.vectors import full_precision

LEAST_SHARE = 1e-12
"""Added to shares before their logarithm, which zero has not."""

Scores = Float[Tensor, "r k"]
"""How well each entry fits each vector of a chunk, larger being better."""


def through_softmax(vectors: Vectors, codebook: Codebook, index: Indices, *, by_product: bool) -> Vectors:
    """The entries that `index` names, with the gradient of one_hot · E for one_hot = hard - sg(soft) + soft.

    The gradient reaches the named entries, and the vectors and all entries through the softmax of the scores.

    Source: Shi et al. 2024 (arXiv:2412.02692).

    Args:
        vectors: in float32.
        codebook: in float32.
        index: an entry for each vector.
        by_product: whether the inner product is the score, instead of minus half the squared distance.
    """
    return _ThroughSoftmax.apply(vectors, codebook, index, by_product)


def softmax_entropy(
    vectors: Vectors, codebook: Codebook, *, temperature: float, by_product: bool
) -> Float[Tensor, ""]:
    """Mean entropy of the vectors' softmax, less the entropy of the mean softmax, in nats; 0 for no vectors.

    The least it can be, minus the logarithm of the number of entries, means that each vector is sure of its
    entry and all entries are chosen equally often.

    Source: Yu et al. 2023 (arXiv:2310.05737), section 3.1.

    Args:
        vectors: in float32.
        codebook: in float32.
        temperature: what scores are divided by.
        by_product: whether the inner product is the score, instead of minus half the squared distance.
    """
    return _SoftmaxEntropy.apply(vectors, codebook, temperature, by_product)


class _ThroughSoftmax(torch.autograd.Function):
    """See `through_softmax`."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Vectors:  # noqa: ANN401  as torch has it
        """The entries."""
        vectors, codebook, index, ctx.by_product = inputs
        ctx.save_for_backward(vectors, codebook, index)
        return codebook[index]

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, None, None]:  # noqa: ANN401
        """F = P · (R - rows of P · R), where R = G · Eᵀ is what reaches P."""
        vectors, codebook, index = ctx.saved_tensors
        (gradient,) = gradients
        flow = _Flow(vectors, codebook, by_product=ctx.by_product)
        with full_precision(vectors):
            for rows, scores, share in _chunks(vectors, codebook, by_product=ctx.by_product):
                reached = torch.mm(gradient[rows], codebook.t(), out=scores)
                middle = (gradient[rows] * (share @ codebook)).sum(dim=1, keepdim=True)
                flow.pull(rows, reached.sub_(middle).mul_(share))
            flow.to_codebook.index_add_(0, index, gradient)
        return flow.to_vectors, flow.to_codebook, None, None


class _SoftmaxEntropy(torch.autograd.Function):
    """See `softmax_entropy`."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Float[Tensor, ""]:  # noqa: ANN401  as torch has it
        """Sums over chunks."""
        vectors, codebook, ctx.temperature, ctx.by_product = inputs
        sums, entropies = [], []
        mean = vectors.new_zeros(len(codebook))
        with full_precision(vectors):
            for _, scores, share in _chunks(
                vectors, codebook, temperature=ctx.temperature, by_product=ctx.by_product
            ):
                # The logarithm of the softmax is the scores less this. Most of its own would be of nothing.
                sums.append(scores.amax(dim=1) - share.amax(dim=1).log())
                mean += share.sum(dim=0)
                entropies.append(sums[-1] - share.mul_(scores).sum(dim=1))
        mean /= max(1, len(vectors))
        spread = (mean + LEAST_SHARE).log()
        none = vectors.new_zeros(0)
        entropy = torch.cat([none, *entropies])
        ctx.save_for_backward(vectors, codebook, spread, entropy, torch.cat([none, *sums]))
        return entropy.sum() / max(1, len(vectors)) + (mean * spread).sum()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, None, None]:  # noqa: ANN401
        """F = P · (W - rows of P · W) / (n · temperature), where W is log mean P - log P."""
        vectors, codebook, spread, entropy, sums = ctx.saved_tensors
        flow = _Flow(vectors, codebook, by_product=ctx.by_product)
        factor = gradients[0] / (max(1, len(vectors)) * ctx.temperature)
        with full_precision(vectors):
            for rows, scores, share in _chunks(
                vectors, codebook, temperature=ctx.temperature, by_product=ctx.by_product
            ):
                middle = share @ spread + entropy[rows] - sums[rows]
                wanted = scores.neg_().add_(spread).sub_(rearrange(middle, "r -> r 1"))
                flow.pull(rows, wanted.mul_(share).mul_(factor))
        return flow.to_vectors, flow.to_codebook, None, None


class _Flow:
    """Collects what the gradients of scores are to vectors and entries.

    Attributes:
        to_vectors: gradient of the vectors.
        to_codebook: gradient of the entries.
    """

    def __init__(self, vectors: Vectors, codebook: Codebook, *, by_product: bool) -> None:
        self._vectors, self._codebook, self._by_product = vectors, codebook, by_product
        self.to_vectors, self.to_codebook = torch.zeros_like(vectors), torch.zeros_like(codebook)

    def pull(self, rows: slice, flow: Scores) -> None:
        """Add the gradient that reaches the scores of some vectors."""
        self.to_vectors[rows] = flow @ self._codebook
        # The other way round, this product would take far longer.
        self.to_codebook += (self._vectors[rows].t() @ flow).t()
        if not self._by_product:
            self.to_codebook -= rearrange(flow.sum(dim=0), "k -> k 1") * self._codebook


def _chunks(
    vectors: Vectors, codebook: Codebook, *, temperature: float = 1.0, by_product: bool
) -> Iterator[tuple[slice, Scores, Scores]]:
    """The scores of so many vectors at a time, divided by the temperature, and their softmax.

    Both may be overwritten; the next ones take their place.
    """
    bias = codebook.new_zeros(len(codebook)) if by_product else codebook.square().sum(dim=1) / -2
    each = min(chunk_rows(codebook), len(vectors))
    scores, share = codebook.new_empty(2, each, len(codebook))
    for start in range(0, len(vectors), max(1, each)):
        rows = slice(start, min(start + each, len(vectors)))
        count = rows.stop - rows.start
        torch.addmm(
            bias / temperature, vectors[rows], codebook.t(), alpha=1 / temperature, out=scores[:count]
        )
        torch.softmax(scores[:count], dim=1, out=share[:count])
        yield rows, scores[:count], share[:count]
