"""Our tokenizer as an autoencoder of diffusers."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from tubelet.errors import OptionError
from tubelet.interop.as_diffusers import AutoencoderTubelet
from tubelet.types import Stride


@pytest.fixture(scope="module", params=["small", "network"])
def made(request):
    """A linear tokenizer, and one with networks."""
    return request.getfixturevalue(f"{request.param}_made")


@pytest.fixture
def ours(made) -> AutoencoderTubelet:
    return AutoencoderTubelet.from_tokenizer(made.tokenizer)


def clip(frames: int = 5, height: int = 24, width: int = 40, *, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(1, 3, frames, height, width, generator=generator) - 1


def test_the_mode_is_the_latent_of_the_tokenizer(ours, made):
    video = clip()
    assert_close(ours.encode(video).latent_dist.mode(), made.tokenizer.encode(video))


def test_decoding_gives_one_frame_and_then_a_stride_for_every_step(ours, made):
    latent = made.tokenizer.encode(clip(9))
    expected = made.tokenizer.decode(latent, frames=9, height=24, width=40)
    assert_close(ours.decode(latent).sample, expected)
    assert_close(ours.decode(latent, return_dict=False)[0], expected)


def test_a_tokenizer_without_a_distribution_gives_one_without_spread(ours):
    distribution = ours.encode(clip()).latent_dist
    assert torch.equal(distribution.sample(), distribution.mode())
    assert torch.equal(distribution.sample(), distribution.mean)
    assert not distribution.std.any()


def test_a_variational_tokenizer_gives_its_distribution(make_tokenizer):
    made = make_tokenizer(variational=True, width=16, encoder_blocks=1, decoder_blocks=1)
    ours = AutoencoderTubelet.from_tokenizer(made.tokenizer, channels=5)
    distribution = ours.encode(clip()).latent_dist
    expected = made.tokenizer.posterior(clip())
    assert_close(distribution.mode(), expected.mean[:, :5])
    assert_close(distribution.std, (expected.log_variance[:, :5] / 2).exp())
    again = (torch.Generator().manual_seed(1) for _ in range(2))
    first, second = (distribution.sample(generator) for generator in again)
    assert torch.equal(first, second)
    assert not torch.equal(first, distribution.mode())


def test_an_image_is_a_clip_of_one_frame(ours):
    image = clip(1)[:, :, 0]
    latent = ours.encode(image).latent_dist.mode()
    assert latent.shape == (1, 12, 3, 5)
    assert_close(latent, ours.encode(image[:, :, None]).latent_dist.mode()[:, :, 0])
    assert_close(ours.decode(latent).sample, ours.decode(latent[:, :, None]).sample[:, :, 0])


def test_a_pipeline_may_see_fewer_channels(made):
    ours = AutoencoderTubelet.from_tokenizer(made.tokenizer, channels=4)
    latent = ours.encode(clip()).latent_dist.mode()
    assert_close(latent, made.tokenizer.encode(clip(), channels=4))
    assert ours.config.latent_channels == ours.config.z_dim == len(ours.config.latents_mean) == 4
    assert ours.decode(latent).sample.shape == (1, 3, 5, 24, 40)


def test_what_pipelines_look_up_says_that_latents_are_normalised_already(ours):
    config = ours.config
    assert (config.scaling_factor, config.shift_factor) == (1.0, 0.0)
    assert set(config.latents_mean) == {0.0}
    assert set(config.latents_std) == {1.0}
    assert not ours.latents_mean.any()
    assert bool((ours.latents_std == 1).all())


def test_what_pipelines_look_up_says_the_stride(ours):
    config = ours.config
    assert ours.temporal_compression_ratio == config.scale_factor_temporal == 4
    assert ours.spatial_compression_ratio == config.scale_factor_spatial == 8
    assert 2 ** (len(config.block_out_channels) - 1) == 8


def test_it_comes_back_from_a_folder_of_safetensors(ours, tmp_path):
    ours.save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.json",
        "diffusion_pytorch_model.safetensors",
    ]
    back = AutoencoderTubelet.from_pretrained(tmp_path)
    assert {**back.config, "_name_or_path": None} == {**ours.config, "_name_or_path": None}
    assert_close(back.encode(clip()).latent_dist.mode(), ours.encode(clip()).latent_dist.mode())
    stored = load_file(tmp_path / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(weights, back.state_dict()[name]) for name, weights in stored.items())


def test_a_checkpoint_of_ours_becomes_one_of_diffusers(network_folder, network_tokenizer):
    ours = AutoencoderTubelet.from_checkpoint(network_folder, channels=6)
    assert_close(ours.encode(clip()).latent_dist.mode(), network_tokenizer.encode(clip(), channels=6))


def test_pickled_weights_are_refused(ours, tmp_path):
    ours.save_pretrained(tmp_path, safe_serialization=False)
    with pytest.raises(OSError, match="safetensors"):
        AutoencoderTubelet.from_pretrained(tmp_path)


def test_half_precision_reaches_the_networks_only(network_made, tmp_path):
    ours = AutoencoderTubelet.from_tokenizer(network_made.tokenizer)
    ours.save_pretrained(tmp_path)
    for half in (
        AutoencoderTubelet.from_pretrained(tmp_path, torch_dtype=torch.bfloat16),
        AutoencoderTubelet.from_pretrained(tmp_path).to(torch.bfloat16),
    ):
        dtypes = {name: weights.dtype for name, weights in half.state_dict().items()}
        narrow = {name for name, dtype in dtypes.items() if dtype == torch.bfloat16}
        assert narrow == {
            name for name in dtypes if name.startswith(("tokenizer.model.encoder", "tokenizer.model.decoder"))
        }
        assert half.dtype == torch.float32
        transform = half.tokenizer.model.transform.state_dict()
        exact = network_made.tokenizer.model.transform.state_dict()
        assert all(torch.equal(weights, exact[name]) for name, weights in transform.items())
        latent = half.encode(clip().bfloat16()).latent_dist.mode()
        assert half.decode(latent.bfloat16()).sample.isfinite().all()


def test_double_precision_reaches_everything(small_made, tmp_path):
    AutoencoderTubelet.from_tokenizer(small_made.tokenizer).save_pretrained(tmp_path)
    double = AutoencoderTubelet.from_pretrained(tmp_path).to(torch.float64)
    assert double.dtype == torch.float64
    assert double.decode(double.encode(clip()).latent_dist.mode()).sample.dtype == torch.float64


def test_tiling_bounds_memory_and_changes_nothing(ours):
    video = clip(9, 48, 56)
    latent = ours.encode(video).latent_dist.mode()
    decoded = ours.decode(latent).sample
    ours.enable_tiling(tile_sample_min_height=16)
    ours.enable_slicing()
    assert_close(ours.encode(video).latent_dist.mode(), latent, rtol=0, atol=2e-5)
    assert_close(ours.decode(latent).sample, decoded, rtol=0, atol=2e-5)
    ours.disable_tiling()
    assert torch.equal(ours.decode(latent).sample, decoded)


def test_calling_it_encodes_and_decodes(ours):
    expected = ours.decode(ours.encode(clip()).latent_dist.mode()).sample
    assert_close(ours(clip()).sample, expected)


def test_pushing_to_the_hub_uploads_the_folder(ours, monkeypatch):
    seen = {}

    def upload(self, folder, repo_id, **options):
        seen[repo_id] = sorted(path.name for path in Path(folder).iterdir())

    monkeypatch.setattr(AutoencoderTubelet, "_upload_folder", upload)
    monkeypatch.setattr("diffusers.utils.hub_utils.create_repo", lambda name, **options: Repository(name))
    monkeypatch.setattr("diffusers.utils.hub_utils.load_or_create_model_card", lambda *a, **o: Card())
    monkeypatch.setattr("diffusers.utils.hub_utils.populate_model_card", lambda card, **options: card)
    ours.push_to_hub("somebody/tubelet")
    assert seen["somebody/tubelet"] == ["README.md", "config.json", "diffusion_pytorch_model.safetensors"]


class Repository:
    def __init__(self, repo_id: str) -> None:
        self.repo_id = repo_id


class Card:
    def save(self, path: str) -> None:
        Path(path).write_text("# card\n")


def test_a_stride_that_is_not_square_is_refused():
    with pytest.raises(OptionError, match="square"):
        AutoencoderTubelet(patches=[[4, 8, 4]], coefficients=[8], channels=8)


def test_the_stride_of_a_made_one_is_that_of_its_patches(make_tokenizer):
    made = make_tokenizer(patches=(Stride(2, 4, 4),), coefficients=(12,))
    ours = AutoencoderTubelet.from_tokenizer(made.tokenizer)
    assert (ours.temporal_compression_ratio, ours.spatial_compression_ratio) == (2, 4)
    assert ours.decode(torch.zeros(1, 12, 3, 2, 2)).sample.shape == (1, 3, 5, 8, 8)
