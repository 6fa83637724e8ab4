"""Every autoencoder of diffusers behind our interface, with tiny random models."""

import inspect

import pytest
import torch
from diffusers.models import autoencoders
from torch.testing import assert_close

from tubelet.errors import LatentError, OptionError, ShapeError
from tubelet.interop.known import KNOWN
from tubelet.interop.rivals import DiffusersTokenizer
from tubelet.interop.tiny import TINY, tiny_model
from tubelet.types import Stride

STRIDES = {
    "Wan 2.1": (4, 8, 8),
    "Wan 2.2": (4, 16, 16),
    "Cosmos": (8, 8, 8),
    "HunyuanVideo": (4, 8, 8),
    "HunyuanVideo 1.5": (4, 16, 16),
    "CogVideoX": (4, 8, 8),
    "LTX": (8, 32, 32),
    "LTX, noise removed": (8, 32, 32),
    "LTX-2": (8, 32, 32),
    "Mochi": (6, 8, 8),
    "Allegro": (4, 8, 8),
    "EasyAnimate (Magvit)": (4, 8, 8),
    "KVAE": (4, 4, 4),
    "MiniMax H3": (4, 4, 4),
    "VidTok KL": (4, 8, 8),
    "VidTok KL, not causal": (4, 8, 8),
    "VidTok FSQ": (4, 8, 8),
    "QwenImage": (4, 8, 8),
    "Kandinsky 6 SR": (4, 8, 8),
    "Stable Video Diffusion": (1, 2, 2),
    "AutoencoderKL": (1, 2, 2),
    "AutoencoderTiny": (1, 8, 8),
    "AutoencoderDC": (1, 2, 2),
}
"""Of the tiny models, as counted by hand."""

LEFT_OUT = {
    "AsymmetricAutoencoderKL": "of images, inpainting",
    "AutoencoderKLFlux2": "of images, its latents are packed by its pipeline",
    "AutoencoderKLHunyuanImage": "of images",
    "AutoencoderKLHunyuanImageRefiner": "of images, with an axis of frames that holds one",
    "AutoencoderKLKVAE": "of images",
    "AutoencoderKLQwenImage21": "of images, with an axis of frames that holds one, and alpha",
    "AutoencoderRAE": "of images, needs a foundation model",
    "ConsistencyDecoderVAE": "of images, decodes with a diffusion model",
    "LTX2VideoDiffusionDecoderModel": "only decodes, with a diffusion model",
    "VQModel": "of images",
    "AutoencoderKLKVAEAudio": "of sound",
    "AutoencoderKLLTX2Audio": "of sound",
    "AutoencoderKLMiniMaxH3Audio": "of sound",
    "AutoencoderOobleck": "of sound",
    "AutoencoderSAME": "of sound",
    "Cosmos3AVAEAudioTokenizer": "of sound",
    "LongCatAudioDiTVae": "of sound",
    "MMAudioVAE": "of sound",
    "MMAudioVocoder": "of sound",
    "MiniMaxMusic3Vocoder": "of sound",
    "RFD4ProteinaAutoencoder": "of proteins",
}

SLOW = "Allegro"
"""Its smallest clip has 24 frames of 128 x 128."""

every = pytest.mark.parametrize("label", TINY)
every_fast_one = pytest.mark.parametrize("label", [label for label in TINY if label != SLOW])


def clip(frames: int, height: int, width: int, *, clips: int = 1, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(clips, 3, frames, height, width, generator=generator) - 1


def there_and_back(tokenizer: DiffusersTokenizer, video: torch.Tensor) -> torch.Tensor:
    frames, height, width = video.shape[2:]
    return tokenizer.decode(tokenizer.encode(video), frames=frames, height=height, width=width)


def test_every_autoencoder_of_the_installed_diffusers_is_known_or_left_out_for_a_reason():
    there = {name for name, value in vars(autoencoders).items() if inspect.isclass(value)}
    assert there - set(KNOWN) == set(LEFT_OUT)


def test_every_known_class_has_a_tiny_model():
    assert {tiny.name for tiny in TINY.values()} == set(KNOWN)


@every
def test_the_stride_is_told_by_the_configuration(opened, label):
    assert opened(label).stride == Stride(*STRIDES[label])


@every
def test_clips_of_any_length_and_size_come_back_whole(opened, label):
    tokenizer = opened(label)
    shapes = [(9, 17, 24), (1, 16, 16), (2, 20, 9), (5, 16, 16), (8, 17, 24)]
    for shape in shapes[:1] if label == SLOW else shapes:
        video = clip(*shape)
        back = there_and_back(tokenizer, video)
        assert back.shape == video.shape
        assert back.isfinite().all()


@every_fast_one
def test_a_latent_has_the_steps_and_cells_that_the_rules_say(opened, label):
    tokenizer = opened(label)
    latent = tokenizer.encode(clip(6, 17, 24))
    expected = [rule.latent(length) for rule, length in zip(tokenizer.rules, (6, 17, 24), strict=True)]
    assert list(latent.shape) == [1, tokenizer.channels, *expected]


@every
def test_normalised_latents_decode_to_what_raw_ones_decode_to(opened, label):
    tokenizer = opened(label)
    video = clip(5, 17, 24)
    raw = tokenizer.encode_raw(tokenizer.fill(video))
    latent = tokenizer.encode(video)
    assert_close(latent, by_hand(tokenizer.model, raw))
    decoded = tokenizer.decode(latent, frames=5, height=17, width=24)
    assert_close(decoded, tokenizer.decode_raw(raw)[:, :, :5, :17, :24], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("label", ["Wan 2.1", "CogVideoX", "HunyuanVideo 1.5", "LTX", "Mochi", "QwenImage"])
def test_a_clip_of_permitted_size_is_given_to_the_model_as_it_is(opened, label):
    tokenizer = opened(label)
    video = clip(1, 64, 64)
    assert_close(
        tokenizer.encode_raw(tokenizer.fill(video)), tokenizer.model.encode(video).latent_dist.mode()
    )


def by_hand(model, raw: torch.Tensor) -> torch.Tensor:
    """Normalise as the pipelines do, each in its own way."""
    config = model.config
    name = type(model).__name__
    if "VidTok" in name or "KVAE" in name:
        return raw
    if "LTX" in name:
        mean, deviation = model.latents_mean.view(1, -1, 1, 1, 1), model.latents_std.view(1, -1, 1, 1, 1)
        return (raw - mean) * config.scaling_factor / deviation
    if getattr(config, "latents_mean", None) is not None:
        channels = raw.shape[1]
        mean = torch.tensor(config.latents_mean).view(1, channels, -1, 1, 1)[:, :, : raw.shape[2]]
        deviation = torch.tensor(config.latents_std).view(1, channels, -1, 1, 1)[:, :, : raw.shape[2]]
        return (raw - mean) / deviation
    return (raw - (getattr(config, "shift_factor", None) or 0)) * config.scaling_factor


@every
def test_the_table_says_where_the_statistics_are(opened, label):
    model = opened(label).model
    config = model.config
    has_mean = config.get("latents_mean") is not None or "latents_mean" in dict(model.named_buffers())
    has_factor = config.get("scaling_factor") is not None
    assert KNOWN[TINY[label].name].normalised == ("mean" if has_mean else "factor" if has_factor else "no")


@every_fast_one
def test_the_same_clip_gives_the_same_bits_twice(opened, label):
    tokenizer = opened(label)
    video = clip(2, 16, 16)
    assert torch.equal(there_and_back(tokenizer, video), there_and_back(tokenizer, video))


@every_fast_one
def test_two_clips_at_once_give_what_each_gives_alone(opened, label):
    tokenizer = opened(label)
    video = clip(2, 16, 16, clips=2)
    both = there_and_back(tokenizer, video)
    assert_close(both[1:], there_and_back(tokenizer, video[1:]), rtol=1e-3, atol=1e-4)


@every_fast_one
def test_the_encoder_is_exact_and_the_decoder_half_by_default(label):
    tokenizer = DiffusersTokenizer(tiny_model(label))
    parts = dict(tokenizer.model.named_parameters())
    assert all(
        weights.dtype == torch.float32 for name, weights in parts.items() if name.startswith("encoder.")
    )
    assert any(
        weights.dtype == torch.bfloat16 for name, weights in parts.items() if name.startswith("decoder.")
    )
    video = clip(1, 16, 16)
    assert tokenizer.encode(video).dtype == torch.float32
    assert there_and_back(tokenizer, video).dtype == torch.float32


def test_what_an_author_keeps_in_float32_stays_in_float32():
    model = DiffusersTokenizer(tiny_model("MiniMax H3"), encode_dtype=torch.bfloat16).model
    dtypes = {name: weights.dtype for name, weights in model.named_parameters()}
    assert dtypes["encoder.conv_in.weight"] == torch.float32
    assert dtypes["decoder.proj_in.weight"] == torch.bfloat16


@every
def test_tiles_can_be_switched_where_there_are_any(label):
    tiles = KNOWN[TINY[label].name].tiles
    if tiles == "never":
        with pytest.raises(OptionError, match="no spatial tiles"):
            DiffusersTokenizer(tiny_model(label), tiling=True)
        return
    tokenizer = DiffusersTokenizer(tiny_model(label), tiling=True, decode_dtype=torch.float32)
    assert tokenizer.tiling
    assert tokenizer.model.use_tiling
    if label != SLOW:
        assert there_and_back(tokenizer, clip(2, 17, 24)).shape == (1, 3, 2, 17, 24)
    assert DiffusersTokenizer(tiny_model(label)).tiling == (tiles == "always")


def test_a_long_latent_repeats_the_statistics_of_the_last_known_step(opened):
    tokenizer = opened("Cosmos")  # knows three steps
    video = clip(33, 8, 8)
    raw = tokenizer.encode_raw(video)
    mean = torch.tensor(tokenizer.model.config.latents_mean).view(4, 3)
    deviation = torch.tensor(tokenizer.model.config.latents_std).view(4, 3)
    expected = (raw[:, :, 4] - mean[:, 2, None, None]) / deviation[:, 2, None, None]
    assert_close(tokenizer.encode(video)[:, :, 4], expected)


def test_a_latent_of_another_clip_is_refused(opened):
    tokenizer = opened("Wan 2.1")
    latent = tokenizer.encode(clip(5, 32, 32))
    with pytest.raises(ShapeError, match="give the size of the encoded clip"):
        tokenizer.decode(latent, frames=9, height=32, width=32)


def test_a_latent_with_nan_is_refused(opened):
    tokenizer = opened("Wan 2.1")
    latent = tokenizer.encode(clip(1, 32, 32))
    latent[0, 0, 0, 0, 0] = torch.nan
    with pytest.raises(LatentError, match="NaN"):
        tokenizer.decode(latent, frames=1, height=32, width=32)


def test_a_clip_without_frames_is_refused(opened):
    with pytest.raises(ShapeError, match="at least one of each"):
        opened("Wan 2.1").encode(clip(1, 8, 8)[:, :, :0])
