import math

import pytest
import torch
import torch.nn.functional as F
import vector_quantize_pytorch as library
from einops import rearrange
from hypothesis import given
from hypothesis import strategies as st

from tubelet.errors import LatentError, OptionError, ShapeError, TokenError
from tubelet.quantizers.bsq import BSQ
from tubelet.quantizers.digits import digits_to_tokens


def noise(*shape, seed=0, scale=1.0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * scale


def fitted(bits, **options):
    quantizer, vectors = BSQ(bits, **options), noise(20_000, bits)
    quantizer.fit(vectors, generator=torch.Generator())
    return quantizer, rearrange(vectors, "n c -> 1 c 1 1 n")


@pytest.mark.parametrize("temperature", [0.01, 0.3])
@pytest.mark.parametrize("bits", [1, 3, 8])
def test_it_is_the_published_one(monkeypatch, bits, temperature):
    """Digits, values, each part of the loss, its gradient; without the floor of the library's logarithm."""
    monkeypatch.setattr(
        library.lookup_free_quantization, "log", lambda p: p.clamp(min=torch.finfo(p.dtype).tiny).log()
    )
    latent = noise(2, bits, 2, 3, 4)
    ours = BSQ(bits, entropy_weight=0.3, diversity=0.7, temperature=temperature)
    oracle = library.LFQ(dim=bits, entropy_loss_weight=0.3, diversity_gamma=0.7, spherical=True).train()
    inputs = [latent.clone().requires_grad_(), latent.clone().requires_grad_()]
    weight = noise(2, bits, 2, 3, 4, seed=1)
    found = ours(inputs[0])
    codes, indices, loss = oracle(inputs[1], inv_temperature=1 / temperature)
    assert torch.allclose(found.latent, codes, atol=1e-6)
    # The library's first bit counts most.
    assert torch.equal(digits_to_tokens(found.digits.flip(1), ours.bases)[:, 0], indices.long())
    assert torch.allclose(found.loss, loss, atol=1e-5)
    (found.loss + (found.latent * weight).sum()).backward()
    (loss + (codes * weight).sum()).backward()
    assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-5)


def test_the_gradient_is_that_of_the_projection_to_the_sphere():
    """Finite differences of scale · z / |z|, in float64."""
    quantizer, _ = fitted(5, entropy_weight=0.0)
    latent, weight = noise(1, 5, 1, 2, 3).requires_grad_(), noise(1, 5, 1, 2, 3, seed=1)
    (quantizer(latent).latent * weight).sum().backward()

    def surrogate(z):
        return (quantizer.scale.double() * z / z.norm(dim=1, keepdim=True) * weight).sum()

    z, step = latent.detach().double(), 1e-6
    for place in range(z.numel()):
        change = torch.zeros_like(z).flatten()
        change[place] = step
        change = change.reshape(z.shape)
        expected = (surrogate(z + change) - surrogate(z - change)) / (2 * step)
        assert math.isclose(latent.grad.flatten()[place], expected, rel_tol=1e-4, abs_tol=1e-5)


@pytest.mark.parametrize(("bits", "group"), [(6, 2), (7, 3), (5, 9)])
def test_entropies_are_those_of_all_corners_written_out_group_by_group(bits, group):
    """The obvious twin: a softmax of squared distances to all corners of a group, in float64."""
    quantizer = BSQ(bits, temperature=0.1, group=group)
    directions = F.normalize(noise(1, 2, 3, 4, bits, dtype=torch.float64), dim=-1)
    choice, codebook = 0.0, 0.0
    for part in directions.reshape(-1, bits).split(group, dim=1):
        size = part.shape[1]
        signs = (torch.arange(2**size)[:, None] >> torch.arange(size)) % 2 * 2.0 - 1
        distance = (part[:, None] - signs / math.sqrt(bits)).square().sum(dim=2)
        soft = (-distance / 0.1).softmax(dim=1)
        choice += torch.special.entr(soft).sum(dim=1).mean()
        codebook += torch.special.entr(soft.mean(dim=0)).sum()
    found = quantizer.entropies(directions)
    assert math.isclose(found.choice, choice, rel_tol=1e-6)
    assert math.isclose(found.codebook, codebook, rel_tol=1e-6)


def test_the_gradient_of_the_loss_is_its_finite_differences():
    quantizer = BSQ(4, temperature=0.2, group=3)

    def loss(z):
        found = quantizer.entropies(F.normalize(z, dim=-1))
        return found.choice - found.codebook

    z = noise(1, 1, 2, 2, 4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(loss, z)
    latent = rearrange(z.detach().float(), "b t h w c -> b c t h w").requires_grad_()
    quantizer(latent).loss.backward()
    expected = torch.autograd.grad(0.1 * loss(z), z)[0]
    assert torch.allclose(rearrange(latent.grad, "b c t h w -> b t h w c").double(), expected, atol=1e-6)


@given(st.integers(0, 99), st.floats(0.1, 100))
def test_only_the_direction_counts(seed, factor):
    quantizer, latent = BSQ(6), noise(1, 6, 1, 2, 2, seed=seed)
    first, second = quantizer(latent), quantizer(latent * factor)
    assert torch.equal(first.digits, second.digits)
    assert torch.allclose(first.loss, second.loss, atol=1e-4)


@pytest.mark.parametrize("bits", [4, 18, 36])
def test_after_a_fit_values_are_as_large_as_the_latent(bits):
    """The sphere's radius is near √bits, and the error that of the best magnitude: 1 - 2/π."""
    quantizer, latent = fitted(bits)
    value = quantizer.dequantize(quantizer.quantize(latent))
    assert math.isclose(quantizer.scale, math.sqrt(2 / math.pi * bits), rel_tol=0.02)
    assert math.isclose((value - latent).square().mean(), 1 - 2 / math.pi, rel_tol=0.02)
    assert torch.allclose(value.norm(dim=1), quantizer.scale, rtol=1e-5)


def test_a_position_without_direction_has_digits_and_a_gradient():
    latent = torch.zeros(1, 4, 1, 2, 2, requires_grad=True)
    found = BSQ(4)(latent)
    (found.loss + found.latent.sum()).backward()
    assert not found.digits.any()
    assert latent.grad.isfinite().all()


def test_bad_input_is_refused_by_name():
    quantizer = BSQ(2)
    with pytest.raises(ShapeError, match="c = 2"):
        quantizer.quantize(noise(1, 3, 1, 1, 1))
    with pytest.raises(LatentError, match="NaN"):
        quantizer(torch.full((1, 2, 1, 1, 1), math.nan))
    with pytest.raises(TokenError, match="digit 0 is 2; its base is 2"):
        quantizer.dequantize(torch.full((1, 2, 1, 1, 1), 2, dtype=torch.uint8))
    with pytest.raises(OptionError, match="one or more"):
        BSQ(0)
    with pytest.raises(OptionError, match="above 0"):
        BSQ(2, temperature=-1.0)
