import pytest
import torch
from torch.nn.functional import one_hot
from torch.utils._python_dispatch import TorchDispatchMode

from tubelet.quantizers import nearest as module
from tubelet.quantizers.ibq import IBQ


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0, scale=1.0):
    return torch.randn(shape, generator=seeded(seed)) * scale


def dense(quantizer, vectors):
    """The method written down as in the paper: whole matrices, and autograd."""
    codebook = quantizer.codebook
    scores = vectors @ codebook.t()
    if not quantizer.by_product:
        scores = scores - codebook.square().sum(dim=1) / 2
    soft = scores.softmax(dim=1)
    hard = one_hot(scores.argmax(dim=1), len(codebook)).float()
    value, plain = (hard - soft.detach() + soft) @ codebook, hard @ codebook
    loss = (value - vectors).square().mean() + (plain.detach() - vectors).square().mean()
    loss = loss + quantizer.commitment * (plain - vectors.detach()).square().mean()
    share = (scores / quantizer.temperature).softmax(dim=1)
    mean = share.mean(dim=0)
    entropy = torch.special.entr(share).sum(dim=1).mean() - torch.special.entr(mean).sum()
    return value, loss + quantizer.entropy * entropy


@pytest.mark.parametrize("by_product", [False, True])
@pytest.mark.parametrize("entropy", [0.0, 0.3])
def test_value_loss_and_gradients_are_those_of_the_whole_matrix(by_product, entropy, monkeypatch):
    """However little of it exists at a time."""
    monkeypatch.setattr(module, "CHUNK_BYTES", 4 * 30 * 7)
    quantizer = IBQ(3, 30, by_product=by_product, entropy=entropy, temperature=0.5)
    weight, found = noise(2, 3, 1, 4, 4, seed=1), []
    latent = noise(2, 3, 1, 4, 4).requires_grad_()
    for ours in (True, False):
        latent.grad = quantizer.codebook.grad = None
        if ours:
            value, _, loss = quantizer(latent)
        else:
            vectors = latent.permute(0, 2, 3, 4, 1).flatten(0, 3)
            value, loss = dense(quantizer, vectors)
            value = value.reshape(2, 1, 4, 4, 3).permute(0, 4, 1, 2, 3)
        ((value * weight).sum() + 50 * loss).backward()
        found.append((value.detach(), loss.detach(), latent.grad, quantizer.codebook.grad))
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, atol=2e-5)


def test_the_gradient_reaches_entries_that_were_not_used():
    quantizer = IBQ(3, 30)
    quantizer(noise(1, 3, 1, 1, 1)).latent.sum().backward()
    assert (quantizer.codebook.grad != 0).any(dim=1).all()


def test_what_a_digit_stands_for_has_that_digit_unless_lengths_count_for_themselves():
    digits = torch.arange(200, dtype=torch.uint8).reshape(1, 1, 2, 10, 10)
    for by_product in (False, True):
        quantizer = IBQ(4, 200, by_product=by_product)
        quantizer.fit(noise(2000, 4), generator=seeded())
        again = quantizer.quantize(quantizer.dequantize(digits))
        assert torch.equal(again, digits) != by_product


def test_the_entropy_loss_makes_positions_sure_and_their_sum_even():
    """At its least, minus the logarithm of their number, entries share the vectors and each has its own."""
    quantizer = IBQ(2, 4, entropy=1.0, temperature=0.01)
    with torch.no_grad():
        quantizer.codebook.copy_(torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]))
    even = quantizer.codebook.detach().t().reshape(1, 2, 1, 2, 2)
    crowd = even[:, :, :, :1, :1].expand(1, 2, 1, 2, 2)
    unsure = torch.zeros(1, 2, 1, 2, 2)
    plain = IBQ(2, 4)
    plain.load_state_dict(quantizer.state_dict())
    extra = [float((quantizer(each).loss - plain(each).loss).detach()) for each in (even, crowd, unsure)]
    assert extra == pytest.approx([-1.3863, 0, 0], abs=1e-3)


@pytest.mark.parametrize("entropy", [0.0, 0.3])
def test_no_more_than_two_chunks_of_scores_exist(entropy, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_BYTES", 1 << 16)
    quantizer, latent = IBQ(3, 1024, entropy=entropy), noise(1, 3, 1, 40, 40).requires_grad_()
    with Largest() as largest:
        found = quantizer(latent)
        (found.latent.sum() + found.loss).backward()
    assert largest.bytes <= 2 * module.CHUNK_BYTES < 4 * 1600 * 1024 / 40


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation gives."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for each in result if isinstance(result, list | tuple) else [result]:
            if isinstance(each, torch.Tensor):
                self.bytes = max(self.bytes, each.untyped_storage().nbytes())
        return result
