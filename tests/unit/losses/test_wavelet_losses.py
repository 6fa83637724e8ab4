import math

import numpy as np
import pytest
import torch
from einops import rearrange

from tubelet.errors import OptionError
from tubelet.losses.wavelet import Bands, haar, wavelet_l1

SIZES = [(1, 1, 1), (4, 8, 8), (1, 5, 7), (5, 6, 3), (9, 2, 13)]


def flat(bands: Bands) -> torch.Tensor:
    """All coefficients of a clip in a row, whatever the channel."""
    every = [bands.low, *(band for level in bands.high for band in level)]
    return torch.cat([rearrange(band, "b c t h w -> b (c t h w)") for band in every], dim=1)


def slow_line(line: np.ndarray) -> tuple[list[float], list[float]]:
    """One line of samples, written out: an odd one begins with a sample that is kept."""
    low, high = [], []
    start = len(line) % 2
    if start:
        low.append(line[0])
    for i in range(start, len(line), 2):
        low.append((line[i] + line[i + 1]) / math.sqrt(2))
        high.append((line[i] - line[i + 1]) / math.sqrt(2))
    return low, high


def slow_axis(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    lines = np.moveaxis(values, axis, -1)
    *others, length = lines.shape
    low, high = np.empty((*others, length - length // 2)), np.empty((*others, length // 2))
    for index in np.ndindex(*others):
        low[index], high[index] = slow_line(lines[index])
    return np.moveaxis(low, -1, axis), np.moveaxis(high, -1, axis)


def slow_loss(reference, video, *, levels, time, low, high):
    rest, means = video - reference, []
    for _ in range(levels):
        bands = {"": rest}
        for axis in (2, 3, 4) if time else (3, 4):
            split = {name: slow_axis(band, axis) for name, band in bands.items()}
            bands = {name + kind: split[name][kind == "h"] for name in split for kind in "lh"}
        rest = bands.pop("lll" if time else "ll")
        coefficients = [abs(x) for band in bands.values() for x in band.flat]
        means.append(sum(coefficients) / max(1, len(coefficients)))
    return low * np.mean(np.abs(rest)) + high * np.mean(means)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("time", [False, True])
def test_the_sum_of_squares_and_the_number_of_values_are_kept(size, levels, time, draw):
    video = draw(2, 3, *size)
    found = flat(haar(video, levels=levels, time=time))
    assert found.shape[1] == video[0].numel()
    torch.testing.assert_close(found.square().sum(), video.square().sum(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("time", [False, True])
def test_its_matrix_is_orthonormal_so_its_transpose_inverts_it(time, draw):
    size = (3, 5, 4)
    video = draw(1, 3, *size)
    count = video.numel()
    units = torch.eye(count, dtype=torch.float64).reshape(count, 3, *size)
    matrix = flat(haar(units, levels=2, time=time))  # row i is what becomes of unit vector i
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(count, dtype=torch.float64))
    back = flat(haar(video, levels=2, time=time)) @ matrix.T
    torch.testing.assert_close(back.reshape(video.shape), video)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("levels", "time"), [(1, False), (2, False), (3, True), (1, True)])
def test_the_loss_is_its_formula(size, levels, time, draw):
    reference, video = draw(2, 3, *size), draw(2, 3, *size, seed=1)
    options = {"levels": levels, "time": time, "low": 0.7, "high": 1.9}
    expected = slow_loss(reference.numpy(), video.numpy(), **options)
    assert float(wavelet_l1(reference, video, **options)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("levels", "time", "gain"), [(1, False, 2), (3, False, 8), (1, True, 8**0.5), (2, True, 8)]
)
def test_a_constant_difference_is_in_the_low_band_alone(levels, time, gain):
    reference = torch.zeros(1, 3, 8, 16, 8, dtype=torch.float64)
    loss = wavelet_l1(reference, reference + 0.1, levels=levels, time=time, low=1.0, high=1000.0)
    assert float(loss) == pytest.approx(0.1 * gain)


@pytest.mark.parametrize(("time", "bands"), [(False, 3), (True, 7)])
def test_every_level_has_its_bands_and_the_finest_comes_first(time, bands, draw):
    found = haar(draw(1, 3, 8, 16, 24), levels=3, time=time)
    assert [len(level) for level in found.high] == [bands] * 3
    frames = [4, 2, 1] if time else [8, 8, 8]
    assert [level[0].shape for level in found.high] == [
        (1, 3, t, 8 >> i, 12 >> i) for i, t in enumerate(frames)
    ]
    assert found.low.shape == (1, 3, frames[-1], 2, 3)


@pytest.mark.parametrize("levels", [0, 4])
def test_there_are_one_to_three_levels(levels, draw):
    with pytest.raises(OptionError, match=f"levels is {levels}"):
        haar(draw(1, 3, 1, 8, 8), levels=levels)


@pytest.mark.parametrize("weights", [{"low": -1.0}, {"high": math.nan}, {"high": math.inf}])
def test_weights_are_finite_and_not_negative(weights, draw):
    with pytest.raises(OptionError, match="both must be finite and at least 0"):
        wavelet_l1(draw(1, 3, 1, 8, 8), draw(1, 3, 1, 8, 8), **weights)
