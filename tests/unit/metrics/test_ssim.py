import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from skimage.metrics import structural_similarity

from tubelet.errors import ShapeError
from tubelet.metrics.ssim import WINDOW, ClipSSIM

SIZE = (2, 29, 34, 3)


def measured(*runs: tuple[np.ndarray, np.ndarray]) -> ClipSSIM:
    metric = ClipSSIM()
    for reference, frames in runs:
        metric.update(reference, frames)
    return metric


def ssim(*runs: tuple[np.ndarray, np.ndarray]) -> float:
    return measured(*runs).compute()


def slow_plane(one: np.ndarray, other: np.ndarray) -> float:
    """Luminance times contrast and structure, from the moments in every window."""
    line = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    weights = np.outer(line, line) / line.sum() ** 2
    values = []
    for a, b in zip(
        sliding_window_view(one, (11, 11)).reshape(-1, 11, 11),
        sliding_window_view(other, (11, 11)).reshape(-1, 11, 11),
        strict=True,
    ):
        x, y = (a * weights).sum(), (b * weights).sum()
        variances = ((a - x) ** 2 * weights).sum() + ((b - y) ** 2 * weights).sum()
        covariance = ((a - x) * (b - y) * weights).sum()
        values.append(
            (2 * x * y + 2.55**2)
            / (x * x + y * y + 2.55**2)
            * (2 * covariance + 7.65**2)
            / (variances + 7.65**2)
        )
    return float(np.mean(values))


@pytest.fixture(params=[3, 30, 120])
def pair(request, smooth) -> tuple[np.ndarray, np.ndarray]:
    """Smooth colours, and the same under noise."""
    reference = smooth(*SIZE[:3])
    noise = np.random.default_rng(0).normal(0, request.param, SIZE)
    return reference, np.clip(np.rint(reference + noise), 0, 255).astype(np.uint8)


# Single precision: squares up to 65025 lose 4e-3 each, against a constant of 58.5 under the fraction.
TOLERANCE = 1e-5


def test_it_is_the_definition_written_out_in_double_precision(pair):
    reference, frames = (each.astype(np.float64) for each in pair)
    expected = [
        np.mean([slow_plane(x[..., c], y[..., c]) for c in range(3)])
        for x, y in zip(reference, frames, strict=True)
    ]
    assert measured(pair).values() == pytest.approx(expected, abs=TOLERANCE)
    assert ssim(pair) == pytest.approx(np.mean(expected), abs=TOLERANCE)


def test_it_is_what_scikit_image_computes(pair):
    expected = [
        structural_similarity(
            x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=2
        )
        for x, y in zip(*pair, strict=True)
    ]
    assert measured(pair).values() == pytest.approx(expected, abs=TOLERANCE)


def test_the_cut_of_updates_changes_nothing_at_all(pair):
    reference, frames = pair
    assert ssim((reference[:1], frames[:1]), (reference[1:], frames[1:])) == ssim(pair)


def test_neither_clip_is_favoured(pair):
    assert ssim(pair) == pytest.approx(ssim(pair[::-1]), abs=1e-7)


def test_equal_clips_have_one_from_the_smallest_size_on(smooth):
    clip = smooth(1, WINDOW, WINDOW)
    assert ssim((clip, clip)) == 1


def test_a_negative_is_below_nothing(smooth):
    clip = np.random.default_rng(0).integers(0, 256, (1, 20, 20, 3)).astype(np.uint8)
    assert ssim((clip, 255 - clip)) < -0.5


def test_frames_that_the_window_does_not_fit_into_are_refused():
    clip = np.zeros((1, 20, 10, 3), np.uint8)
    with pytest.raises(ShapeError, match=r"10x20 pixels; the window of SSIM needs 11 rows"):
        ssim((clip, clip))


def test_sizes_must_agree():
    update = getattr(ClipSSIM.update, "__wrapped__", ClipSSIM.update)  # as it is without the test hook
    with pytest.raises(ShapeError, match=r"\(1, 2, 2, 3\) and \(1, 2, 3, 3\)"):
        update(ClipSSIM(), np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 3, 3), np.uint8))


def test_no_frames_have_no_quality():
    with pytest.raises(ShapeError, match="needs at least one"):
        ClipSSIM().compute()
