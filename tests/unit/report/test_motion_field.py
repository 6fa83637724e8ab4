"""Pictures of the motion in a file."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tubelet.bitstream import TubeReader
from tubelet.errors import OptionError, OutputError
from tubelet.report.motion_field import MotionField, draw_field, read_field

GOLDEN = Path(__file__).parents[2] / "golden"

needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="an extra: tubelet[plots]")


def field_of(right: float) -> MotionField:
    moved = np.zeros((2, 9, 16))
    moved[0, 4, 3] = right
    return MotionField(steps={0: np.zeros((2, 9, 16)), 5: moved}, shape=(8, 8))


def test_a_file_without_motion_is_named_with_its_cure():
    with (
        TubeReader(GOLDEN / "version1.tube") as reader,
        pytest.raises(OptionError, match=r"old\.tube holds no motion.*klt-4x8x8-motion"),
    ):
        read_field(reader, Path("old.tube"))


@needs_matplotlib
def test_an_arrow_is_as_long_as_the_motion(tmp_path):
    """The darkest picture is that of the longest arrow, and what stands still has none."""
    imread = pytest.importorskip("matplotlib.image").imread
    inks = []
    for right in (0.0, 20.0, 60.0):
        draw_field(field_of(right), tmp_path / f"{right}.png")
        picture = imread(tmp_path / f"{right}.png")[..., :3]
        # Below the titles, the right half: the step that moves.
        shown = picture[picture.shape[0] // 4 :, picture.shape[1] // 2 :]
        inks.append(int((shown.max(axis=2) - shown.min(axis=2) > 0.2).sum()))
    assert inks[0] == 0 and inks[1] > 0 and inks[2] > 1.5 * inks[1]


@needs_matplotlib
def test_a_picture_is_replaced_only_by_force(tmp_path):
    target = tmp_path / "field.svg"
    draw_field(field_of(8), target)
    with pytest.raises(OutputError, match="exists"):
        draw_field(field_of(8), target)
    draw_field(field_of(8), target, force=True)
