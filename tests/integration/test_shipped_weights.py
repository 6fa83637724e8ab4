from itertools import pairwise

import numpy as np
import pytest
import torch

import tubelet
from tubelet.checkpoint import SHIPPED, fingerprint, read_checkpoint


@pytest.fixture(scope="module", params=tubelet.shipped())
def checkpoint(request):
    return read_checkpoint(request.param)


def test_it_is_what_its_hash_says(checkpoint):
    assert checkpoint.sha256 == fingerprint(checkpoint.config, checkpoint.tokenizer.state_dict())


def test_its_name_is_its_folder(checkpoint):
    assert (SHIPPED / checkpoint.config.name).is_dir()


def test_a_linear_tokenizer_is_called_by_its_stride(checkpoint):
    if not checkpoint.config.decoder_blocks:
        assert checkpoint.config.name == f"klt-{checkpoint.tokenizer.stride}"


def test_weights_of_networks_take_at_most_16_megabytes(checkpoint):
    assert (SHIPPED / checkpoint.config.name / "weights.safetensors").stat().st_size <= 16_000_000


def test_its_cost_is_within_the_budget_of_its_size(checkpoint):
    budget = {"tubelet-s": 50e3, "tubelet-m": 150e3, "tubelet-image": 150e3}
    if checkpoint.config.name in budget:
        assert checkpoint.tokenizer.flops_per_pixel() <= budget[checkpoint.config.name]


def test_it_comes_with_a_card(checkpoint):
    card = (SHIPPED / checkpoint.config.name / "card.md").read_text(encoding="utf-8")
    assert card.startswith(f"# {checkpoint.config.name}\n")


def test_its_statistics_are_positive_numbers(checkpoint):
    deviation = checkpoint.tokenizer.transform.deviation
    assert deviation.isfinite().all() and (deviation > 0).all()


def test_its_bases_are_orthonormal(checkpoint):
    for level in checkpoint.tokenizer.transform.klts:
        assert torch.allclose(level.basis @ level.basis.T, torch.eye(len(level.basis)), atol=1e-4)


def slow_waves(frames: int, height: int, width: int) -> np.ndarray:
    """Waves far longer than any patch, which every stride can follow."""
    t, y, x = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
    channels = [np.sin(x / 90 + t / 30), np.cos(y / 70 - t / 40), np.sin((x + y) / 120 + t / 35)]
    return np.round(127.5 + 100 * np.stack(channels, -1)).astype(np.uint8)


def test_a_smooth_clip_comes_back_above_30_decibels(checkpoint):
    clip = slow_waves(13, 96, 128)
    tokenizer = checkpoint.tokenizer
    latent = tokenizer.encode(tubelet.to_model(clip))
    back = tubelet.from_model(tokenizer.decode(latent, frames=13, height=96, width=128))
    error = np.mean((clip.astype(float) - back) ** 2)
    assert 10 * np.log10(255**2 / error) > 30


def test_more_channels_are_never_worse(checkpoint, smooth):
    clip = tubelet.to_model(smooth(9, 64, 64))
    tokenizer = checkpoint.tokenizer
    latent = tokenizer.encode(clip)
    counts = [2**i for i in range(9) if 2**i <= tokenizer.channels]
    errors = [
        float((tokenizer.decode(latent[:, :k], frames=9, height=64, width=64) - clip).square().mean())
        for k in counts
    ]
    assert all(more <= fewer * 1.001 for fewer, more in pairwise(errors))
