import math

import numpy as np
import pytest
import torch
from einops import rearrange
from scipy.stats import kurtosis

from tubelet.errors import LatentError, ShapeError
from tubelet.metrics.latents import BINS, LAGS, LatentFigures, LatentStatistics


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def measured(*latents: torch.Tensor) -> LatentFigures:
    metric = LatentStatistics()
    for latent in latents:
        metric.update(latent)
    return metric.compute()


@pytest.fixture
def latent() -> torch.Tensor:
    """Two clips of three channels that follow themselves and each other, far from zero."""
    noise = draw(2, 3, 7, 5, 6)
    steps = [noise[:, :, 0]]
    for t in range(1, 7):
        steps.append(0.8 * steps[-1] + 0.3 * steps[-1].roll(1, dims=1) + noise[:, :, t])
    scale = torch.tensor([1.0, 3, 0.1], dtype=torch.float64)
    return torch.stack(steps, dim=2) * rearrange(scale, "c -> 1 c 1 1 1") + 5


def columns(latent: torch.Tensor) -> np.ndarray:
    return rearrange(latent, "b c t h w -> (b t h w) c").numpy()


def test_the_moments_are_those_of_numpy_and_scipy(latent):
    found, values = measured(latent), columns(latent)
    assert found.positions == len(values)
    # All are sums in double precision, about different centres.
    assert found.mean == pytest.approx(values.mean(axis=0), rel=1e-12)
    assert found.deviation == pytest.approx(values.std(axis=0), rel=1e-12)
    assert found.kurtosis == pytest.approx(kurtosis(values, axis=0, fisher=False), rel=1e-10)


def test_the_distance_is_the_mean_squared_change_over_the_variance(latent):
    found = measured(latent).distance
    assert tuple(found) == LAGS
    variance = columns(latent).var(axis=0)
    for lag in LAGS:
        changes = [
            [
                ((latent[b, c, t + lag] - latent[b, c, t]) ** 2).mean()
                for b in range(2)
                for t in range(7 - lag)
            ]
            for c in range(3)
        ]
        assert found[lag] == pytest.approx(np.mean(changes, axis=1) / variance, rel=1e-10)


def test_the_prediction_is_that_of_numpys_least_squares(latent):
    before, after = columns(latent[:, :, :-1]), columns(latent[:, :, 1:])
    design = np.column_stack([before, np.ones(len(before))])
    solution = np.linalg.lstsq(design, after, rcond=None)[0]
    residual = (after - design @ solution).var(axis=0)
    # Normal equations lose half the digits.
    assert measured(latent).predictability == pytest.approx(1 - residual / after.var(axis=0), abs=1e-8)


def test_the_spectrum_is_that_of_plain_sums_of_waves(latent):
    latent = latent[:1, :2, :2]
    sums, counts = np.zeros((2, BINS)), np.zeros(BINS)
    y, x = np.indices((5, 6))
    for ky in range(5):
        for kx in range(6):
            if (ky, kx) == (0, 0):
                continue
            fy, fx = min(ky, 5 - ky) / 5, min(kx, 6 - kx) / 6
            ring = int(32 * math.hypot(fy, fx) + 1e-9)
            wave = np.exp(-2j * np.pi * (ky * y / 5 + kx * x / 6))
            coefficients = (latent[0].numpy() * wave).sum(axis=(2, 3))
            sums[:, ring] += (np.abs(coefficients) ** 2 / 30).sum(axis=1)
            counts[ring] += 2
    found = measured(latent)
    expected = np.divide(sums, counts, out=np.full((2, BINS), np.nan), where=counts > 0)
    assert np.array(found.spectrum) == pytest.approx(expected, rel=1e-9, nan_ok=True)
    assert found.frequencies[0] == 1 / 64
    assert len(found.frequencies) == BINS


def test_the_power_of_all_rings_is_the_variance_within_maps():
    latent = draw(3, 2, 2, 8, 8)
    found = measured(latent)
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(8), np.fft.fftfreq(8)))
    counts = np.bincount((frequencies * 32 + 1e-9).astype(int).ravel(), minlength=BINS)
    counts[0] -= 1
    power = np.nansum(np.array(found.spectrum) * counts, axis=1) / 64
    within = rearrange(latent, "b c t h w -> c (b t) (h w)").var(dim=2, correction=0).mean(dim=1)
    assert power == pytest.approx(within.numpy(), rel=1e-12)


def test_white_noise_is_flat_far_from_itself_and_not_to_be_predicted():
    found = measured(2 * draw(4, 2, 17, 16, 16))
    # 17408 values: chance moves the figures by less than this, and single rings by up to a half.
    assert found.kurtosis == pytest.approx((3, 3), abs=0.15)
    for lag in LAGS:
        assert found.distance[lag] == pytest.approx((2, 2), abs=0.1)
    assert max(found.predictability) < 1e-3
    rings = np.array(found.spectrum)
    assert rings[~np.isnan(rings)] == pytest.approx(4, rel=0.5)


def test_a_latent_that_stands_still_is_predicted_in_full():
    found = measured(draw(2, 2, 1, 8, 8).repeat(1, 1, 6, 1, 1))
    assert all(found.distance[lag] == (0, 0) for lag in LAGS)
    assert found.predictability == pytest.approx((1, 1))


def test_channels_that_move_on_are_predicted_from_each_other():
    source = draw(1, 1, 9, 8, 8)
    shifted = torch.cat([source[:, :, 1:], source[:, :, :-1]], dim=1)
    # The second channel is the first one step later: it is known before, the first is not.
    first, second = measured(shifted).predictability
    assert first < 0.05
    assert second == pytest.approx(1)


def test_clips_in_several_updates_are_clips_in_a_batch(latent):
    one, other = measured(latent), measured(latent[:1], latent[:0], latent[1:].float().double())
    assert other.mean == pytest.approx(one.mean, rel=1e-6)
    assert other.kurtosis == pytest.approx(one.kurtosis, rel=1e-5)
    for lag in LAGS:
        assert other.distance[lag] == pytest.approx(one.distance[lag], rel=1e-5)
    assert other.predictability == pytest.approx(one.predictability, abs=1e-5)
    assert np.array(other.spectrum) == pytest.approx(np.array(one.spectrum), rel=1e-5, nan_ok=True)


def test_a_step_is_not_compared_with_the_clip_before():
    found = measured(*[torch.full((1, 1, 1, 4, 4), value, dtype=torch.float64) for value in (1.0, 2.0)])
    assert all(math.isnan(found.distance[lag][0]) for lag in LAGS)
    assert math.isnan(found.predictability[0])


def test_what_never_varies_has_no_shape():
    found = measured(torch.full((1, 2, 5, 3, 3), 0.7))
    assert found.mean == pytest.approx((0.7, 0.7))
    assert found.deviation == pytest.approx((0, 0), abs=1e-14)
    assert all(math.isnan(each) for each in (*found.kurtosis, *found.predictability, *found.distance[1]))


def test_latents_of_other_channels_are_refused():
    with pytest.raises(ShapeError, match="has 3 channels and those before 2"):
        measured(draw(1, 2, 1, 2, 2), draw(1, 3, 1, 2, 2))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(LatentError, match="NaN or infinity"):
        measured(torch.full((1, 1, 1, 1, 1), bad))


def test_no_latents_have_no_statistics():
    with pytest.raises(ShapeError, match="no latents were added"):
        LatentStatistics().compute()
