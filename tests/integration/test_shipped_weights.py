from itertools import pairwise

import numpy as np
import pytest
import torch

import tubelet
from tubelet import further
from tubelet.checkpoint import SHIPPED, architecture, find, read_continuous, read_discrete
from tubelet.codec.symbols import kept_channels
from tubelet.nn.klt import KLT
from tubelet.tokenizers.save import fingerprint

CONTINUOUS = [name for name in tubelet.shipped() if architecture(name) == "continuous"]
DISCRETE = [name for name in tubelet.shipped() if architecture(name) == "discrete"]


@pytest.fixture(scope="module", params=tubelet.shipped())
def checkpoint(request):
    read = read_continuous if request.param in CONTINUOUS else read_discrete
    return read(request.param)


@pytest.fixture(scope="module", params=CONTINUOUS)
def continuous(request):
    return read_continuous(request.param)


@pytest.fixture(scope="module", params=DISCRETE)
def discrete(request):
    return read_discrete(request.param)


def test_it_is_what_its_hash_says(checkpoint):
    assert checkpoint.sha256 == fingerprint(checkpoint.tokenizer.config, checkpoint.tokenizer.weights())


def test_its_name_is_its_folder(checkpoint):
    folder = find(checkpoint.name)
    assert folder.name == checkpoint.name
    assert (folder.parent == SHIPPED) == (checkpoint.name not in further.TOKENIZERS)


def test_a_linear_tokenizer_is_called_by_its_stride(continuous):
    if not continuous.tokenizer.model.networks():
        stride = continuous.tokenizer.stride
        assert continuous.name in {f"klt-{stride}", f"klt-{stride}-motion"}


def test_weights_of_networks_take_at_most_8_megabytes(checkpoint):
    assert (find(checkpoint.name) / "weights.safetensors").stat().st_size <= 8_000_000


def test_its_cost_is_within_the_budget_of_its_size(checkpoint):
    budget = 50e3 if checkpoint.name == "tubelet-s" else 150e3
    assert checkpoint.tokenizer.flops_per_pixel() <= budget


def test_it_comes_with_a_card(checkpoint):
    card = (find(checkpoint.name) / "card.md").read_text(encoding="utf-8")
    assert f"\n# {checkpoint.name}\n" in card
    assert card.startswith("---\nlicense: apache-2.0\nlibrary_name: tubelet\n")


def test_its_statistics_are_positive_numbers(checkpoint):
    named = checkpoint.tokenizer.named_buffers()
    deviations = [each for name, each in named if name.endswith("deviation")]
    assert deviations
    for deviation in deviations:
        assert deviation.isfinite().all() and (deviation > 0).all()


def test_its_bases_are_orthonormal(checkpoint):
    transforms = [each for each in checkpoint.tokenizer.modules() if isinstance(each, KLT)]
    assert transforms
    for each in transforms:
        assert torch.allclose(each.basis @ each.basis.T, torch.eye(len(each.basis)), atol=1e-4)


def slow_waves(frames: int, height: int, width: int) -> np.ndarray:
    """Waves far longer than any patch, which every stride can follow."""
    t, y, x = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
    channels = [np.sin(x / 90 + t / 30), np.cos(y / 70 - t / 40), np.sin((x + y) / 120 + t / 35)]
    return np.round(127.5 + 100 * np.stack(channels, -1)).astype(np.uint8)


def test_a_smooth_clip_comes_back_above_30_decibels(continuous):
    clip = slow_waves(13, 96, 128)
    tokenizer = continuous.tokenizer
    latents = tokenizer.encode_parts(tubelet.to_model(clip))
    back = tubelet.from_model(tokenizer.decode_parts(latents, frames=13, height=96, width=128))
    error = np.mean((clip.astype(float) - back) ** 2)
    assert 10 * np.log10(255**2 / error) > 30


def test_a_smooth_clip_comes_back_from_tokens_above_25_decibels(discrete):
    """Eight levels of brightness per position, and what the network makes of its neighbours."""
    clip = slow_waves(13, 96, 128)
    back = tubelet.from_model(discrete.tokenizer(tubelet.to_model(clip)))
    error = np.mean((clip.astype(float) - back) ** 2)
    assert 10 * np.log10(255**2 / error) > 25


def test_tokens_are_many_and_inside_the_codebook(discrete):
    grid = discrete.tokenizer.tokenize(tubelet.to_model(slow_waves(13, 96, 128)))
    assert int(grid.tokens.min()) >= 0 and int(grid.tokens.max()) < grid.codebook_size
    assert len(grid.tokens.unique()) > 20


def test_more_channels_are_never_worse(continuous, smooth):
    clip = tubelet.to_model(smooth(9, 64, 64))
    tokenizer = continuous.tokenizer
    latents = tokenizer.encode_parts(clip)
    ordered = [part for part in tokenizer.parts if part.ordered]
    counts = [2**i for i in range(9) if 2**i <= max(part.channels for part in ordered)]
    errors: list[float] = []
    for count in counts:
        fewer = {part.name: min(count, part.channels) for part in ordered}
        kept = kept_channels(tokenizer, None) | fewer
        prefix = {name: part[:, : kept[name]] for name, part in latents.items()}
        back = tokenizer.decode_parts(prefix, frames=9, height=64, width=64)
        errors.append(float((back - clip).square().mean()))
    assert all(more <= fewer * 1.001 for fewer, more in pairwise(errors))


def test_a_draw_of_the_shipped_distribution_shows_what_its_mean_shows():
    tokenizer = tubelet.load("tubelet-m-vae")
    clip = slow_waves(13, 96, 128)
    posterior = tokenizer.posterior(tubelet.to_model(clip))
    one, other = (posterior.sample(torch.Generator().manual_seed(seed)) for seed in (0, 1))
    deviation = (posterior.log_variance / 2).exp()
    assert not torch.equal(one, other)
    assert ((one - posterior.mean) / deviation).std() == pytest.approx(1, abs=0.05)
    assert 1e-3 < float(deviation.mean()) < 1 and float(posterior.kl()) > 0
    back = tubelet.from_model(tokenizer.decode(one, frames=13, height=96, width=128))
    error = np.mean((clip.astype(float) - back) ** 2)
    assert 10 * np.log10(255**2 / error) > 30
