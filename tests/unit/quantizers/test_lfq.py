import math

import pytest
import torch
import vector_quantize_pytorch as library
from einops import rearrange
from torch.utils._python_dispatch import TorchDispatchMode

from tubelet.errors import LatentError, OptionError, ShapeError, TokenError
from tubelet.quantizers import lfq
from tubelet.quantizers.digits import digits_to_tokens
from tubelet.quantizers.lfq import LFQ, choice_entropy, codebook_entropy


def noise(*shape, seed=0, scale=1.0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * scale


def choices(bits):
    """The obvious twin: the softmax over all codes, by position, the first bit counting least."""
    count = bits.shape[1]
    codes = (torch.arange(2**count)[:, None] >> torch.arange(count)) % 2 * 2 - 1
    return (bits / 2 @ codes.to(bits).T).softmax(dim=1)


def entropy(probabilities):
    return torch.special.entr(probabilities).sum(dim=-1)


@pytest.mark.parametrize("temperature", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("bits", [1, 3, 8])
def test_it_is_the_published_one(monkeypatch, bits, temperature):
    """Digits, values, each part of the loss, its gradient; without the floor of the library's logarithm."""
    monkeypatch.setattr(
        library.lookup_free_quantization, "log", lambda p: p.clamp(min=torch.finfo(p.dtype).tiny).log()
    )
    latent = noise(2, bits, 2, 3, 4, scale=0.5)
    ours = LFQ(bits, entropy_weight=0.3, diversity=0.7, commitment=0.2, temperature=temperature)
    oracle = library.LFQ(
        dim=bits, entropy_loss_weight=0.3, diversity_gamma=0.7, commitment_loss_weight=0.2
    ).train()
    inputs = [latent.clone().requires_grad_(), latent.clone().requires_grad_()]
    found = ours(inputs[0])
    (codes, indices, loss), parts = oracle(
        inputs[1], inv_temperature=1 / temperature, return_loss_breakdown=True
    )
    assert torch.equal(found.latent, ours.dequantize(found.digits))
    assert torch.allclose(found.latent, codes, atol=1e-6)
    # The library's first bit counts most.
    assert torch.equal(digits_to_tokens(found.digits.flip(1), ours.bases)[:, 0], indices.long())
    entropies = ours.entropies(rearrange(latent, "b c t h w -> b t h w c"))
    assert torch.allclose(entropies.choice, parts.per_sample_entropy, atol=1e-5)
    assert torch.allclose(entropies.codebook, parts.batch_entropy, atol=1e-5)
    assert torch.allclose(found.loss, loss, atol=1e-5)
    found.loss.backward()
    loss.backward()
    assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-5)


def test_the_gradient_passes_unchanged():
    """Its surrogate is the latent itself, whose finite differences are ones."""
    quantizer = LFQ(3, entropy_weight=0.0, commitment=0.0)
    latent, weight = noise(1, 3, 1, 2, 3).requires_grad_(), noise(1, 3, 1, 2, 3, seed=1)
    found = quantizer(latent)
    assert not found.loss
    (found.latent * weight).sum().backward()
    assert torch.equal(latent.grad, weight)


@pytest.mark.parametrize("bits", [1, 2, 5, 7])
def test_entropies_are_those_of_all_codes_written_out(bits):
    logits = noise(50, bits, scale=3, dtype=torch.float64)
    every = choices(logits)
    assert torch.allclose(choice_entropy(logits), entropy(every).mean(), atol=1e-12)
    assert torch.allclose(codebook_entropy(logits, group=7), entropy(every.mean(dim=0)), atol=1e-12)


@pytest.mark.parametrize("group", [1, 2, 3])
def test_groups_add_up_their_own_entropies_to_an_upper_bound(group):
    logits = noise(50, 7, scale=3, dtype=torch.float64)
    expected = sum(entropy(choices(part).mean(dim=0)) for part in logits.split(group, dim=1))
    found = codebook_entropy(logits, group=group)
    assert torch.allclose(found, expected, atol=1e-12)
    assert found > codebook_entropy(logits, group=7)


@pytest.mark.parametrize("group", [2, 5])
def test_gradients_of_entropies_are_their_finite_differences(group):
    logits = noise(4, 5, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(choice_entropy, logits)
    assert torch.autograd.gradcheck(lambda bits: codebook_entropy(bits, group=group), logits)


def test_certain_bits_have_finite_entropies_and_gradients():
    logits = (noise(20, 12).sign() * 1e4).requires_grad_()
    total = choice_entropy(logits) + codebook_entropy(logits, group=12)
    total.backward()
    assert total.isfinite()
    assert logits.grad.isfinite().all()


class Largest(TorchDispatchMode):
    """Notes the most numbers that a tensor has which an operation makes."""

    numbers = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        for each in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(each, torch.Tensor):
                self.numbers = max(self.numbers, each.numel())
        return result


def test_chunks_change_nothing_but_how_much_exists_at_a_time(monkeypatch):
    """500 positions by 1,024 codes would be half a million numbers; a chunk is 4 KiB."""
    logits, found = noise(500, 10, dtype=torch.float64), []
    for size in (lfq.CHUNK_BYTES, 1 << 12):
        monkeypatch.setattr(lfq, "CHUNK_BYTES", size)
        bits = logits.clone().requires_grad_()
        with Largest() as largest:
            total = codebook_entropy(bits, group=10)
            total.backward()
        found.append((total, bits.grad))
        assert largest.numbers <= 500 * 2**5
    assert largest.numbers == logits.numel()
    for whole, chunked in zip(*found, strict=True):
        assert torch.allclose(whole, chunked, rtol=1e-10)


def test_codes_that_nobody_uses_are_called_for():
    """All bits are 1 everywhere: the codebook's entropy is low, and its gradient draws the bits down."""
    latent = (noise(1, 6, 1, 8, 8) * 0.1 + 1).requires_grad_()
    LFQ(6, temperature=1.0, commitment=0.0)(latent).loss.backward()
    assert (latent.grad.mean(dim=(0, 2, 3, 4)) > 0).all()
    latent.grad = None
    LFQ(6, temperature=1.0, commitment=0.0, diversity=0.0)(latent).loss.backward()
    assert (latent.grad < 0).all()


def test_a_fit_takes_the_best_magnitude():
    """Of a normal distribution it is √(2/π), with an error of 1 - 2/π."""
    quantizer, vectors = LFQ(4), noise(50_000, 4)
    quantizer.fit(vectors, generator=torch.Generator())
    assert math.isclose(quantizer.scale, math.sqrt(2 / math.pi), rel_tol=0.01)
    latent = rearrange(vectors, "n c -> 1 c 1 1 n")
    error = (quantizer.dequantize(quantizer.quantize(latent)) - latent).square().mean()
    assert math.isclose(error, 1 - 2 / math.pi, rel_tol=0.02)


def test_sixty_three_bits_are_one_exact_token_and_more_are_refused():
    quantizer = LFQ(63)
    digits = quantizer.quantize(torch.ones(1, 63, 1, 1, 1))
    assert int(digits_to_tokens(digits, quantizer.bases)) == 2**63 - 1
    wide = LFQ(64)
    with pytest.raises(TokenError, match="Use the digits"):
        digits_to_tokens(wide.quantize(torch.ones(1, 64, 1, 1, 1)), wide.bases)


def test_bad_input_is_refused_by_name():
    quantizer = LFQ(2)
    with pytest.raises(ShapeError, match="c = 2"):
        quantizer.quantize(noise(1, 3, 1, 1, 1))
    with pytest.raises(LatentError, match="NaN"):
        quantizer(torch.full((1, 2, 1, 1, 1), math.nan))
    with pytest.raises(TokenError, match="digit 0 is 2; its base is 2"):
        quantizer.dequantize(torch.full((1, 2, 1, 1, 1), 2, dtype=torch.uint8))
    with pytest.raises(OptionError, match="one or more"):
        LFQ(0)
    with pytest.raises(OptionError, match="groups of 1 to"):
        LFQ(2, group=40)
    with pytest.raises(OptionError, match="above 0"):
        LFQ(2, temperature=0.0)
