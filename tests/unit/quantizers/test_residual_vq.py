from itertools import pairwise

import pytest
import torch
import vector_quantize_pytorch as library

from tubelet.errors import OptionError, ShapeError
from tubelet.quantizers.residual_vq import ResidualVQ


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0, scale=1.0):
    return torch.randn(shape, generator=seeded(seed)) * scale


def fitted(**options):
    quantizer = ResidualVQ(3, 16, 4, decay=0.8, **options)
    quantizer.fit(noise(400, 3, seed=9), generator=seeded())
    return quantizer


def test_indices_and_averages_are_the_published_ones():
    ours = fitted()
    theirs = library.ResidualVQ(
        dim=3, codebook_size=16, num_quantizers=4, decay=0.8, rotation_trick=False, threshold_ema_dead_code=0
    )
    for mine, other in zip(ours.layers, theirs.layers, strict=True):
        other._codebook.embed.copy_(mine.codebook[None])
        other._codebook.embed_avg.copy_(mine.sums[None])
        other._codebook.cluster_size.copy_(mine.counts[None])
    for step in range(3):
        latent = noise(2, 3, 2, 4, 4, seed=step)
        found = ours(latent)
        value, index, losses = theirs(latent.flatten(2).transpose(1, 2))
        assert torch.equal(found.digits.flatten(2).transpose(1, 2).long(), index)
        assert torch.allclose(found.latent.flatten(2).transpose(1, 2), value, atol=1e-5)
        assert torch.allclose(found.loss, 0.25 * losses.sum(), atol=1e-5)
        ours.update(latent, found.digits, generator=seeded())
        for mine, other in zip(ours.layers, theirs.layers, strict=True):
            assert torch.allclose(mine.codebook, other._codebook.embed[0], atol=1e-5)


def test_each_layer_lowers_the_error_and_a_prefix_is_a_coarser_latent():
    quantizer, latent = fitted(), noise(2, 3, 2, 8, 8)
    digits = quantizer.quantize(latent)
    errors = [(quantizer.dequantize(digits[:, :n]) - latent).square().mean() for n in (1, 2, 3, 4)]
    for coarse, fine in pairwise(errors):
        assert fine < 0.7 * coarse
    with pytest.raises(ShapeError):
        quantizer.dequantize(digits[:, :0])


def test_the_first_digit_of_what_it_stands_for_alone_is_itself():
    quantizer = fitted()
    digits = torch.arange(16, dtype=torch.uint8).reshape(1, 1, 1, 4, 4)
    assert torch.equal(quantizer.quantize(quantizer.dequantize(digits))[:, :1], digits)


@pytest.mark.parametrize("rotation", [False, True])
def test_a_clip_of_few_layers_is_the_prefix_of_all(rotation):
    """Its digits stay; its loss and latent are those of a quantiser that has no more layers."""
    quantizer, latent = fitted(rotation=rotation), noise(3, 3, 1, 4, 4)
    layers = torch.tensor([1, 4, 2])
    found = quantizer(latent, layers)
    assert torch.equal(found.digits, quantizer(latent).digits)
    losses = []
    for clip, count in enumerate(layers.tolist()):
        digits = found.digits[clip : clip + 1, :count]
        assert torch.equal(found.latent[clip : clip + 1], quantizer.dequantize(digits))
        short = ResidualVQ(3, 16, count, rotation=rotation)
        short.load_state_dict(
            {name: value for name, value in quantizer.state_dict().items() if int(name.split(".")[1]) < count}
        )
        losses.append(short(latent[clip : clip + 1]).loss)
    assert torch.allclose(found.loss, sum(losses) / 3)


def test_the_gradient_passes_once_however_many_layers_there_are():
    latent, weight = noise(2, 3, 1, 4, 4).requires_grad_(), noise(2, 3, 1, 4, 4, seed=1)
    (fitted()(latent, torch.tensor([4, 1])).latent * weight).sum().backward()
    assert torch.equal(latent.grad, weight)


def test_entries_learn_from_their_own_layer():
    quantizer, latent = fitted(learned=True), noise(1, 3, 1, 4, 4)
    quantizer(latent, torch.tensor([2])).loss.backward()
    moved = [
        layer.codebook.grad is not None and bool(layer.codebook.grad.any()) for layer in quantizer.layers
    ]
    assert moved == [True, True, False, False]


def test_numbers_of_layers_that_do_not_exist_are_refused():
    quantizer, latent = fitted(), noise(2, 3, 1, 1, 1)
    for layers in ([0, 1], [1, 5]):
        with pytest.raises(OptionError, match="from 1 to 4"):
            quantizer(latent, torch.tensor(layers))
    with pytest.raises(ShapeError, match="2 clips"):
        quantizer(latent, torch.tensor([1]))
