import math
from itertools import pairwise

import pytest
import torch
import vector_quantize_pytorch as library
from einops import rearrange
from hypothesis import given, settings
from hypothesis import strategies as st

from tubelet.errors import LatentError, OptionError, ShapeError, TokenError
from tubelet.quantizers.digits import digits_to_tokens
from tubelet.quantizers.residual_fsq import MOST_CELLS, ResidualFSQ

CASES = [((8, 5, 5), 3), ((2, 3, 4, 16), 2), ((2,), 8), ((5, 8), 1)]


def noise(*shape, seed=0, scale=1.0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def fitted(levels, layers, *, count=1000, seed=0):
    quantizer = ResidualFSQ(levels, layers)
    vectors = noise(count, len(levels), seed=seed)
    quantizer.fit(vectors, generator=torch.Generator())
    return quantizer, rearrange(vectors, "n c -> 1 c 1 1 n")


def drawn_digits(levels, layers, generator):
    each = [torch.randint(base, (1, 2, 2, 2), generator=generator) for base in levels * layers]
    return torch.stack(each, dim=1).to(torch.uint8)


@pytest.mark.parametrize(("levels", "layers"), CASES)
def test_it_is_the_published_one(levels, layers):
    """Values inside and far outside the bound, all layers and each prefix of them."""
    latent = noise(2, len(levels), 3, 4, 5, scale=2)
    ours = ResidualFSQ(levels, layers)
    oracle = library.ResidualFSQ(levels=list(levels), num_quantizers=layers, quantize_dropout=True).eval()
    codes, indices = oracle(rearrange(latent, "b c t h w -> b (t h w) c"))
    found = ours(latent)
    tokens = rearrange(digits_to_tokens(found.digits, ours.bases), "b k t h w -> b (t h w) k")
    assert torch.equal(tokens, indices.long())
    assert torch.allclose(rearrange(found.latent, "b c t h w -> b (t h w) c"), codes, atol=1e-6)
    for kept in range(1, layers + 1):
        coarse = oracle.get_output_from_indices(indices[..., :kept])
        value = ours.dequantize(found.digits[:, : kept * len(levels)])
        assert torch.allclose(rearrange(value, "b c t h w -> b (t h w) c"), coarse, atol=1e-6)


@pytest.mark.parametrize(("levels", "layers"), CASES)
def test_cells_in_base_l_are_what_rounding_layer_after_layer_gives(levels, layers):
    """The obvious twin, in float64: round, subtract, scale, again."""
    latent = noise(1, len(levels), 3, 8, 8, seed=1)
    base = torch.tensor(levels, dtype=torch.float64)[:, None, None, None]
    edge = base / (base - 1)
    left, digits = edge * torch.tanh(latent[0].double() / edge), []
    for layer in range(layers):
        scaled = (left * base**layer).clamp(-1, 1)
        digit = ((base - 1) * (scaled + 1) / 2 + 0.5).floor()
        left = left - (2 * digit / (base - 1) - 1) * base**-layer
        digits.append(digit)
    found = ResidualFSQ(levels, layers).quantize(latent)[0]
    assert torch.equal(found, torch.cat(digits).to(torch.uint8))


@pytest.mark.parametrize("fit", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_the_gradient_is_that_of_the_bound_once_however_many_layers_there_are(layers, fit):
    """Finite differences of edge · tanh(gain · z / edge), over the gain if there is one, in float64."""
    levels = (8, 5)
    quantizer = fitted(levels, layers)[0] if fit else ResidualFSQ(levels, layers)
    latent = noise(2, 2, 1, 2, 3).requires_grad_()
    weight = noise(2, 2, 1, 2, 3, seed=1)
    kept = torch.tensor([1, layers])
    (quantizer(latent, layers=kept).latent * weight).sum().backward()
    edge = torch.tensor([each / (each - 1) for each in levels], dtype=torch.float64)[:, None, None, None]
    gain = quantizer.gain.double()[:, None, None, None]

    def surrogate(z):
        return edge * torch.tanh(gain * z / edge) / gain

    z, step = latent.detach().double(), 1e-6
    expected = weight * (surrogate(z + step) - surrogate(z - step)) / (2 * step)
    assert torch.allclose(latent.grad.double(), expected, atol=1e-5)


@settings(max_examples=8)
@given(st.integers(0, 99))
def test_more_layers_never_raise_the_error_of_what_they_were_fitted_to(seed):
    quantizer, latent = fitted((8, 3, 2), 3, count=400, seed=seed)
    errors = torch.stack(
        [
            (quantizer(latent, layers=torch.tensor([kept])).latent - latent).square().mean(dim=(0, 2, 3, 4))
            for kept in (1, 2, 3)
        ]
    )
    assert (errors[1:] <= errors[:-1]).all()
    assert (errors[0] < latent.square().mean(dim=(0, 2, 3, 4))).all()


def test_each_layer_is_worth_nearly_all_its_bits():
    """Twice the levels are a quarter of the error, so 8 are a 64th: 18.06 dB, but for the tails."""
    quantizer, latent = fitted((8,), 3, count=30_000)
    digits = quantizer.quantize(latent)
    errors = [
        float((quantizer.dequantize(digits[:, :kept]) - latent).detach().square().mean())
        for kept in (1, 2, 3)
    ]
    assert errors[0] < 0.042  # the best 8 levels have 0.0345 (Max 1960, table I)
    for coarse, fine in pairwise(errors):
        assert 16.5 < 10 * math.log10(coarse / fine) < 19.5


def test_the_first_layers_digits_are_those_of_fewer_layers():
    latent = noise(1, 3, 2, 8, 8)
    digits = ResidualFSQ((8, 5, 2), 4).quantize(latent)
    for layers in (1, 2, 3):
        assert torch.equal(ResidualFSQ((8, 5, 2), layers).quantize(latent), digits[:, : 3 * layers])


def test_each_clip_keeps_as_many_layers_as_it_is_told():
    quantizer, _ = fitted((8, 5), 3)
    latent = noise(3, 2, 2, 3, 3, seed=5)
    found = quantizer(latent, layers=torch.tensor([1, 3, 2], dtype=torch.int32))
    assert torch.equal(found.digits, quantizer.quantize(latent))
    for clip, kept in enumerate((1, 3, 2)):
        expected = quantizer.dequantize(found.digits[clip : clip + 1, : 2 * kept])
        assert torch.equal(found.latent[clip : clip + 1], expected)
    whole = quantizer(latent)
    assert torch.equal(whole.latent, quantizer.dequantize(whole.digits))


@settings(max_examples=12)
@given(st.integers(0, 99), st.sampled_from(CASES))
def test_what_a_prefix_stands_for_has_that_prefix(seed, case):
    levels, layers = case
    quantizer, _ = fitted(levels, layers, count=300, seed=seed)
    digits = drawn_digits(levels, layers, torch.Generator().manual_seed(seed))
    for kept in range(1, layers + 1):
        prefix = digits[:, : kept * len(levels)]
        again = quantizer.quantize(quantizer.dequantize(prefix))
        assert torch.equal(again[:, : kept * len(levels)], prefix)


def test_the_finest_cells_there_may_be_keep_their_digits():
    quantizer, _ = fitted((16,), 4)
    digits = (torch.arange(MOST_CELLS) // 16 ** torch.arange(3, -1, -1)[:, None] % 16).to(torch.uint8)
    digits = rearrange(digits, "d n -> 1 d 1 1 n")
    assert torch.equal(quantizer.quantize(quantizer.dequantize(digits)), digits)


def test_values_of_dropped_layers_get_no_gradient():
    quantizer, _ = fitted((5,), 2)
    quantizer(noise(1, 1, 1, 4, 4), layers=torch.tensor([1])).latent.sum().backward()
    assert quantizer.values.grad[:5].sum() == 16
    assert not quantizer.values.grad[5:].any()


def test_bad_input_is_refused_by_name():
    quantizer = ResidualFSQ((8, 5), 2)
    with pytest.raises(LatentError, match="NaN"):
        quantizer(torch.full((1, 2, 1, 1, 1), math.nan))
    with pytest.raises(LatentError, match="NaN"):
        quantizer.fit(torch.full((3, 2), math.nan), generator=torch.Generator())
    with pytest.raises(TokenError, match="digit 3 is 5; its base is 5"):
        quantizer.dequantize(torch.tensor([7, 4, 7, 5], dtype=torch.uint8)[None, :, None, None, None])
    for digits in (0, 3, 6):
        with pytest.raises(ShapeError, match="d ="):
            quantizer.dequantize(torch.zeros(1, digits, 1, 1, 1, dtype=torch.uint8))
    for kept in (0, 3):
        with pytest.raises(OptionError, match="they must be 1 to 2"):
            quantizer(noise(1, 2, 1, 1, 1), layers=torch.tensor([kept]))
    with pytest.raises(OptionError, match="two or more"):
        ResidualFSQ((8, 1), 2)
    with pytest.raises(OptionError, match=f"may have {MOST_CELLS}"):
        ResidualFSQ((8, 8), 6)
