"""What is asked for is what is got: rates, qualities, qualities in dB."""

from fractions import Fraction

import numpy as np
import pytest
import torch

import tubelet
from tubelet.codec.budget import (
    Allocators,
    Bitrate,
    BitsPerPixel,
    ClipFacts,
    MeanChannels,
    Quality,
    TargetPSNR,
    price_of_step,
)
from tubelet.codec.fill import fill_from_past
from tubelet.errors import OptionError

FACTS = ClipFacts(height=64, width=96, rate=Fraction(24))


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
    return Allocators(tokenizer, FACTS)


def psnr(tokenizer, video, quantizer, done):
    filled = fill_from_past(quantizer.dequantize(done.symbols)[0].numpy(), done.counts, None)
    known = torch.from_numpy(filled.counts)[None, None].long()
    values = torch.from_numpy(filled.values)[None]
    decoded = tokenizer.decode(
        values, frames=video.shape[2], height=video.shape[3], width=video.shape[4], counts=known
    )
    return float(10 * torch.log10(4 / (decoded - video).square().mean()))


@pytest.mark.parametrize("kilobits", [40.0, 100.0])
def test_a_bitrate_is_met_over_ten_seconds(maker, latent, kilobits):
    rate = 1000 * kilobits
    done = maker.one_pass(Bitrate(bits_per_second=rate), latent[:, :, :8]).push(latent)
    seconds = 241 / 24
    assert 0.95 * rate <= done.costs.sum() / seconds <= rate


def test_two_passes_spend_nearly_all_that_is_allowed(maker, latent):
    part = latent[:, :, :16]
    allowed = 0.1 * 61 * 64 * 96
    known = maker.two_pass(BitsPerPixel(bits=0.1), lambda: part.split(7, dim=2)).push(part)
    assert 0.93 * allowed <= known.costs.sum() <= allowed
    counted = maker.two_pass(MeanChannels(channels=6.0), lambda: [part]).push(part)
    assert 0.93 * 6 <= counted.counts.mean() <= 6


def test_two_passes_are_better_than_one_where_a_clip_is_easy_at_first(maker, latent):
    uneven = latent[:, :, :16].clone()
    uneven[:, :, :8] *= 0.2
    for budget in (MeanChannels(channels=6.0), BitsPerPixel(bits=0.1)):
        one = maker.one_pass(budget, uneven[:, :, :4]).push(uneven)
        two = maker.two_pass(budget, lambda: [uneven]).push(uneven)
        assert two.errors.sum() < one.errors.sum()


@pytest.mark.parametrize("db", [24.0, 29.0])
def test_psnr_is_met_when_decoded_steps_are_measured(tokenizer, maker, video, latent, db):
    allocator = maker.one_pass(TargetPSNR(db=db), latent[:, :, :8])
    quantizer, wanted = allocator.quantizer, video[:, :, :1]
    done, total = [], 0.0
    decoder = tokenizer.stream_decoder(height=64, width=96, frames=241)
    held = None
    for index in range(latent.shape[2]):
        step = allocator.push(latent[:, :, index : index + 1])
        values = quantizer.dequantize(step.symbols)[0].numpy()
        filled = fill_from_past(values, step.counts, None if step.begins[0] else held)
        held = filled.last
        known = torch.from_numpy(filled.counts)[None, None].long()
        frames = decoder.push(torch.from_numpy(filled.values)[None], counts=known)
        start = 0 if index == 0 else 1 + 4 * (index - 1)
        wanted = video[:, :, start : start + frames.shape[2]]
        error = float((frames - wanted).square().sum())
        total += error
        # A lead frame stands for four.
        allocator.correct(error=error * 4 / frames.shape[2] - float(step.errors[0]))
        done.append(step)
    found = 10 * np.log10(4 * video.numel() / total)
    assert found == pytest.approx(db, abs=0.3)


def test_the_error_of_a_latent_is_that_of_the_frames_of_a_linear_tokenizer(tokenizer, maker, video, latent):
    done = maker.at_quality(Quality(level=30.0)).push(latent)
    found = psnr(tokenizer, video, maker.quantizer(Quality(level=30.0).step), done)
    beyond = float((tokenizer.decode(latent, frames=241, height=64, width=96) - video).square().sum())
    stated = 10 * np.log10(4 * video.numel() / (done.errors.sum() + beyond))
    assert found == pytest.approx(stated, abs=0.1)


def test_a_copy_goes_on_from_where_it_was_made(maker, latent):
    first = maker.one_pass(BitsPerPixel(bits=0.1), latent[:, :, :4])
    first.push(latent[:, :, :5])
    second = first.copy()
    first.correct(cost=5000.0)
    changed, unchanged = (each.push(latent[:, :, 5:9]) for each in (first, second))
    assert changed.costs.sum() < unchanged.costs.sum()
    again = maker.one_pass(BitsPerPixel(bits=0.1), latent[:, :, :4])
    np.testing.assert_array_equal(again.push(latent[:, :, :9]).counts[5:], unchanged.counts)


def test_price_and_step_go_together():
    assert price_of_step(2.0) == pytest.approx(4 * price_of_step(1.0))
    steps = [Quality(level=float(level)).step for level in range(1, 64)]
    assert steps == sorted(steps, reverse=True)
    assert Quality(level=36.0).step == 1


def test_fewer_channels_may_be_allowed(tokenizer, latent):
    done = Allocators(tokenizer, FACTS, channels=10).at_quality(Quality(level=50.0)).push(latent[:, :10, :3])
    assert done.symbols.shape[0] == 10
    assert set(np.unique(done.counts)) <= {0, 1, 2, 4, 8, 10}


def test_no_steps_are_no_steps(maker, latent):
    done = maker.at_quality(Quality(level=30.0)).push(latent[:, :, :0])
    assert done.symbols.shape == (64, 0, 8, 12)
    assert done.counts.shape == (0, 8, 12)


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
