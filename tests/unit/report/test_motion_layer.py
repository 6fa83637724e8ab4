"""Motion that an evaluation kept, as a page draws it."""

import numpy as np
import pytest

from tubelet.report.motion_layer import MotionLayer, read_motion
from tubelet.report.read import Results


def results_with(folder, moved: np.ndarray, frames: list[int]) -> Results:
    np.save(folder / "motion.npy", moved)
    kept = {"clip": {"motion": {"klt": {"path": "motion.npy", "frames": frames}}}}
    return Results(folder=folder, protocol="", circumstances={}, figures={"videos": kept})


def layer_of(folder, moved: np.ndarray, frames: list[int]) -> MotionLayer:
    (layer,) = read_motion(results_with(folder, moved, frames), "clip")
    assert isinstance(layer, MotionLayer)
    return layer


def test_motion_is_told_in_quarters_of_a_pixel(tmp_path):
    moved = np.zeros((2, 2, 3, 4), np.float16)
    moved[1, :, 2, 3] = 1.25, -40
    layer = layer_of(tmp_path, moved, [0, 1, 5])
    assert (layer.system, layer.shape, layer.every, layer.frames) == ("klt", (2, 3, 4), 1, (0, 1, 5))
    levels = np.frombuffer(layer.values, np.int8).reshape(2, 2, 3, 4)
    assert levels[1, :, 2, 3].tolist() == [5, -127]
    assert np.count_nonzero(levels) == 2


def test_of_a_large_field_evenly_spaced_positions_are_shown(tmp_path):
    moved = np.zeros((1, 2, 10, 130), np.float16)
    moved[0, 0, 1, 4] = 2
    layer = layer_of(tmp_path, moved, [0, 4])
    assert (layer.shape, layer.every) == ((1, 3, 43), 3)
    assert np.frombuffer(layer.values, np.int8).reshape(1, 2, 3, 43)[0, 0, 0, 1] == 8


@pytest.mark.parametrize(
    ("moved", "frames", "said"),
    [
        (np.zeros((2, 2, 3, 4), np.float16), [0, 4], "2 latent steps and 2 numbers of frames"),
        (np.zeros((1, 2, 3, 4), np.float16), [4, 4], "which grow"),
        (np.zeros((1, 3, 3, 4), np.float16), [0, 4], "holds no motion"),
        (np.zeros((1, 2, 3, 4), np.int64), [0, 4], "holds no motion"),
        (np.zeros((0, 2, 3, 4), np.float16), [0], "0 values"),
    ],
)
def test_what_is_no_motion_is_said_in_its_place(tmp_path, moved, frames, said):
    (sentence,) = read_motion(results_with(tmp_path, moved, frames), "clip")
    assert isinstance(sentence, str)
    assert sentence.startswith("motion of klt is not shown: ") and said in sentence


def test_motion_that_is_missing_is_said_in_its_place(tmp_path):
    results = results_with(tmp_path, np.zeros((1, 2, 3, 4)), [0, 4])
    (tmp_path / "motion.npy").unlink()
    (sentence,) = read_motion(results, "clip")
    assert isinstance(sentence, str) and "is missing" in sentence
