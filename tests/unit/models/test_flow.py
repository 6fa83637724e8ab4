"""The parts of a flow: noise by place, sizes that are measured, and a velocity that needs no network."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import tubelet
from tubelet.errors import CheckpointError, OptionError
from tubelet.models.flow import start
from tubelet.models.flow.config import FlowConfig
from tubelet.models.flow.noise import noise_at
from tubelet.models.flow.refiner import Refiner
from tubelet.models.klt.config import KLTConfig
from tubelet.nn.blocks import RateGain
from tubelet.tokenizers.continuous import ContinuousTokenizer

BASE = KLTConfig(name="base", coefficients=(32,), channels=16, width=8, encoder_blocks=1, decoder_blocks=1)
CONFIG = FlowConfig(name="tiny", base=BASE, width=8, blocks=1)


class Textures:
    """Crops whose detail is busy on the left and all but none on the right."""

    frames, side = 8, 96

    def __len__(self):
        return 8

    def __getitem__(self, index):
        random = np.random.default_rng(index)
        smooth = 128 + 60 * np.sin(np.arange(96) / (9 + index) + index)
        crop = np.broadcast_to(smooth.reshape(1, 1, 96, 1), (8, 96, 96, 3)).copy()
        crop[:, :, :48] += random.normal(0, 25, (1, 96, 48, 1))
        return crop.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def started():
    crops = Textures()
    base = BASE.start(crops, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "WINDOWS", 8)
        return CONFIG.start(crops, seed=0, linear=base)


def all_of(seed, channels=8, size=64, dtype=torch.float64):
    return noise_at(seed, channels=channels, rows=slice(0, size), columns=slice(0, size), dtype=dtype)


def test_noise_is_normal_and_no_two_places_channels_or_seeds_share_it():
    noise = all_of(0)
    assert noise.shape == (1, 8, 1, 64, 64)
    assert abs(float(noise.mean())) < 0.02
    assert abs(float(noise.std()) - 1) < 0.02
    assert abs(float((noise**4).mean()) - 3) < 0.15
    for axis in (1, 3, 4):
        near = (noise * noise.roll(1, dims=axis)).mean()
        assert abs(float(near)) < 0.02, axis
    assert abs(float((noise * all_of(1)).mean())) < 0.02
    assert noise.unique().numel() == noise.numel()


def test_noise_depends_on_the_place_and_not_on_the_region():
    part = noise_at(7, channels=5, rows=slice(11, 20), columns=slice(30, 31), dtype=torch.float64)
    assert torch.equal(part, all_of(7)[:, :5, :, 11:20, 30:31])


def mixed(number):
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        number = ((number ^ (number >> shift)) * factor) % 2**64
    return number ^ (number >> 31)


@pytest.mark.parametrize("place", [(0, 0, 0, 0), (2**63 - 1, 255, 4319, 7679), (5, 1, 2, 3)])
def test_noise_is_what_plain_integers_give(place):
    seed, channel, row, column = place
    number = channel * 0xABC98388FB8FAC03 + row * 0x9E3779B97F4A7C15 + column * 0xD1B54A32D192ED03
    bits = mixed(mixed((number + mixed(seed)) % 2**64))
    radius = math.sqrt(-2 * math.log(((bits >> 32) + 0.5) / 2**32))
    expected = radius * math.cos(2 * math.pi * (bits % 2**32) / 2**32)
    rows, columns = slice(row, row + 1), slice(column, column + 1)
    noise = noise_at(seed, channels=channel + 1, rows=rows, columns=columns, dtype=torch.float64)
    assert float(noise[0, channel]) == pytest.approx(expected, rel=0, abs=1e-12)


def test_an_untrained_flow_gives_noise_of_the_size_of_what_is_lacking():
    refiner = Refiner(6, width=4, blocks=1)
    state = all_of(3, channels=6, size=40, dtype=torch.float32)
    rates = RateGain.weigh(torch.full((1, 1, 1, 1, 1), 0.25))
    time = torch.zeros(1, 1, 1, 1, 1)
    with torch.no_grad():
        many = refiner.integrate(state, torch.zeros_like(state), rates, time=time, steps=64)
        one = refiner.integrate(state, torch.zeros_like(state), rates, time=time, steps=1)
    assert torch.allclose(many, state, atol=0.1)
    # One step from noise by squared errors is the mean, of which nothing is lacking.
    assert float(one.abs().max()) < 1e-6


def test_sizes_are_those_of_what_is_lacking(started):
    crops, base = Textures(), started.base
    video = tubelet.to_model(np.concatenate([crops[i] for i in range(4)]))
    with torch.no_grad():
        latent = base.encode_groups(video, None).latents["latent"][:, :4]
        decoded, _ = base.decode_coefficients({"latent": latent}, None, {})
        lacking = base.transform(video) - decoded.coefficients
        size = started.refiner.size(decoded.coefficients, decoded.features.rates)
    # An untrained decoder lacks nothing of the channels that it is given.
    power, expected = (each[:, 4:16].square().mean(dim=(0, 2, 3, 4)) for each in (size, lacking))
    assert torch.all((power / expected > 0.7) & (power / expected < 1.4))
    busy, flat = size[..., :6].mean(), size[..., 6:].mean()
    assert busy > 3 * flat


def test_it_starts_as_the_tokenizer_that_it_wraps(started):
    base = BASE.start(Textures(), seed=0)
    for name, weights in base.state_dict().items():
        assert torch.equal(started.base.state_dict()[name], weights), name


def test_a_tokenizer_with_a_flow_is_stored_and_read_again(started, tmp_path):
    tokenizer = ContinuousTokenizer(started.eval(), config=CONFIG).requires_grad_(requires_grad=False)
    tokenizer.save(tmp_path / "mine")
    again = tubelet.load(tmp_path / "mine", lead_frame=False)
    assert again.config == replace(CONFIG, name="mine", lead_frame=False)
    latent = torch.randn(1, 16, 2, 2, 3, generator=torch.Generator().manual_seed(0))
    size = {"frames": 8, "height": 16, "width": 24}
    videos = [
        each.refined(3, seed=9).decode(latent, **size)
        for each in (ContinuousTokenizer(started, lead_frame=False), again)
    ]
    assert torch.equal(*videos)


def test_a_flow_around_what_has_no_network_is_refused(tmp_path):
    with pytest.raises(OptionError, match="decoder has a network"):
        replace(CONFIG, base=replace(BASE, encoder_blocks=0, decoder_blocks=0)).build()
    with pytest.raises(OptionError, match="learnt to predict"):
        replace(CONFIG, base=replace(BASE, ahead=2)).build()
    with pytest.raises(OptionError, match="trained tokenizer of one part"):
        CONFIG.start(Textures(), seed=0)
    with pytest.raises(OptionError, match="cannot be narrowed"):
        CONFIG.build().narrowed(4)


def test_sizes_of_zero_are_damage(started, tmp_path):
    tokenizer = ContinuousTokenizer(CONFIG.build().eval(), config=CONFIG)
    tokenizer.model.refiner.deviation.zero_()
    tokenizer.save(tmp_path / "mine")
    with pytest.raises(CheckpointError, match="deviation of what is lacking is 0"):
        tubelet.load(tmp_path / "mine")
