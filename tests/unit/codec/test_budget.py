"""What is asked for is what is got: rates, qualities, qualities in dB."""

import numpy as np
import pytest
import torch

import tubelet
from tubelet.codec.budget import (
    Allocators,
    Bitrate,
    BitsPerPixel,
    MeanChannels,
    Quality,
    TargetPSNR,
    price_of_step,
)
from tubelet.codec.encode import encode_file
from tubelet.codec.fill import fill_from_past
from tubelet.errors import OptionError


@pytest.fixture(scope="module")
def video():
    """Smooth noise that drifts, slowly and then three times as fast: 241 frames."""
    generator = torch.Generator().manual_seed(0)
    smooth = torch.randn(1, 3, 94, 370, generator=generator)
    for _ in range(3):
        smooth = torch.nn.functional.avg_pool2d(smooth, 9, stride=1)
    smooth = 0.4 * smooth / smooth.std()
    frames = [smooth[:, :, :64, (index // 3) : (index // 3) + 96] for index in range(121)]
    frames += [smooth[:, :, :64, 120 + index : 216 + index] for index in range(120)]
    return torch.stack(frames, dim=2).clamp(-1, 1)


@pytest.fixture(scope="module")
def tokenizer():
    return tubelet.load("klt-4x8x8")


@pytest.fixture(scope="module")
def latent(tokenizer, video):
    return tokenizer.encode(video)


@pytest.fixture(scope="module")
def maker(tokenizer):
    return Allocators(tokenizer)


def psnr(tokenizer, video, quantizer, done):
    filled = fill_from_past(quantizer.dequantize(done.symbols)[0].numpy(), done.counts, None)
    known = torch.from_numpy(filled.counts)[None, None].long()
    values = torch.from_numpy(filled.values)[None]
    decoded = tokenizer.decode(
        values, frames=video.shape[2], height=video.shape[3], width=video.shape[4], counts=known
    )
    return float(10 * torch.log10(4 / (decoded - video).square().mean()))


def test_the_error_of_a_latent_is_that_of_the_frames_of_a_linear_tokenizer(tokenizer, maker, video, latent):
    done = maker.at_quality(Quality(level=30.0)).allocate(latent)
    found = psnr(tokenizer, video, maker.quantizer(Quality(level=30.0).step), done)
    beyond = float((tokenizer.decode(latent, frames=241, height=64, width=96) - video).square().sum())
    stated = 10 * np.log10(4 * video.numel() / (done.errors.sum() + beyond))
    assert found == pytest.approx(stated, abs=0.1)


def test_at_another_price_a_copy_goes_on_from_where_it_was_made(maker, latent):
    first = maker.at_quality(Quality(level=30.0))
    first.allocate(latent[:, :, :5])
    dearer = first.at(100 * price_of_step(Quality(level=30.0).step))
    assert (
        dearer.allocate(latent[:, :, 5:9]).costs.sum()
        < first.at(0.01).allocate(latent[:, :, 5:9]).costs.sum()
    )
    again = maker.at_quality(Quality(level=30.0))
    again.allocate(latent[:, :, :5])
    np.testing.assert_array_equal(
        again.allocate(latent[:, :, 5:9]).counts, first.allocate(latent[:, :, 5:9]).counts
    )


def test_price_and_step_go_together():
    assert price_of_step(2.0) == pytest.approx(4 * price_of_step(1.0))
    steps = [Quality(level=float(level)).step for level in range(1, 64)]
    assert steps == sorted(steps, reverse=True)
    assert Quality(level=36.0).step == 1


def test_fewer_channels_may_be_allowed(tokenizer, latent):
    done = Allocators(tokenizer, channels=10).at_quality(Quality(level=50.0)).allocate(latent[:, :10, :3])
    assert done.symbols.shape[0] == 10
    assert set(np.unique(done.counts)) <= {0, 1, 2, 4, 8, 10}


@pytest.mark.parametrize(
    ("channels", "budget", "rule"),
    [(None, 65, "budget is 65 channels per position, and a position has 64 at most"), (8, 8.5, "8 at most")],
)
def test_more_channels_than_there_are_are_refused_before_anything_is_written(
    tmp_path, channels, budget, rule
):
    np.save(tmp_path / "a.npy", np.zeros((1, 16, 16, 3), np.uint8))
    target = tmp_path / "a.tube"
    with pytest.raises(OptionError, match=rule):
        encode_file(tmp_path / "a.npy", target, tokenizer="klt-4x8x8", channels=channels, budget=budget)
    assert not target.exists()
    encode_file(tmp_path / "a.npy", target, tokenizer="klt-4x8x8", channels=channels, budget=channels or 64)


@pytest.mark.parametrize(
    "make",
    [
        lambda: MeanChannels(channels=0.0),
        lambda: BitsPerPixel(bits=-1.0),
        lambda: Bitrate(bits_per_second=float("nan")),
        lambda: TargetPSNR(db=float("inf")),
        lambda: Quality(level=0.5),
        lambda: Quality(level=64.0),
    ],
)
def test_budgets_without_meaning_are_refused(make):
    with pytest.raises(OptionError, match="must"):
        make()
