import math

import numpy as np
import pytest
import torch
from torch.func import functional_call

from tubelet.errors import OptionError, ShapeError
from tubelet.losses.adversarial import (
    SpaceTimeDiscriminator,
    r3gan_discriminator,
    r3gan_generator,
)


@pytest.fixture
def make(draw):
    """A discriminator in float64 of which no weight is zero."""

    def build(*, width: int = 3, levels: int = 1) -> SpaceTimeDiscriminator:
        network = SpaceTimeDiscriminator(width=width, levels=levels).double()
        for seed, weights in enumerate(network.parameters()):
            fan_in = max(1, weights[0].numel())
            with torch.no_grad():
                weights.copy_(draw(*weights.shape, seed=seed) / fan_in**0.5)
        return network

    return build


class Linear:
    """A score per row of the frame: the sum over its samples, each with a fixed weight."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight

    def __call__(self, video: torch.Tensor) -> torch.Tensor:
        return (self.weight * video).sum(dim=(1, 2, 4))[:, None, :, None]


@pytest.mark.parametrize(
    ("size", "scores"), [((1, 1, 1), (1, 1, 1)), ((1, 9, 17), (1, 2, 3)), ((5, 8, 16), (5, 1, 2))]
)
def test_there_is_a_score_per_frame_and_square_of_any_video(size, scores, draw):
    network = SpaceTimeDiscriminator(width=2)
    assert network(draw(2, 3, *size, dtype=torch.float32)).shape == (2, *scores)


def test_a_clip_alone_has_the_scores_that_it_has_in_a_batch(make, draw):
    network, videos = make(levels=2), draw(3, 3, 4, 9, 10)
    together = network(videos)
    for clip in range(3):
        torch.testing.assert_close(network(videos[clip : clip + 1]), together[clip : clip + 1])


def test_a_score_depends_on_exactly_its_neighbourhood(make, draw):
    video = draw(1, 3, 11, 64, 64).requires_grad_()
    scores = make(width=2, levels=3)(video)
    scores[0, 5, 4, 3].backward()
    touched = (video.grad[0] != 0).any(dim=0)
    times, rows, columns = (sorted(set(axis.tolist())) for axis in touched.nonzero(as_tuple=True))
    assert times == list(range(5 - 4, 5 + 3 + 1))
    assert rows == list(range(4 * 8 - 22, 4 * 8 + 22 + 1))
    assert columns == list(range(3 * 8 - 22, 3 * 8 + 22 + 1))


def test_it_sees_differences_of_frames(make, draw):
    network, frame = make(), draw(1, 3, 1, 8, 8)
    still = network(frame.expand(-1, -1, 3, -1, -1))
    moving = network(torch.cat([frame.flip(4), frame, frame], dim=2))
    torch.testing.assert_close(still, network(frame).expand(-1, 3, -1, -1))
    assert not torch.allclose(still[:, 1:], moving[:, 1:])


def test_autocast_changes_nothing(draw):
    network = SpaceTimeDiscriminator(width=2)
    video = draw(1, 3, 2, 8, 8, dtype=torch.bfloat16)
    expected = network(video.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = network(video)
        losses = r3gan_discriminator(network, video, video.flip(0), gamma=1.0)
    assert found.dtype == losses.total.dtype == torch.float32
    assert torch.equal(found, expected)


@pytest.mark.parametrize("sizes", [{"width": 0}, {"levels": 0}])
def test_a_discriminator_has_a_width_and_levels(sizes):
    with pytest.raises(OptionError, match="both must be at least 1"):
        SpaceTimeDiscriminator(**sizes)


def test_the_losses_are_their_formulas(make, draw):
    network, reference, video = make(), draw(2, 3, 2, 6, 7), draw(2, 3, 2, 6, 7, seed=1)
    middle = network(reference).mean().detach()

    def critic(clips):
        return 100 * (network(clips) - middle)

    real, fake = (critic(each).detach().numpy().flatten().tolist() for each in (reference, video))
    pairs = list(zip(real, fake, strict=True))
    pairing = np.mean([math.log1p(math.exp(-(a - b))) for a, b in pairs])
    mirror = np.mean([math.log1p(math.exp(-(b - a))) for a, b in pairs])
    assert r3gan_discriminator(critic, reference, video, gamma=0.0).total.item() == pytest.approx(pairing)
    assert r3gan_generator(critic, reference, video).item() == pytest.approx(mirror)


def test_equal_videos_are_judged_at_chance(make, draw):
    network, video = make(), draw(2, 3, 2, 6, 7)
    found = r3gan_discriminator(network, video, video.clone(), gamma=1.0)
    assert found.pairing.item() == pytest.approx(math.log(2))
    assert found.real_penalty.item() == pytest.approx(found.fake_penalty.item())
    assert r3gan_generator(network, video, video.clone()).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("clips", [1, 3])
def test_the_penalties_of_a_linear_discriminator_are_its_squared_weights_per_score(rows, clips, draw):
    weight = draw(3, 2, rows, 5)
    reference, video = draw(clips, 3, 2, rows, 5), draw(clips, 3, 2, rows, 5, seed=1)
    found = r3gan_discriminator(Linear(weight), reference, video, gamma=3.0)
    expected = float(weight.square().sum()) / rows
    assert found.real_penalty.item() == pytest.approx(expected)
    assert found.fake_penalty.item() == pytest.approx(expected)
    assert found.total.item() == pytest.approx(found.pairing.item() + 3 * expected)


def test_the_penalties_are_the_slopes_that_finite_differences_find(make, draw):
    network, reference, video = make(), draw(2, 3, 2, 4, 4), draw(2, 3, 2, 4, 4, seed=1)
    found = r3gan_discriminator(network, reference, video, gamma=1.0)
    for clips, penalty in ((reference, found.real_penalty), (video, found.fake_penalty)):
        total, step = 0.0, 1e-5
        for index in np.ndindex(*clips.shape):
            nudge = torch.zeros_like(clips)
            nudge[index] = step
            slope = (network(clips + nudge) - network(clips - nudge)).sum().item() / (2 * step)
            total += slope**2
        assert penalty.item() == pytest.approx(total / network(clips).numel(), rel=1e-6)


def test_the_gradient_of_the_whole_loss_by_the_weights_is_that_of_finite_differences(make, draw):
    network, reference, video = make(width=2), draw(1, 3, 2, 4, 4), draw(1, 3, 2, 4, 4, seed=1)
    names, weights = zip(*network.named_parameters(), strict=True)

    def total(*values):
        def critic(clips):
            return functional_call(network, dict(zip(names, values, strict=True)), (clips,))

        return r3gan_discriminator(critic, reference, video, gamma=2.0).total

    assert torch.autograd.gradcheck(total, weights, fast_mode=True)


def test_the_generators_gradients_are_those_of_finite_differences(make, draw):
    network, reference = make(), draw(1, 3, 2, 4, 4)
    video = draw(1, 3, 2, 4, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: r3gan_generator(network, reference, x), (video,))


def test_a_step_of_the_discriminator_sends_no_gradient_to_the_videos(make, draw):
    network = make()
    videos = [draw(1, 3, 2, 4, 4, seed=seed).requires_grad_() for seed in range(2)]
    r3gan_discriminator(network, *videos, gamma=1.0).total.backward()
    assert all(video.grad is None for video in videos)
    assert all(weights.grad is not None for weights in network.parameters())


def test_a_small_step_of_either_side_lowers_its_own_loss(make, draw):
    network, reference = make(), draw(2, 3, 3, 8, 8)
    video = draw(2, 3, 3, 8, 8, seed=1).requires_grad_()

    def judged() -> torch.Tensor:
        return r3gan_discriminator(network, reference, video, gamma=1.0).total

    before = judged()
    slopes = torch.autograd.grad(before, list(network.parameters()))
    with torch.no_grad():
        for weights, slope in zip(network.parameters(), slopes, strict=True):
            weights.sub_(1e-3 * slope)
    assert judged() < before

    fooled = r3gan_generator(network, reference, video)
    (slope,) = torch.autograd.grad(fooled, video)
    assert r3gan_generator(network, reference, video - 1e-2 * slope) < fooled


def test_it_learns_to_tell_a_blur_from_its_original(draw):
    network = SpaceTimeDiscriminator(width=4, levels=1).double()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    reference = draw(4, 3, 2, 12, 12)
    video = (reference + reference.roll(1, dims=4)) / 2
    first = r3gan_discriminator(network, reference, video, gamma=0.1).pairing.item()
    for _ in range(40):
        optimizer.zero_grad()
        r3gan_discriminator(network, reference, video, gamma=0.1).total.backward()
        optimizer.step()
    fresh = draw(4, 3, 2, 12, 12, seed=9)
    blurred = (fresh + fresh.roll(1, dims=4)) / 2
    assert first > 0.6
    assert r3gan_discriminator(network, fresh, blurred, gamma=0.1).pairing.item() < 0.5


@pytest.mark.parametrize("gamma", [-1.0, math.nan, math.inf])
def test_gamma_is_finite_and_not_negative(gamma, make, draw):
    with pytest.raises(OptionError, match=r"gamma is .*; it must be finite and at least 0"):
        r3gan_discriminator(make(), draw(1, 3, 1, 4, 4), draw(1, 3, 1, 4, 4), gamma=gamma)


def test_shapes_must_agree(make, draw):
    for loss, options in ((r3gan_discriminator, {"gamma": 1.0}), (r3gan_generator, {})):
        bare = getattr(loss, "__wrapped__", loss)  # as it is without the test hook
        with pytest.raises(ShapeError, match="compares equal shapes"):
            bare(make(), draw(1, 3, 1, 4, 4), draw(2, 3, 1, 4, 4), **options)
