"""What an evaluation keeps of how things move."""

from dataclasses import replace

import numpy as np
import pytest

from tubelet.evaluate.motion_preview import motion_preview
from tubelet.evaluate.picture import Picture
from tubelet.evaluate.protocols import find_protocol
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Setting

PROTOCOL = find_protocol("short256x33")


def system_of(text: str):
    return open_system(text, Setting(at_once=False))


@pytest.fixture(scope="module")
def frames():
    """A texture that pans by two columns to the right and a row down, frame by frame."""
    return np.ascontiguousarray(Picture(height=96, width=96).frames(0, 8)[::-1])


@pytest.mark.parametrize("text", ["klt-4x8x8-motion@4", "klt-4x8x8-motion@4:step=1"])
def test_every_step_says_where_its_positions_go(frames, text):
    kept = motion_preview(system_of(text), frames, PROTOCOL)
    assert kept is not None
    assert kept.frames == (0, 1, 5, 8)
    assert kept.values.shape == (3, 2, 12, 12)
    # A single frame stands still; three frames further the texture lies 6 pixels to the right, 3 down.
    assert not kept.values[0].any()
    assert np.median(kept.values[1], axis=(1, 2)).tolist() == [6, 3]


def test_windows_are_put_one_after_the_other(frames):
    kept = motion_preview(system_of("klt-4x8x8-motion@4"), frames, replace(PROTOCOL, window=5))
    assert kept is not None
    # The last window has three frames of the clip; what fills it up is not shown.
    assert kept.frames == (0, 1, 5, 6, 8)
    assert len(kept.values) == 4


@pytest.mark.parametrize("text", ["klt-4x8x8@4", "klt-4x8x8@4:step=1", "x264:crf=30"])
def test_what_looks_for_no_motion_keeps_none(frames, text):
    assert motion_preview(system_of(text), frames, PROTOCOL) is None
