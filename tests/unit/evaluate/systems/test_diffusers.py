"""Autoencoders of diffusers as systems."""

from fractions import Fraction

import numpy as np
import pytest
from second_device import second_device

from tubelet.errors import CheckpointError, OptionError
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Setting
from tubelet.interop.rivals import open_diffusers
from tubelet.interop.tiny import tiny_model
from tubelet.video.pixels import from_model, to_model

RATE = Fraction(25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("rival") / "vae"
    tiny_model("Wan 2.1").save_pretrained(path)
    return path


def test_a_clip_comes_back_whole_whatever_the_frame_rule(folder, smooth):
    clip = smooth(6, 20, 28)
    system = open_system(f"diffusers:{folder},decode=float32", Setting(at_once=False))
    back = system.reconstruct(clip, RATE)
    tokenizer = open_diffusers(folder, decode_dtype=system.tokenizer.decode_dtype)
    latent = tokenizer.encode(to_model(clip))
    expected = from_model(tokenizer.decode(latent, frames=6, height=20, width=28))
    np.testing.assert_array_equal(back.frames, expected)
    assert back.numbers == latent.numel()
    assert back.bytes_on_disk is None
    assert system.grid is not None and system.grid.stride == (4, 8, 8) and system.grid.lead_frame


def test_facts_tell_settings_and_weights_apart(folder):
    one = open_system(f"diffusers:{folder}", Setting(at_once=True)).facts()
    assert one["decode_dtype"] == "torch.bfloat16"
    assert one == open_system(f"diffusers:{folder}", Setting(at_once=True)).facts()
    assert one != open_system(f"diffusers:{folder},decode=float32", Setting(at_once=True)).facts()
    assert open_system(f"diffusers:{folder},tiling=true", Setting(at_once=True)).facts()["tiling"]


@pytest.mark.parametrize("tail", [",tiling=maybe", ",decode=int8", ",colour=red"])
def test_options_without_meaning_are_refused(folder, tail):
    with pytest.raises(OptionError):
        open_system(f"diffusers:{folder}{tail}", Setting(at_once=True))


def test_what_is_no_autoencoder_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="neither"):
        open_system(f"diffusers:{tmp_path}/nothing", Setting(at_once=True))


def test_on_another_device_it_gives_nearly_what_it_gives_on_the_cpu(folder, smooth):
    clip, text = smooth(6, 20, 28), f"diffusers:{folder},decode=float32"
    here = open_system(text, Setting(at_once=False)).reconstruct(clip, RATE)
    with second_device() as device:
        system = open_system(text, Setting(at_once=False, device=str(device)))
        assert system.tokenizer.device == device
        there = system.reconstruct(clip, RATE)
    # PyTorch has faster ways for tensors that it knows to lie on the CPU, and they round differently.
    np.testing.assert_allclose(there.frames.astype(int), here.frames, rtol=0, atol=1)
