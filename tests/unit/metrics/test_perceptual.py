import numpy as np
import pytest
import torch
from einops import reduce

from tubelet.errors import ShapeError
from tubelet.metrics.perceptual import ClipFrameDistance, FrameDistance
from tubelet.perceptual.dists import DISTS
from tubelet.perceptual.lpips import LPIPS
from tubelet.perceptual.vgg import VGG16
from tubelet.types import Video
from tubelet.video.pixels import to_model

TINY = (2, 3, 3, 4, 4, 5, 4, 5, 4, 6, 5, 4, 3)


def colour_distance(reference: Video, video: Video) -> torch.Tensor:
    """The mean absolute difference between the mean colours of frames."""
    return (reduce(reference - video, "b c t h w -> b c t", "mean")).abs().mean()


def measured(*runs: tuple[np.ndarray, np.ndarray], distance: FrameDistance = colour_distance):
    metric = ClipFrameDistance(distance, measure="colour")
    for reference, frames in runs:
        metric.update(reference, frames)
    return metric


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    reference, frames = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 33, 3)).astype(np.uint8)
    return reference, frames


def test_a_clip_has_the_mean_of_its_frames(pair):
    reference, frames = (each.astype(float) / 127.5 - 1 for each in pair)
    expected = [abs(x.mean((0, 1)) - y.mean((0, 1))).mean() for x, y in zip(reference, frames, strict=True)]
    # The network sees single precision.
    assert measured(pair).values() == pytest.approx(expected, abs=1e-6)
    assert measured(pair).compute() == pytest.approx(np.mean(expected), abs=1e-6)


def test_the_cut_of_updates_changes_nothing_at_all(pair):
    reference, frames = pair
    parts = measured((reference[:0], frames[:0]), (reference[:1], frames[:1]), (reference[1:], frames[1:]))
    assert parts.values() == measured(pair).values()


def test_lpips_and_dists_are_such_distances(pair):
    generator = torch.Generator().manual_seed(0)
    heads = [torch.rand(size, generator=generator) for size in (3, 4, 4, 6, 3)]
    networks = [LPIPS(VGG16(TINY), heads), DISTS(TINY, torch.ones(23), torch.ones(23))]
    for network in networks:
        for weight in network.parameters():
            weight.copy_(torch.rand(weight.shape, generator=generator) - 0.4)
        assert isinstance(network, FrameDistance)
        metric = measured(pair, distance=network)
        whole = float(network(to_model(pair[0]), to_model(pair[1])))
        assert metric.compute() == pytest.approx(whole, rel=1e-4)
        assert whole > 1e-4


def test_no_gradient_is_kept(pair):
    weight = torch.ones((), requires_grad=True)
    seen = []

    def distance(reference: Video, video: Video) -> torch.Tensor:
        seen.append(weight * colour_distance(reference, video))
        return seen[-1]

    measured(pair, distance=distance)
    assert not any(value.requires_grad for value in seen)


def test_sizes_must_agree():
    update = getattr(ClipFrameDistance.update, "__wrapped__", ClipFrameDistance.update)  # as it is untested
    metric = ClipFrameDistance(colour_distance, measure="colour")
    with pytest.raises(ShapeError, match=r"\(1, 2, 2, 3\) and \(1, 2, 3, 3\); colour compares equal sizes"):
        update(metric, np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 3, 3), np.uint8))


def test_no_frames_have_no_distance():
    with pytest.raises(ShapeError, match="colour needs at least one"):
        measured().compute()
