import numpy as np
import pytest
import torch

from tubelet.codec.last_detail import LOOKED_AT, LastDetail
from tubelet.video.pixels import to_model

LEVEL = 2 / 255


@pytest.fixture
def texture(draw):
    return 0.3 * draw(1, 3, 1, 24, 32, dtype=torch.float32).clamp(-2, 2)


def mean_around(values, row, column, radius):
    rows = slice(max(0, row - radius), row + radius + 1)
    return values[..., rows, max(0, column - radius) : column + radius + 1].mean()


def slow_guess(frames, share):
    return frames[-1] + share * (frames[-4:].mean(axis=0) - frames[-1])


def slow_added(last, shown, coming, row, column):
    """What is shown at one place of a predicted frame, written out for that place."""
    last, shown, coming = (np.asarray(each, dtype=np.float64) for each in (last, shown, coming))
    height, width = shown.shape[1:]

    def share_at(y, x):
        along, squares = 0.0, 1e-9
        for t in (4, 5):
            way = last[t - 4 : t].mean(axis=0) - last[t - 1]
            along += mean_around((last[t] - last[t - 1]) * way, y, x, 3)
            squares += mean_around(way**2, y, x, 3)
        return min(1.0, max(0.0, along / squares))

    share = np.array([[share_at(y, x) for x in range(width)] for y in range(height)])
    misses = np.stack([(last[t] - slow_guess(last[:t], share)) ** 2 for t in (4, 5)]).mean(axis=(0, 1))
    change = np.array([[mean_around(misses, y, x, 3) for x in range(width)] for y in range(height)])
    near = np.array([[mean_around(change, y, x, 6) for x in range(width)] for y in range(height)])
    believed = near / (near + (4 / 255) ** 2)
    predicted = believed * (coming - shown)
    lacking = slow_guess(last, share) - shown
    power = mean_around(lacking**2, row, column, 3)
    frame_power = mean_around((last[-1] - shown) ** 2, row, column, 3)
    moved = change[row, column] + mean_around(predicted**2, row, column, 3)
    kept = min(1.0, max(0.0, (power + frame_power - moved) / (2 * power)))
    return (shown + predicted + kept * lacking)[:, row, column]


def test_it_is_the_rule_written_out(draw, texture):
    noise = 3 * LEVEL * draw(1, 3, LOOKED_AT, 24, 32, seed=1, dtype=torch.float32)
    drift = 6 * LEVEL * torch.arange(LOOKED_AT) * (torch.arange(32) > 16)[:, None]
    last = texture + noise + drift.T[:, None, :]
    shown = 0.8 * last[:, :, -1]
    coming = shown + 2 * LEVEL * draw(1, 3, 24, 32, seed=2, dtype=torch.float32)
    found = LastDetail.of(last, shown).added(coming[:, :, None])[0, :, 0]
    for row, column in ((12, 4), (12, 28), (0, 0), (23, 31), (7, 16)):
        expected = slow_added(last[0].movedim(1, 0), shown[0], coming[0], row, column)
        assert found[:, row, column].numpy() == pytest.approx(expected, abs=1e-5)


def test_what_stands_still_goes_on_to_the_bit(draw, texture):
    coming = draw(1, 3, 4, 24, 32, seed=1, dtype=torch.float32)
    last = texture.expand(-1, -1, LOOKED_AT, -1, -1)
    found = LastDetail.of(last, 0.5 * texture[:, :, 0]).added(coming)
    assert torch.allclose(found, texture.expand(-1, -1, 4, -1, -1), atol=1e-6)


def test_noise_does_not_go_on(draw, texture):
    noise = 6 * LEVEL * draw(1, 3, LOOKED_AT, 24, 32, seed=1, dtype=torch.float32)
    last = texture + noise
    shown = 0.5 * texture[:, :, 0]
    found = LastDetail.of(last, shown).added(shown[:, :, None])
    ours, copied = (float((each - texture).square().mean()) for each in (found, last[:, :, -1:]))
    assert ours < 0.5 * copied


def test_what_moves_is_as_it_is_predicted(draw):
    last = draw(1, 3, LOOKED_AT, 24, 32, dtype=torch.float32)
    shown, coming = 0.3 * last[:, :, -1], draw(1, 3, 1, 24, 32, seed=1, dtype=torch.float32)
    found = LastDetail.of(last, shown).added(coming)
    assert torch.allclose(found, coming, atol=0.01)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_of_fewer_frames_there_is_less_to_judge_by(texture, frames):
    last = texture.expand(-1, -1, frames, -1, -1)
    found = LastDetail.of(last, 0.5 * texture[:, :, 0]).added(0.5 * texture)
    assert torch.allclose(found, texture, atol=1e-6)


@pytest.mark.parametrize("height", [1, 100, 128, 129, 300])
def test_in_strips_of_rows_it_is_the_same(height):
    frames = np.random.default_rng(0).integers(0, 256, (LOOKED_AT, height, 12, 3)).astype(np.uint8)
    frames[:, : height // 2] = frames[:1, : height // 2]
    shown = 0.5 * to_model(frames[-1:])[:, :, 0]
    whole, strips = LastDetail.of(to_model(frames), shown), LastDetail.of_frames(frames, shown)
    coming = 0.9 * shown[:, :, None]
    assert torch.allclose(strips.added(coming), whole.added(coming), atol=1e-6)
    assert torch.allclose(strips.believed, whole.believed, atol=1e-6)
