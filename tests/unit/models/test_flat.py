"""A model as functions of one step on four axes gives what the model gives."""

import pytest
import torch
from einops import rearrange

from tubelet.errors import OptionError
from tubelet.models.klt.config import KLTConfig
from tubelet.models.klt.flat import FlatDecoder, FlatEncoder
from tubelet.types import Stride

CELLS = (4, 5)
STEPS = 3

DEEP = {"patches": (Stride(4, 8, 8), Stride(2, 2, 2)), "coefficients": (12, 20), "channels": 12}
MADE = {
    "linear": {},
    "networks": {"width": 16, "encoder_blocks": 1, "decoder_blocks": 2},
    "deep": DEEP | {"width": 16, "encoder_blocks": 1, "decoder_blocks": 1},
    "without time": {"width": 16, "encoder_blocks": 1, "decoder_blocks": 1, "memory": 0},
    "a decoder alone": {"width": 16, "decoder_blocks": 1},
    "a distribution": {"width": 16, "encoder_blocks": 1, "decoder_blocks": 1, "variational": True},
    "a decoder that predicts": {"width": 16, "decoder_blocks": 1, "ahead": 2},
    "more coefficients than channels": {"coefficients": (20,), "width": 16, "decoder_blocks": 1},
}


@pytest.fixture(params=MADE)
def model(request, make_tokenizer):
    return make_tokenizer(**MADE[request.param]).tokenizer.model


def steps_of(video, frames):
    return rearrange(video, "b c (n t) h w -> n b (t c) h w", t=frames)


def state(channels, past, first):
    """What a step is given; nonsense where it must not be looked at."""
    if not channels:
        return ()
    return (torch.tensor([first]), torch.full((1, channels, *CELLS), 1e9) if first else past)


@torch.no_grad()
def test_encoding_is_that_of_the_model(model):
    encoder, stride = FlatEncoder(model), model.stride
    generator = torch.Generator().manual_seed(1)
    shape = (1, 3, STEPS * stride.t, CELLS[0] * stride.h, CELLS[1] * stride.w)
    video = torch.rand(shape, generator=generator) * 2 - 1
    expected, past = model.encode_groups(video, None), None
    for index, frames in enumerate(steps_of(video, stride.t)):
        found = encoder(frames, *state(encoder.past_channels, past, index == 0))
        past = found.past
        torch.testing.assert_close(
            found.latent, expected.latents["latent"][:, :, index], atol=2e-5, rtol=1e-4
        )
        assert (found.log_variance is None) == (expected.log_variances is None)
        if expected.log_variances is not None:
            variances = expected.log_variances["latent"][:, :, index]
            torch.testing.assert_close(found.log_variance, variances, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_decoding_is_that_of_the_model_whatever_is_known(model):
    decoder = FlatDecoder(model)
    generator = torch.Generator().manual_seed(2)
    latent = torch.randn((1, model.channels, STEPS, *CELLS), generator=generator)
    counts = torch.randint(0, model.channels + 1, (1, 1, STEPS, *CELLS), generator=generator)
    expected = model.decode_groups({"latent": latent}, None, {"latent": counts}).groups
    past = None
    for index, frames in enumerate(steps_of(expected, model.stride.t)):
        given = state(decoder.past_channels, past, index == 0)
        found = decoder(latent[:, :, index], counts[:, :, index], *given)
        past = found.past
        torch.testing.assert_close(found.frames, frames, atol=2e-5, rtol=1e-4)


def test_patches_that_are_not_square_are_refused():
    model = KLTConfig(name="odd", patches=(Stride(4, 8, 4),), coefficients=(8,), channels=8).build()
    with pytest.raises(OptionError, match="not square"):
        FlatDecoder(model)


@torch.no_grad()
def test_half_precision_changes_what_networks_add_a_little(make_tokenizer):
    model = make_tokenizer(width=16, encoder_blocks=1, decoder_blocks=1).tokenizer.model
    plain, half = FlatDecoder(model), FlatDecoder(model, half=True)
    latent = torch.randn((1, model.channels, *CELLS), generator=torch.Generator().manual_seed(3))
    counts = torch.full((1, 1, *CELLS), model.channels)
    found, expected = (
        half(latent, counts, *state(half.past_channels, None, first=True)),
        plain(latent, counts, *state(plain.past_channels, None, first=True)),
    )
    assert found.frames.dtype == found.past.dtype == torch.float32
    assert 0 < (found.frames - expected.frames).abs().max() < 1e-2
