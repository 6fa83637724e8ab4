import numpy as np
import pytest
import torch

from tubelet.train.tokenizer.config import Prefixes
from tubelet.train.tokenizer.draws import draw_budgets, draw_counts, draw_noise, draw_steps, generator_of

KEYS = {"seed": 3, "step": 5}
CELLS = (3, 4, 5)


def counts(prefixes, indices, **changes):
    keys = KEYS | changes
    return draw_counts(prefixes, cells=CELLS, channels=64, indices=indices, **keys)


@pytest.mark.parametrize("maps", [0.0, 0.5, 1.0])
def test_the_draws_of_a_batch_are_those_of_its_parts(maps):
    prefixes = Prefixes(maps=maps)
    parts = [counts(prefixes, range(2)), counts(prefixes, range(2, 6))]
    assert torch.equal(counts(prefixes, range(6)), torch.cat(parts))
    noise = [
        draw_noise((2, *CELLS), 1.0, even=False, indices=part, **KEYS) for part in (range(2), range(2, 6))
    ]
    assert torch.equal(draw_noise((2, *CELLS), 1.0, even=False, indices=range(6), **KEYS), torch.cat(noise))


def test_another_step_or_seed_draws_otherwise():
    usual = counts(Prefixes(), range(20))
    assert not torch.equal(usual, counts(Prefixes(), range(20), step=6))
    assert not torch.equal(usual, counts(Prefixes(), range(20), seed=4))


def test_numbers_of_channels_are_drawn_as_often_as_their_weights_say():
    prefixes = Prefixes(counts=(4, 16), weights=(1.0, 3.0), maps=0.0)
    drawn = counts(prefixes, range(2000)).amax(dim=(1, 2, 3, 4))
    assert (drawn == 16).float().mean() == pytest.approx(0.75, abs=0.03)
    assert set(drawn.tolist()) == {4, 16}


def test_without_maps_a_clip_has_one_number_and_with_them_many():
    assert all(len(each.unique()) == 1 for each in counts(Prefixes(maps=0.0), range(20)))
    assert sum(len(each.unique()) > 1 for each in counts(Prefixes(maps=1.0), range(20))) > 15


def test_maps_go_from_none_to_all_channels():
    drawn = counts(Prefixes(maps=1.0), range(300))
    assert drawn.min() == 0
    assert drawn.max() > 56
    assert drawn.max() <= 64


def test_block_maps_have_one_number_per_block_and_go_from_none_to_all():
    prefixes = Prefixes(maps=0.0, blocks=1.0)
    drawn = draw_counts(prefixes, cells=(3, 16, 16), channels=64, indices=range(100), **KEYS)
    assert {0, 64} <= set(drawn.unique().tolist()) <= {0, 1, 2, 4, 8, 16, 32, 64}
    whole = [
        side
        for side in (2, 4, 8)
        for each in drawn[:, 0]
        if all(
            len(block.unique()) == 1
            for step in each
            for rows in step.split(side)
            for block in rows.split(side, dim=1)
        )
    ]
    assert {2, 4, 8} <= set(whole)


def test_clips_with_a_budget_have_all_channels_and_the_others_no_budget():
    prefixes = Prefixes(maps=0.1, blocks=0.1, budgets=0.3)
    budgets = draw_budgets(prefixes, channels=64, indices=range(1000), **KEYS)
    assert budgets.isfinite().float().mean() == pytest.approx(0.3, abs=0.04)
    given = budgets[budgets.isfinite()]
    assert 1 <= given.min() < 1.5
    assert 40 < given.max() <= 48
    assert (counts(prefixes, range(1000))[budgets.isfinite()] == 64).all()
    parts = [draw_budgets(prefixes, channels=64, indices=part, **KEYS) for part in (range(3), range(3, 8))]
    assert torch.equal(budgets[:8], torch.cat(parts))


def test_budgets_and_blocks_leave_the_other_draws_as_they_were():
    before = counts(Prefixes(maps=0.2), range(100))
    after = counts(Prefixes(maps=0.2, blocks=0.0, budgets=0.0), range(100))
    assert torch.equal(before, after)


def test_steps_of_the_quantiser_lie_between_their_bounds_and_some_clips_have_none():
    steps = draw_steps(0.25, (0.5, 8.0), indices=range(1000), **KEYS)
    assert (steps > 0).float().mean() == pytest.approx(0.25, abs=0.04)
    assert 0.5 <= steps[steps > 0].min() < 0.55
    assert 7 < steps.max() <= 8


def test_noise_has_the_deviation_that_is_asked_for():
    noise = draw_noise((16, 8, 8, 8), 0.5, even=True, indices=range(20), **KEYS)
    assert noise.std() == pytest.approx(0.5, rel=0.02)
    uneven = draw_noise((16, 8, 8, 8), 0.5, even=False, indices=range(200), **KEYS)
    deviations = uneven.flatten(1).std(dim=1).numpy()
    assert deviations.max() < 0.52
    assert np.mean(deviations) == pytest.approx(0.25, abs=0.03)


def test_a_generator_depends_on_all_that_it_is_made_of():
    drawn = {
        torch.rand((), generator=generator_of(*keys)).item()
        for keys in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    }
    assert len(drawn) == 4
