import math
import sys
from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from tubelet.errors import OptionError, ShapeError
from tubelet.metrics.flow import DISFlow
from tubelet.metrics.warping import ClipWarpingError

HEIGHT, WIDTH, LENGTH = 64, 80, 4


def moving(down: int, right: int, *, frames: int = LENGTH, seed: int = 0) -> np.ndarray:
    """A texture that moves by whole pixels from frame to frame."""
    field = np.random.default_rng(seed).normal(size=(HEIGHT + 20, WIDTH + 20, 3))
    for axis in (0, 1) * 4:
        field = field + np.roll(field, 1, axis)
    field = np.clip(128 + 40 * field / field.std(), 0, 250).astype(np.uint8)
    starts = [(10 - down * t, 10 - right * t) for t in range(frames)]
    return np.stack([field[y : y + HEIGHT, x : x + WIDTH] for y, x in starts])


def measured(*runs: tuple[np.ndarray, np.ndarray]) -> ClipWarpingError:
    metric = ClipWarpingError()
    for reference, frames in runs:
        metric.update(reference, frames)
    return metric


def look_up(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(flow.shape[:2])
    places = [rows + flow[..., 1], columns + flow[..., 0]]
    channels = [
        map_coordinates(values[..., c], places, order=1, mode="nearest") for c in range(values.shape[2])
    ]
    return np.stack(channels, axis=2)


def slow_pair(reference: np.ndarray, frames: np.ndarray) -> list[float] | None:
    """Pixel by pixel, in double precision, with scipy's interpolation."""
    dis = DISFlow()
    first, second = (dis.grey(frame) for frame in reference)
    forward, backward = (
        each.astype(float) for each in (dis.between(first, second), dis.between(second, first))
    )
    back = look_up(backward, forward)
    seen = []
    for y in range(HEIGHT):
        for x in range(WIDTH):
            f, b = forward[y, x], back[y, x]
            inside = 0 <= x + f[0] <= WIDTH - 1 and 0 <= y + f[1] <= HEIGHT - 1
            returns = ((f + b) ** 2).sum() <= 0.01 * ((f**2).sum() + (b**2).sum()) + 0.5
            down = np.gradient(forward[:, x], axis=0)[y]
            right = np.gradient(forward[y], axis=0)[x]
            smooth_motion = (down**2).sum() + (right**2).sum() <= 0.01 * (f**2).sum() + 0.002
            if inside and returns and smooth_motion:
                seen.append((y, x))
    found = []
    for clip in (frames, reference):
        warped = look_up(clip[1].astype(float), forward)
        errors = np.array([clip[0, y, x] - warped[y, x] for y, x in seen]) / 255
        found += [float((errors**2).mean()), float(abs(errors).mean())]
    return [*found, len(seen) / (HEIGHT * WIDTH)]


def test_it_is_the_definition_written_out_pixel_by_pixel():
    reference = moving(1, 2)
    reference[1:, 20:40, 20:40] = moving(0, -1, seed=1)[1:, 20:40, 20:40]
    frames = np.clip(reference + np.random.default_rng(0).normal(0, 9, reference.shape), 0, 255).astype(
        np.uint8
    )
    expected = np.mean(
        [slow_pair(reference[t : t + 2], frames[t : t + 2]) for t in range(LENGTH - 1)], axis=0
    )
    assert 0.3 < expected[-1] < 0.95
    # OpenCV looks up between pixels in steps of 1/32: half a step of a texture of some ten levels a pixel.
    assert measured((reference, frames)).figures() == pytest.approx(expected, rel=0.02)


def test_what_moves_as_a_whole_has_hardly_any_error_and_noise_all_of_its_own():
    reference = moving(1, 2)
    noise = np.random.default_rng(0).normal(0, 5, reference.shape)
    figures = measured((reference, np.clip(reference + noise, 0, 255).astype(np.uint8))).figures()
    # Bilinear lookup at whole pixels averages nothing, so both frames bring the whole variance of the noise.
    assert figures.reference_squared < 0.1 * figures.squared
    assert figures.squared == pytest.approx(2 * (5 / 255) ** 2, rel=0.2)
    assert figures.absolute == pytest.approx(2 / math.sqrt(math.pi) * 5 / 255, rel=0.2)


def test_a_clip_has_the_error_of_its_reference_against_itself():
    clip = moving(1, 2)
    squared, absolute, reference_squared, reference_absolute, _ = measured((clip, clip)).figures()
    assert (squared, absolute) == (reference_squared, reference_absolute)


def test_a_clip_that_stands_still_has_no_error_whatever_is_wrong_with_it():
    still = moving(0, 0)
    metric = measured((still, 255 - still))
    assert metric.compute() == pytest.approx(0, abs=1e-9)
    assert metric.figures().visible > 0.99


def test_the_motion_is_that_of_the_reference():
    reference = moving(1, 2)
    frozen = np.repeat(reference[:1], LENGTH, axis=0)
    assert measured((reference, frozen)).compute() > 30 * measured((reference, reference)).compute()


def test_what_leaves_the_frame_or_is_covered_does_not_count():
    visible = measured((moving(0, 6, frames=2),) * 2).figures().visible
    assert visible < 1 - 6 / WIDTH + 0.01


def test_where_nothing_is_visible_there_is_no_error():
    random = np.random.default_rng(0)
    reference = random.integers(0, 256, (2, HEIGHT, WIDTH, 3)).astype(np.uint8)
    metric = ClipWarpingError()
    metric._hidden = lambda forward, backward: np.ones((HEIGHT, WIDTH), bool)
    metric.update(reference, reference)
    assert math.isnan(metric.compute())
    assert metric.figures().visible == 0


@pytest.mark.parametrize("cuts", [(1,), (2, 2), (1, 2, 3), (0, 3)])
def test_the_cut_of_updates_changes_nothing_at_all(cuts):
    reference, frames = moving(1, 2), moving(0, 1)
    runs = [(reference[i:j], frames[i:j]) for i, j in pairwise([0, *cuts, LENGTH])]
    assert measured(*runs).figures() == measured((reference, frames)).figures()


def test_the_caller_may_reuse_the_memory_of_a_run():
    reference = moving(1, 2)
    metric, run = ClipWarpingError(), np.empty_like(reference[:1])
    for frame in reference:
        run[0] = frame
        metric.update(run, run)
    assert metric.figures() == measured((reference, reference)).figures()


def test_one_frame_has_no_motion_and_no_figure():
    clip = moving(0, 0, frames=1)
    assert all(math.isnan(each) for each in measured((clip, clip)).figures())


def test_small_frames_and_changing_sizes_are_refused():
    clip = moving(0, 0)
    with pytest.raises(ShapeError, match="47x64 pixels; optical flow needs 48"):
        measured((clip[:, :, :47],) * 2)
    with pytest.raises(ShapeError, match=r"\(64, 70, 3\) and those before \(64, 80, 3\)"):
        measured((clip, clip), (clip[:, :, :70],) * 2)


def test_no_frames_have_no_error():
    with pytest.raises(ShapeError, match="needs at least one"):
        ClipWarpingError().compute()


def test_without_opencv_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(OptionError, match=r"pip install 'tubelet\[flow\]'"):
        ClipWarpingError()
