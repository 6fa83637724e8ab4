"""Pipelines of diffusers, unchanged and tiny, take our tokenizer where they expect their own.

diffusers imports its pipelines of videos only beside the package transformers, for text models that are not
needed when a prompt comes as numbers. Where it is not installed, empty classes stand for them.
"""

import importlib
import importlib.machinery
import importlib.util
import sys
import types

import diffusers
import numpy as np
import pytest
import torch

from tubelet.interop.as_diffusers import AutoencoderTubelet

MIXINS = ("WanLoraLoaderMixin", "CogVideoXLoraLoaderMixin", "LTXVideoLoraLoaderMixin", "FromSingleFileMixin")


@pytest.fixture
def text_models(monkeypatch):
    """What pipelines import beside what they use here."""
    if importlib.util.find_spec("transformers") is not None:
        yield
        return
    empty = types.ModuleType("transformers")
    empty.__spec__ = importlib.machinery.ModuleSpec("transformers", None)
    empty.__getattr__ = lambda name: type(name, (), {})
    monkeypatch.setitem(sys.modules, "transformers", empty)
    for name in MIXINS:
        monkeypatch.setattr(diffusers.loaders, name, type(name, (), {}), raising=False)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def ours(network_made) -> AutoencoderTubelet:
    return AutoencoderTubelet.from_tokenizer(network_made.tokenizer, channels=8)


def prompt() -> torch.Tensor:
    return torch.zeros(1, 4, 8)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def wan(ours):
    transformer = diffusers.WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=8,
        out_channels=8,
        text_dim=8,
        freq_dim=8,
        ffn_dim=16,
        num_layers=1,
        rope_max_seq_len=32,
    )
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    return importlib.import_module("diffusers.pipelines.wan.pipeline_wan").WanPipeline(
        tokenizer=None, text_encoder=None, vae=ours, transformer=transformer, scheduler=scheduler
    ), {}


def cogvideox(ours):
    transformer = diffusers.CogVideoXTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=8,
        out_channels=8,
        time_embed_dim=4,
        text_embed_dim=8,
        num_layers=1,
        sample_width=8,
        sample_height=4,
        sample_frames=9,
        max_text_seq_length=4,
    )
    scheduler = diffusers.CogVideoXDDIMScheduler()
    return importlib.import_module("diffusers.pipelines.cogvideo.pipeline_cogvideox").CogVideoXPipeline(
        tokenizer=None, text_encoder=None, vae=ours, transformer=transformer, scheduler=scheduler
    ), {}


def ltx(ours):
    transformer = diffusers.LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        num_layers=1,
        caption_channels=8,
    )
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    pipeline = importlib.import_module("diffusers.pipelines.ltx.pipeline_ltx").LTXPipeline(
        tokenizer=None, text_encoder=None, vae=ours, transformer=transformer, scheduler=scheduler
    )
    mask = torch.ones(1, 4)
    return pipeline, {"prompt_attention_mask": mask, "negative_prompt_attention_mask": mask}


@pytest.mark.parametrize("make", [wan, cogvideox, ltx])
def test_a_pipeline_of_videos_takes_our_tokenizer_for_its_own(make, ours, text_models):
    pipeline, more = make(ours)
    pipeline.set_progress_bar_config(disable=True)
    arguments = {"height": 32, "width": 64, "num_frames": 9, "num_inference_steps": 2, **more}
    arguments |= {"prompt_embeds": prompt(), "negative_prompt_embeds": prompt()}
    frames = pipeline(**arguments, generator=generator(), output_type="np").frames
    assert frames.shape == (1, 9, 32, 64, 3)
    latent = pipeline(**arguments, generator=generator(), output_type="latent").frames
    if make is wan:  # the others pack their latents
        expected = ours.tokenizer.decode(latent, frames=9, height=32, width=64)
        expected = (expected / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 3, 0).numpy()
        np.testing.assert_allclose(frames[0], expected, atol=1e-5)


def dit(ours):
    transformer = diffusers.DiTTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=8,
        out_channels=8,
        num_layers=1,
        sample_size=4,
        num_embeds_ada_norm=1000,
    )
    # New ones are in training, where labels are dropped at random.
    pipeline = diffusers.DiTPipeline(transformer.eval(), ours, diffusers.DDIMScheduler())
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_a_pipeline_of_images_takes_our_tokenizer_for_its_own(ours):
    images = dit(ours)([1], num_inference_steps=2, generator=generator(), output_type="np").images
    assert images.shape == (1, 32, 32, 3)


def test_a_stored_pipeline_keeps_our_tokenizer(ours, tmp_path):
    pipeline = dit(ours)
    before = pipeline([1], num_inference_steps=2, generator=generator(), output_type="np").images
    pipeline.save_pretrained(tmp_path)
    back = diffusers.DiTPipeline.from_pretrained(
        tmp_path, vae=AutoencoderTubelet.from_pretrained(tmp_path / "vae"), low_cpu_mem_usage=False
    )
    back.set_progress_bar_config(disable=True)
    after = back([1], num_inference_steps=2, generator=generator(), output_type="np").images
    np.testing.assert_allclose(after, before, atol=1e-5)
