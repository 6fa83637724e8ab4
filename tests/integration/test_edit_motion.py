"""The example that edits motion, run as it stands."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import tubelet

EXAMPLE = Path(__file__).parents[2] / "examples" / "edit_motion.py"


@pytest.fixture
def slide(tmp_path):
    """Noise of 4 x 4 pixels that slides to the left by 2 pixels a frame, after a frame that leads."""
    coarse = np.random.default_rng(2).integers(0, 256, (16, 40, 3), dtype=np.uint8)
    still = coarse.repeat(4, axis=0).repeat(4, axis=1)
    np.save(tmp_path / "slide.npy", np.stack([still[:64, 2 * t : 96 + 2 * t] for t in (0, 1, 2, 3, 4)]))
    return tmp_path / "slide.npy"


def test_a_frozen_clip_stands_still_and_an_exaggerated_one_goes_on(slide, tmp_path, monkeypatch):
    places = ["--like", str(slide), "--sheet", str(tmp_path / "sheet.png"), "-o", str(tmp_path / "edits")]
    monkeypatch.setattr(sys, "argv", ["edit_motion", str(slide), *places])
    runpy.run_path(str(EXAMPLE), run_name="__main__")

    def change(path: Path) -> float:
        """How much the frames of the group differ from its first."""
        frames = np.concatenate([run.frames for run in tubelet.read(path)]).astype(float)[1:, 8:-8, 16:-16]
        return float(np.abs(frames[1:] - frames[:1]).mean())

    changes = {path.stem: change(path) for path in (tmp_path / "edits").iterdir()}
    assert set(changes) == {"frozen", "reversed", "exaggerated", "moved-alike"}
    original = change(slide)
    assert changes["frozen"] < 0.3 * original
    assert min(changes["reversed"], changes["exaggerated"], changes["moved-alike"]) > 0.7 * original
    (sheet,) = (run.frames for run in tubelet.read(tmp_path / "sheet.png"))
    assert sheet.shape == (1, 5 * 64, 4 * 96, 3)
    assert np.array_equal(sheet[0, :64, :96], np.load(slide)[1])
