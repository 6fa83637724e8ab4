import math
from functools import partial

import numpy as np
import pytest
import torch

from tubelet.errors import OptionError, ShapeError
from tubelet.losses.reconstruction import charbonnier, l1, log_mse
from tubelet.losses.temporal import frame_difference
from tubelet.losses.wavelet import wavelet_l1

SHAPE = (2, 3, 3, 4, 5)


def slow_l1(reference, video):
    return np.mean([abs(b - a) for a, b in zip(reference.flat, video.flat, strict=True)])


def slow_mse(reference, video):
    return np.mean([(b - a) ** 2 for a, b in zip(reference.flat, video.flat, strict=True)])


def slow_charbonnier(reference, video):
    pairs = zip(reference.flat, video.flat, strict=True)
    return np.mean([math.hypot(b - a, 0.01) - 0.01 for a, b in pairs])


def slow_log_mse(reference, video):
    return np.mean([math.log(slow_mse(a, b) + 0.02) for a, b in zip(reference, video, strict=True)])


def slow_frame_difference(reference, video):
    total = []
    for t in range(1, video.shape[2]):
        expected = reference[:, :, t] - reference[:, :, t - 1]
        total.append(slow_l1(expected, video[:, :, t] - video[:, :, t - 1]))
    return np.mean(total)


def slow_rounded_frame_difference(reference, video):
    later, sooner = (slice(None), slice(None), slice(1, None)), (slice(None), slice(None), slice(-1))
    return slow_charbonnier(reference[later] - reference[sooner], video[later] - video[sooner])


TWINS = {
    "l1": (l1, slow_l1),
    "charbonnier": (partial(charbonnier, epsilon=0.01), slow_charbonnier),
    "log_mse": (partial(log_mse, floor=0.02), slow_log_mse),
    "frame_difference": (frame_difference, slow_frame_difference),
    "rounded frame_difference": (partial(frame_difference, epsilon=0.01), slow_rounded_frame_difference),
}
EVERY = [loss for loss, _ in TWINS.values()] + [partial(wavelet_l1, levels=2, time=True)]


@pytest.mark.parametrize("name", TWINS)
def test_each_loss_is_its_formula(name, draw):
    loss, slow = TWINS[name]
    reference, video = draw(*SHAPE), draw(*SHAPE, seed=1)
    assert float(loss(reference, video)) == pytest.approx(slow(reference.numpy(), video.numpy()), rel=1e-12)


@pytest.mark.parametrize("loss", EVERY)
def test_the_gradient_is_that_of_finite_differences(loss, draw):
    reference = draw(*SHAPE)
    video = draw(*SHAPE, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(reference, x), (video,))


@pytest.mark.parametrize("loss", [l1, charbonnier, frame_difference, wavelet_l1])
def test_equal_videos_have_no_loss_and_different_ones_have(loss, draw):
    video = draw(*SHAPE)
    assert float(loss(video, video.clone())) == 0
    assert float(loss(video, draw(*SHAPE, seed=1))) > 0


def test_the_logarithm_of_equal_videos_is_that_of_the_floor(draw):
    video = draw(*SHAPE)
    assert float(log_mse(video, video, floor=1e-6)) == pytest.approx(math.log(1e-6))


@pytest.mark.parametrize("loss", EVERY)
def test_half_precision_and_autocast_lose_nothing(loss, draw):
    reference, video = draw(*SHAPE, dtype=torch.bfloat16), draw(*SHAPE, seed=1, dtype=torch.bfloat16)
    expected = loss(reference.float(), video.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(reference, video)
        mixed = loss(reference.float(), video)
    assert found.dtype == mixed.dtype == torch.float32
    assert found == mixed == expected


@pytest.mark.parametrize("loss", EVERY)
def test_the_order_and_the_number_of_equal_clips_change_nothing(loss, draw):
    reference, video = draw(*SHAPE), draw(*SHAPE, seed=1)
    twice = loss(torch.cat([reference, reference.flip(0)]), torch.cat([video, video.flip(0)]))
    assert float(twice) == pytest.approx(float(loss(reference, video)), rel=1e-12)


def test_the_rounded_absolute_value_lies_below_the_plain_one_by_at_most_epsilon(draw):
    reference, video = draw(*SHAPE), draw(*SHAPE, seed=1)
    gap = float(l1(reference, video) - charbonnier(reference, video, epsilon=0.05))
    assert 0 < gap <= 0.05


def test_the_rounded_absolute_value_is_exact_for_tiny_differences():
    reference = torch.zeros(1, 3, 1, 1, 1)
    found = float(charbonnier(reference, reference + 1e-6, epsilon=1e-3))
    assert found == pytest.approx(1e-12 / 2e-3, rel=1e-5)


def test_the_gradient_of_the_logarithm_is_that_of_the_mean_psnr(draw):
    reference = draw(*SHAPE)
    near = torch.tensor([1.0, 1e-2], dtype=torch.float64).reshape(2, 1, 1, 1, 1)  # 40 dB apart
    video = (reference + near * draw(*SHAPE, seed=1)).requires_grad_()
    errors = torch.stack([(a - b).square().mean() for a, b in zip(reference, video, strict=True)])
    psnr = (10 * torch.log10(4 / errors)).mean()
    (of_psnr,) = torch.autograd.grad(psnr, video)
    (of_loss,) = torch.autograd.grad(log_mse(reference, video, floor=1e-15), video)
    torch.testing.assert_close(of_psnr, -10 / math.log(10) * of_loss, rtol=1e-9, atol=0)
    (of_mse,) = torch.autograd.grad((video - reference).square().mean(), video)
    cosine = torch.nn.functional.cosine_similarity(of_psnr.flatten(), -of_mse.flatten(), dim=0)
    assert cosine < 0.1  # what the other loss would do


@pytest.mark.parametrize("loss", [charbonnier, partial(frame_difference)])
@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan])
def test_epsilon_must_be_above_zero(loss, epsilon, draw):
    with pytest.raises(OptionError, match=r"epsilon is .*; it must be above 0"):
        loss(draw(*SHAPE), draw(*SHAPE), epsilon=epsilon)


@pytest.mark.parametrize("floor", [0.0, -1.0, math.nan])
def test_the_floor_must_be_above_zero(floor, draw):
    with pytest.raises(OptionError, match=r"floor is .*; it must be above 0"):
        log_mse(draw(*SHAPE), draw(*SHAPE), floor=floor)


@pytest.mark.parametrize("loss", [l1, charbonnier, log_mse, frame_difference, wavelet_l1])
def test_shapes_must_agree_and_hold_something(loss, draw):
    bare = getattr(loss, "__wrapped__", loss)  # as it is without the test hook
    with pytest.raises(ShapeError, match=r"\(1, 3, 3, 4, 5\) and the video \(2, 3, 3, 4, 5\)"):
        bare(draw(1, 3, 3, 4, 5), draw(*SHAPE))
    with pytest.raises(ShapeError, match="an empty clip has no loss"):
        bare(draw(1, 3, 0, 4, 5), draw(1, 3, 0, 4, 5))
