"""A system with a budget shows where its file spends it."""

import numpy as np
import pytest

from tubelet.errors import OptionError
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


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("budget=65", "a position has 64 at most"),
        ("budget=4,prior=maybe", "true or false"),
        ("budget=4,passes=3", "it is 1 or 2"),
        ("budget=4,contrast=2", "contrast=NUMBER from 0 to 1"),
        ("step=1,contrast=0.5", "has contrast and nothing that the file may take"),
        ("passes=2", "has passes and nothing that the file may take"),
    ],
)
def test_options_of_budgets_without_meaning_are_refused(options, reason):
    with pytest.raises(OptionError, match=reason):
        open_system(f"klt-4x8x8:{options}", Setting(at_once=False))


def test_contrast_is_that_of_the_file(frames):
    squares, weighed = (
        open_system(f"klt-4x8x8:quality=20,contrast={contrast}", Setting(at_once=False))
        for contrast in (0, 0.5)
    )
    assert squares.facts()["contrast"] == 0
    assert weighed.facts()["contrast"] == 0.5
    assert (squares.counts(frames) != weighed.counts(frames)).any()
