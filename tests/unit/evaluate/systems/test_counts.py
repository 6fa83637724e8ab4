"""A system with a budget shows where its file spends it."""

import numpy as np
import pytest

from tubelet.evaluate.latent_preview import latent_preview
from tubelet.evaluate.protocols import find_protocol
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Setting


@pytest.fixture(scope="module")
def frames():
    """Nine frames: noise at the left that changes, nothing at the right."""
    clip = np.full((9, 32, 64, 3), 128, np.uint8)
    clip[:, :, :32] = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3))
    return clip


@pytest.fixture(scope="module")
def system():
    return open_system("klt-4x8x8:budget=4", Setting(at_once=False))


def test_counts_are_those_of_the_file(system, frames):
    counts = system.representation.encode(frames)
    assert counts.shape == (1, 1, 3, 4, 8)
    assert counts.float().mean() <= 4
    assert counts[..., :4].float().mean() > counts[..., 4:].float().mean()
    statistics = system.representation.statistics()
    statistics.update(counts)
    found = statistics.to_json()["counts"]
    assert found["positions"] == 96
    assert found["mean"] == pytest.approx(counts.float().mean().item())
    assert sum(found["shares"].values()) == pytest.approx(1)


def test_the_middle_step_is_kept(system, frames):
    preview = latent_preview(system, frames, find_protocol("short256x33"))
    assert preview.kind == "counts"
    assert preview.frames == (1, 5)
    np.testing.assert_array_equal(preview.values, system.representation.encode(frames)[0, :, 1])


def test_what_has_no_budget_has_no_counts():
    assert open_system("klt-4x8x8@4:step=1", Setting(at_once=False)).representation is None
