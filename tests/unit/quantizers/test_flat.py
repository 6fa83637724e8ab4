"""Quantisers on the four axes of one step are those on five, all of them."""

from typing import get_args

import pytest
import torch

from tubelet.errors import OptionError
from tubelet.interop.steps.reading import DigitsAlready
from tubelet.quantizers import flat_codebooks
from tubelet.quantizers.bsq import BSQ
from tubelet.quantizers.config import QuantizerConfig
from tubelet.quantizers.flat import flat_quantizer
from tubelet.quantizers.fsq import FSQ
from tubelet.quantizers.ibq import IBQ
from tubelet.quantizers.lfq import LFQ
from tubelet.quantizers.residual_fsq import ResidualFSQ
from tubelet.quantizers.residual_vq import ResidualVQ
from tubelet.quantizers.simvq import SimVQ
from tubelet.quantizers.vq import VQ

EVERY = {
    "LFQ": LFQ(6),
    "BSQ": BSQ(6),
    "FSQ": FSQ((8, 5, 3)),
    "ResidualFSQ": ResidualFSQ((4, 3, 2), 3),
    "VQ": VQ(5, 30),
    "VQ of directions": VQ(5, 30, cosine=True),
    "VQ of two entries": VQ(2, 2),
    "ResidualVQ": ResidualVQ(5, 11, 3),
    "SimVQ": SimVQ(4, 19),
    "IBQ": IBQ(4, 19),
    "IBQ by product": IBQ(4, 19, by_product=True),
}


@pytest.fixture(params=list(EVERY))
def quantizer(request):
    made = EVERY[request.param]
    generator = torch.Generator().manual_seed(1)
    made.fit(torch.randn(200, made.channels, generator=generator), generator=generator)
    return made.requires_grad_(requires_grad=False)


def drawn(quantizer):
    return 1.5 * torch.randn((1, quantizer.channels, 1, 5, 4), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("at_once", [4096, 7])
def test_digits_are_the_same_and_stand_for_the_same(quantizer, at_once, monkeypatch):
    monkeypatch.setattr(flat_codebooks, "AT_ONCE", at_once)
    latent = drawn(quantizer)
    flat, digits = flat_quantizer(quantizer), quantizer.quantize(latent)
    found = flat.quantize(latent[:, :, 0])
    assert found.dtype == torch.int32
    assert torch.equal(found, digits[:, :, 0].to(torch.int32))
    assert len(found.unique()) > 1
    torch.testing.assert_close(flat.dequantize(found), quantizer.dequantize(digits)[:, :, 0])


def test_far_values_have_the_outermost_digits(quantizer):
    latent = 1e4 * drawn(quantizer)
    flat, digits = flat_quantizer(quantizer), quantizer.quantize(latent)
    assert torch.equal(flat.quantize(latent[:, :, 0]), digits[:, :, 0].to(torch.int32))


def test_the_first_of_equal_entries_is_taken():
    made = VQ(2, 6)
    made.codebook.copy_(
        torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [9.0, 9.0], [1.0, 0.0], [9.0, 9.0]])
    )
    latent = torch.tensor([[1.0, 0.0], [8.0, 8.0]]).T.reshape(1, 2, 1, 2)
    assert flat_quantizer(made).quantize(latent).flatten().tolist() == [1, 3]


def test_the_copy_is_its_own(quantizer):
    flat, latent = flat_quantizer(quantizer), drawn(quantizer)[:, :, 0]
    before = flat.dequantize(flat.quantize(latent))
    with torch.no_grad():
        for numbers in [*quantizer.parameters(), *quantizer.buffers()]:
            if numbers.is_floating_point():
                numbers.mul_(2)
    assert torch.equal(flat.dequantize(flat.quantize(latent)), before)


def test_every_kind_of_a_checkpoint_is_among_these():
    kinds = {kind.__name__.removesuffix("Config") for kind in get_args(QuantizerConfig)}
    assert kinds == {type(each).__name__ for each in EVERY.values()}


def test_another_one_is_refused_by_name():
    with pytest.raises(OptionError, match="DigitsAlready is not exported"):
        flat_quantizer(DigitsAlready(((2, 3),)))
