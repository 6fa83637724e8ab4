import pytest
import torch
import vector_quantize_pytorch as library

from tubelet.quantizers.vq import VQ


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0, scale=1.0):
    return torch.randn(shape, generator=seeded(seed)) * scale


def pair(*, cosine=False, rotation=False, learned=False, commitment=0.25):
    """Ours, and the library's with the same codebook."""
    ours = VQ(3, 20, decay=0.8, cosine=cosine, rotation=rotation, learned=learned, commitment=commitment)
    theirs = library.VectorQuantize(
        3,
        20,
        decay=0.8,
        use_cosine_sim=cosine,
        rotation_trick=rotation,
        commitment_weight=commitment,
        learnable_codebook=learned,
        ema_update=not learned,
        accept_3d_fmap=True,
    )
    with torch.no_grad():
        theirs._codebook.embed.copy_(ours.entries()[None])
        theirs._codebook.embed_avg.copy_(ours.entries()[None])
        ours.sums.copy_(ours.entries())
    return ours, theirs


@pytest.mark.parametrize("cosine", [False, True])
def test_averages_move_the_entries_as_published(cosine):
    ours, theirs = pair(cosine=cosine)
    for step in range(5):
        latent = noise(2, 3, 2, 4, 4, seed=step)
        found, (value, index, loss) = ours(latent), theirs(latent)
        assert torch.equal(found.digits[:, 0].long(), index)
        assert torch.allclose(found.latent, value, atol=1e-5)
        assert torch.allclose(found.loss, loss, atol=1e-6)
        ours.update(latent, found.digits, generator=seeded())
        assert torch.allclose(ours.entries(), theirs._codebook.embed[0], atol=1e-5)
        assert torch.allclose(ours.counts, theirs._codebook.cluster_size[0], atol=1e-5)


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("rotation", [False, True])
def test_gradients_are_the_published_ones(cosine, rotation):
    ours, theirs = pair(cosine=cosine, rotation=rotation)
    weight, gradients = noise(1, 3, 2, 3, 3, seed=1), []
    for quantizer in (ours, theirs):
        latent = noise(1, 3, 2, 3, 3).requires_grad_()
        value, _, loss = quantizer(latent)
        ((value * weight).sum() + loss).backward()
        gradients.append(latent.grad)
    assert torch.allclose(*gradients, atol=1e-5)


def test_a_learned_codebook_has_the_published_loss_and_gradient():
    """The library has one weight for both sides."""
    ours, theirs = pair(learned=True, commitment=1.0)
    latent = noise(1, 3, 2, 3, 3)
    loss, published = ours(latent).loss, theirs(latent.clone().requires_grad_())[2]
    # Theirs is one number with a gradient to both sides, ours has a term for each.
    assert torch.allclose(loss, 2 * published, atol=1e-6)
    loss.backward()
    published.backward()
    assert torch.allclose(ours.codebook.grad, theirs._codebook.embed.grad[0], atol=1e-6)


def test_the_gradient_passes_straight_and_reaches_no_entry():
    """So far as what was decoded is concerned; the loss draws each side by itself."""
    quantizer = VQ(3, 20, learned=True, commitment=0.5)
    latent, weight = noise(1, 3, 2, 3, 3).requires_grad_(), noise(1, 3, 2, 3, 3, seed=1)
    found = quantizer(latent)
    (found.latent * weight).sum().backward(retain_graph=True)
    assert torch.equal(latent.grad, weight)
    assert quantizer.codebook.grad is None
    latent.grad = None
    found.loss.backward()
    apart = latent.detach() - found.latent.detach()
    assert torch.allclose(latent.grad, 0.5 * 2 * apart / apart.numel())
    index = found.digits[0, 0].flatten().long()
    pulls = torch.zeros(20, 3).index_add_(0, index, -2 * apart[0].flatten(1).t() / apart.numel())
    assert torch.allclose(quantizer.codebook.grad, pulls, atol=1e-6)


@pytest.mark.parametrize("cosine", [False, True])
def test_what_a_digit_stands_for_has_that_digit(cosine):
    quantizer = VQ(5, 400, cosine=cosine)
    quantizer.fit(noise(3000, 5), generator=seeded())
    digits = torch.arange(400, dtype=torch.int16).reshape(1, 1, 4, 10, 10)
    assert torch.equal(quantizer.quantize(quantizer.dequantize(digits)), digits)


def test_digits_are_as_small_as_the_codebook_allows():
    for codes, kind in ((256, torch.uint8), (1 << 15, torch.int16), (40_000, torch.int32)):
        quantizer = VQ(2, codes)
        digits = quantizer.quantize(noise(1, 2, 1, 2, 2))
        assert digits.dtype == kind
        assert quantizer.bases == ((codes,),)


def test_the_length_of_a_direction_is_the_one_that_fits_best():
    quantizer, vectors = VQ(6, 100, cosine=True), noise(2000, 6)
    latent = vectors[:, :, None, None, None]
    quantizer.fit(vectors, generator=seeded())
    best = (quantizer(latent).latent - latent).square().mean()
    for factor in (0.97, 1.03):
        other = VQ(6, 100, cosine=True)
        other.load_state_dict(quantizer.state_dict())
        other.radius *= factor
        assert (other(latent).latent - latent).square().mean() > best


def usage(quantizer, latent):
    return quantizer.quantize(latent).unique().numel() / quantizer.bases[0][0]


@pytest.mark.parametrize("learned", [False, True])
def test_plain_entries_collapse_and_restarted_ones_do_not(learned):
    """Entries that start far from all latents: one or a few of them take everything, until the rest moves."""
    shares = {}
    for restart_below in (0.0, 0.2):
        quantizer = VQ(2, 64, decay=0.9, restart_below=restart_below, learned=learned)
        with torch.no_grad():
            quantizer.codebook.mul_(0.1).add_(5)
            quantizer.sums.copy_(quantizer.codebook)
        for step in range(30):
            latent = noise(1, 2, 1, 32, 32, seed=step)
            digits = quantizer.quantize(latent)
            quantizer.update(latent, digits, generator=seeded(step))
        shares[restart_below] = usage(quantizer, noise(4, 2, 1, 32, 32, seed=99))
    assert shares[0.0] < 0.2
    assert shares[0.2] > 0.9


def test_entries_that_start_near_zero_are_hardly_used_and_means_are():
    latent = noise(1, 2, 1, 32, 32)
    vectors, shares = latent[0].flatten(1).T, {}
    for start in ("small", "k-means"):
        quantizer = VQ(2, 64, start=start)
        quantizer.fit(vectors, generator=seeded())
        shares[start] = usage(quantizer, latent)
    assert shares["small"] < 0.5
    assert shares["k-means"] > 0.9


def test_entries_that_a_fit_leaves_unused_restart_at_once():
    latent = noise(1, 2, 1, 32, 32)
    quantizer = VQ(2, 64, start="small", restart_below=0.1)
    quantizer.fit(latent[0].flatten(1).T, generator=seeded())
    for step in range(3):
        quantizer.update(latent, quantizer.quantize(latent), generator=seeded(step))
    assert usage(quantizer, latent) > 0.8


def test_an_entry_that_nothing_falls_to_stays_where_it_was():
    quantizer, latent = VQ(2, 8, decay=0.5), noise(1, 2, 1, 4, 4)
    with torch.no_grad():
        quantizer.codebook[3:] += 100
        quantizer.sums.copy_(quantizer.codebook)
    before = quantizer.codebook.clone()
    for _ in range(200):
        quantizer.update(latent, quantizer.quantize(latent), generator=seeded())
    assert torch.allclose(quantizer.codebook[3:], before[3:], rtol=0.02)
    assert not torch.allclose(quantizer.codebook[:3], before[:3], rtol=0.02)


def test_more_dead_entries_than_vectors_restart_at_each_vector_once():
    quantizer, latent = VQ(2, 40, restart_below=0.5, decay=0.0), noise(1, 2, 1, 2, 3)
    quantizer.update(latent, quantizer.quantize(latent), generator=seeded())
    vectors = latent[0].flatten(1).t()
    assert ((torch.cdist(quantizer.codebook, vectors) == 0).sum(dim=0) >= 1).all()
    assert quantizer.codebook.isfinite().all()
    assert quantizer.codebook.unique(dim=0).shape == (40, 2)
