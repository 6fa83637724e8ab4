import numpy as np
import pytest
import torch
from einops import reduce
from scipy.linalg import sqrtm

from tubelet.errors import ShapeError
from tubelet.metrics.frechet import (
    FeatureMoments,
    FrechetVideoDistance,
    Gaussian,
    VideoFeatures,
    frechet_distance,
)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gaussian(features: torch.Tensor, cuts: tuple[int, ...] = ()) -> Gaussian:
    moments = FeatureMoments()
    for part in torch.tensor_split(features, cuts):
        moments.update(part)
    return moments.compute()


def by_scipy(one: torch.Tensor, other: torch.Tensor) -> float:
    first, second = np.cov(one.T.numpy()), np.cov(other.T.numpy())
    shift = ((one.mean(dim=0) - other.mean(dim=0)) ** 2).sum()
    return float(shift + np.trace(first + second - 2 * sqrtm(first @ second).real))


def mixed(count: int, size: int, seed: int) -> torch.Tensor:
    return draw(count, size, seed=seed) @ draw(size, size, seed=seed + 1) + draw(size, seed=seed + 2)


@pytest.mark.parametrize("size", [2, 7, 20])
def test_it_is_the_formula_with_scipys_matrix_root(size):
    one, other = mixed(200, size, 0), mixed(150, size, 10)
    # Both roots are exact to some 1e-10 for matrices of this condition.
    assert frechet_distance(gaussian(one), gaussian(other)) == pytest.approx(by_scipy(one, other), rel=1e-8)


def test_gaussians_whose_axes_agree_have_the_distance_of_their_means_and_deviations():
    means, deviations = draw(2, 5), draw(2, 5, seed=1).abs()
    rotation = torch.linalg.qr(draw(5, 5, seed=2)).Q
    both = [
        Gaussian(mean, rotation @ torch.diag(deviation**2) @ rotation.T)
        for mean, deviation in zip(means, deviations, strict=True)
    ]
    expected = (means[0] - means[1]).square().sum() + (deviations[0] - deviations[1]).square().sum()
    assert frechet_distance(*both) == pytest.approx(float(expected), rel=1e-9)


def test_moments_are_those_of_numpy_wherever_the_features_are_cut():
    features = 1000 + mixed(50, 4, 3)
    found = gaussian(features, cuts=(1, 1, 30))
    assert found.mean.numpy() == pytest.approx(features.mean(dim=0).numpy(), rel=1e-12)
    assert found.covariance.numpy() == pytest.approx(np.cov(features.T.numpy()), rel=1e-9)


def test_equal_sets_have_no_distance_even_with_fewer_clips_than_features():
    features = mixed(6, 40, 5)
    scale = float(gaussian(features).covariance.trace())
    assert frechet_distance(gaussian(features), gaussian(features)) == pytest.approx(0, abs=1e-10 * scale)


def test_neither_set_is_favoured():
    one, other = gaussian(mixed(30, 40, 0)), gaussian(mixed(20, 40, 10))
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one), rel=1e-9)


def test_sets_that_share_no_direction_are_apart_by_all_their_variance():
    first, second = torch.zeros(2, 10, 4, dtype=torch.float64)
    first[:, 0], second[:, 3] = draw(10), draw(10, seed=1)
    one, other = gaussian(first), gaussian(second)
    expected = one.covariance.trace() + other.covariance.trace() + (one.mean - other.mean).square().sum()
    assert frechet_distance(one, other) == pytest.approx(float(expected), rel=1e-9)


def frame_colours(video: torch.Tensor) -> torch.Tensor:
    """Six numbers of a clip: the mean colours of its first and last frame."""
    return reduce(video[:, :, [0, -1]], "b c t h w -> b (c t)", "mean")


def test_of_clips_it_is_the_distance_of_their_features():
    reference, video = draw(9, 3, 4, 6, 5).float(), draw(9, 3, 4, 6, 5, seed=1).float() * 1.5
    assert isinstance(frame_colours, VideoFeatures)
    metric = FrechetVideoDistance(frame_colours)
    for part in (slice(0, 4), slice(4, 9)):
        metric.update(reference[part], video[part])
    assert metric.clips == 9
    expected = by_scipy(frame_colours(reference).double(), frame_colours(video).double())
    assert metric.compute() == pytest.approx(expected, rel=1e-6)


def test_a_perfect_reconstruction_has_no_distance():
    metric = FrechetVideoDistance(frame_colours)
    video = draw(5, 3, 4, 6, 5).float()
    metric.update(video, video.clone())
    assert metric.compute() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("features", [lambda v: v[:, 0, 0, 0, 0], lambda v: v[:1, :, 0, 0, 0]])
def test_a_network_without_a_row_per_clip_is_refused(features):
    with pytest.raises(ShapeError, match="must give one row per clip"):
        FrechetVideoDistance(features).update(draw(2, 3, 1, 2, 2), draw(2, 3, 1, 2, 2))


def test_features_of_another_network_or_without_numbers_are_refused():
    moments = FeatureMoments()
    moments.update(draw(3, 4))
    with pytest.raises(ShapeError, match="are 5 numbers per clip and were 4 before"):
        moments.update(draw(3, 5))
    with pytest.raises(ShapeError, match="NaN or infinity"):
        moments.update(draw(3, 4) / 0)
    with pytest.raises(ShapeError, match="4 and 5 dimensions"):
        frechet_distance(gaussian(draw(3, 4)), gaussian(draw(3, 5)))


def test_a_single_clip_has_no_covariance():
    metric = FrechetVideoDistance(frame_colours)
    metric.update(draw(1, 3, 1, 2, 2), draw(1, 3, 1, 2, 2))
    with pytest.raises(ShapeError, match="features of 1 clips"):
        metric.compute()
