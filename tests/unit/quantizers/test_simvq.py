import pytest
import torch
import vector_quantize_pytorch as library

from tubelet.quantizers.simvq import SimVQ


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0, scale=1.0):
    return torch.randn(shape, generator=seeded(seed)) * scale


@pytest.mark.parametrize("rotation", [False, True])
def test_digits_loss_and_gradients_are_the_published_ones(rotation):
    ours, theirs = SimVQ(3, 40, rotation=rotation), library.SimVQ(3, 40, rotation_trick=rotation)
    with torch.no_grad():
        ours.transform.copy_(noise(3, 3, seed=1))
        theirs.frozen_codebook.copy_(ours.frozen)
        theirs.code_transform.weight.copy_(ours.transform.t())
    weight, gradients = noise(2, 3, 1, 4, 4, seed=2), []
    latent = noise(2, 3, 1, 4, 4).requires_grad_()
    found = ours(latent)
    ((found.latent * weight).sum() + found.loss).backward()
    gradients.append(latent.grad)
    other = latent.detach().flatten(2).transpose(1, 2).clone().requires_grad_()
    value, index, loss = theirs(other)
    ((value * weight.flatten(2).transpose(1, 2)).sum() + loss).backward()
    gradients.append(other.grad.transpose(1, 2).reshape(latent.shape))
    assert torch.equal(found.digits[:, 0].flatten(1).long(), index)
    assert torch.allclose(found.latent.flatten(2).transpose(1, 2), value, atol=1e-5)
    assert torch.allclose(found.loss, loss, atol=1e-6)
    assert torch.allclose(*gradients, atol=1e-5)
    assert torch.allclose(ours.transform.grad.t(), theirs.code_transform.weight.grad, atol=1e-6)


def test_a_step_of_the_gradient_moves_entries_that_were_not_used():
    quantizer = SimVQ(3, 40)
    before = quantizer.entries()
    digit = quantizer(noise(1, 3, 1, 1, 1) + 3)
    digit.loss.backward()
    with torch.no_grad():
        quantizer.transform -= 0.1 * quantizer.transform.grad
    moved = (quantizer.entries() != before).any(dim=1)
    assert moved.float().mean() > 0.9


def test_what_a_digit_stands_for_has_that_digit():
    quantizer = SimVQ(5, 400)
    quantizer.fit(noise(3000, 5), generator=seeded())
    digits = torch.arange(400, dtype=torch.int16).reshape(1, 1, 4, 10, 10)
    assert torch.equal(quantizer.quantize(quantizer.dequantize(digits)), digits)


def test_a_fit_spreads_entries_as_the_vectors_are_spread():
    mixing = noise(4, 4, seed=3)
    vectors = noise(4000, 4) @ mixing
    quantizer = SimVQ(4, 2000)
    quantizer.fit(vectors, generator=seeded())
    wanted, found = torch.cov(vectors.t()), torch.cov(quantizer.entries().t())
    scale = found.trace() / wanted.trace()
    assert 0.5 < scale < 1.3
    assert (found / scale - wanted).norm() < 0.15 * wanted.norm()


def test_a_channel_that_never_varies_spoils_no_fit():
    vectors = noise(500, 3)
    vectors[:, 1] = 0
    quantizer = SimVQ(3, 50)
    quantizer.fit(vectors, generator=seeded())
    assert quantizer.entries().isfinite().all()
    quantizer.fit(torch.zeros(5, 3), generator=seeded())
    assert quantizer.entries().isfinite().all()


def test_the_frozen_codebook_is_stored_and_not_learned():
    quantizer, other = SimVQ(3, 20), SimVQ(3, 20)
    quantizer.fit(noise(100, 3), generator=seeded(1))
    other.load_state_dict(quantizer.state_dict())
    assert torch.equal(other.entries(), quantizer.entries())
    assert [name for name, _ in quantizer.named_parameters()] == ["transform"]
    assert set(quantizer.state_dict()) == {"transform", "frozen"}
