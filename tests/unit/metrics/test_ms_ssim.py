import numpy as np
import pytest
import torch
from einops import rearrange
from numpy.lib.stride_tricks import sliding_window_view

from tubelet.errors import ShapeError
from tubelet.metrics.ms_ssim import SMALLEST, ClipMSSSIM

SIZE = (2, 175, 162, 3)
"""Sides that are odd on other scales each."""


def ms_ssim(*runs: tuple[np.ndarray, np.ndarray]) -> float:
    metric = ClipMSSSIM()
    for reference, frames in runs:
        metric.update(reference, frames)
    return metric.compute()


def slow_scale(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Mean of the whole similarity and of contrast and structure, from the moments in every window."""
    line = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    weights = np.outer(line, line) / line.sum() ** 2
    windows, others = (sliding_window_view(each, (11, 11)) for each in (one, other))
    first, second = (np.einsum("hwij,ij->hw", each, weights)[..., None, None] for each in (windows, others))
    variance = np.einsum("hwij,ij->hw", (windows - first) ** 2, weights)
    variance = variance + np.einsum("hwij,ij->hw", (others - second) ** 2, weights)
    covariance = np.einsum("hwij,ij->hw", (windows - first) * (others - second), weights)
    contrast = (2 * covariance + 7.65**2) / (variance + 7.65**2)
    first, second = first[..., 0, 0], second[..., 0, 0]
    luminance = (2 * first * second + 2.55**2) / (first**2 + second**2 + 2.55**2)
    return float(np.mean(luminance * contrast)), float(np.mean(contrast))


def slow_halve(plane: np.ndarray) -> np.ndarray:
    """Means of 2x2 pixels; an odd side gets a zero at both of its ends, and loses the last one again."""
    height, width = plane.shape
    padded = np.pad(plane, [(height % 2,) * 2, (width % 2,) * 2])
    rows, columns = padded.shape[0] // 2 * 2, padded.shape[1] // 2 * 2
    corners = [padded[y:rows:2, x:columns:2] for y in (0, 1) for x in (0, 1)]
    return sum(corners) / 4


def slow_plane(one: np.ndarray, other: np.ndarray) -> float:
    product = 1.0
    for weight in (0.0448, 0.2856, 0.3001, 0.2363):
        product *= max(0.0, slow_scale(one, other)[1]) ** weight
        one, other = slow_halve(one), slow_halve(other)
    return product * max(0.0, slow_scale(one, other)[0]) ** 0.1333


def slow(reference: np.ndarray, frames: np.ndarray) -> float:
    pairs = zip(reference.astype(np.float64), frames.astype(np.float64), strict=True)
    return float(np.mean([slow_plane(x[..., c], y[..., c]) for x, y in pairs for c in range(3)]))


@pytest.fixture(params=[3, 30, 120])
def pair(request, smooth) -> tuple[np.ndarray, np.ndarray]:
    """Smooth colours, and the same under noise."""
    reference = smooth(*SIZE[:3])
    noise = np.random.default_rng(0).normal(0, request.param, SIZE)
    return reference, np.clip(np.rint(reference + noise), 0, 255).astype(np.uint8)


def test_it_is_the_definition_written_out_in_double_precision(pair):
    assert ms_ssim(pair) == pytest.approx(slow(*pair), abs=1e-5)


def test_it_is_what_pytorch_msssim_computes(pair):
    oracle = pytest.importorskip(
        "pytorch_msssim", reason="pytorch-msssim is not a dependency, only an oracle"
    )
    reference, frames = (rearrange(torch.tensor(each), "t h w c -> t c h w").double() for each in pair)
    assert ms_ssim(pair) == pytest.approx(float(oracle.ms_ssim(reference, frames, data_range=255)), abs=1e-5)


def test_the_cut_of_updates_changes_nothing_at_all(pair):
    reference, frames = pair
    assert ms_ssim((reference[:1], frames[:1]), (reference[1:], frames[1:])) == ms_ssim(pair)


def test_a_clip_has_the_mean_of_its_frames(pair):
    single = [ms_ssim((one[None], other[None])) for one, other in zip(*pair, strict=True)]
    assert ms_ssim(pair) == pytest.approx(np.mean(single))


def test_neither_clip_is_favoured(pair):
    assert ms_ssim(pair) == pytest.approx(ms_ssim(pair[::-1]), abs=1e-7)


def test_equal_clips_have_one(smooth):
    clip = smooth(1, SMALLEST, SMALLEST)
    assert ms_ssim((clip, clip)) == 1


def test_a_negative_has_nothing_in_common(smooth):
    clip = smooth(1, SMALLEST, SMALLEST)
    assert ms_ssim((clip, 255 - clip)) == 0


def test_frames_that_the_coarsest_window_does_not_fit_into_are_refused():
    clip = np.zeros((1, 200, 160, 3), np.uint8)
    with pytest.raises(ShapeError, match=r"160x200 pixels; .* need 161 rows and columns"):
        ms_ssim((clip, clip))


def test_sizes_must_agree():
    update = getattr(ClipMSSSIM.update, "__wrapped__", ClipMSSSIM.update)  # as it is without the test hook
    with pytest.raises(ShapeError, match=r"\(1, 2, 2, 3\) and \(1, 2, 3, 3\)"):
        update(ClipMSSSIM(), np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 3, 3), np.uint8))


def test_no_frames_have_no_quality():
    with pytest.raises(ShapeError, match="needs at least one"):
        ClipMSSSIM().compute()
