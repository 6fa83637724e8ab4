import numpy as np
import pytest
import torch

from tubelet.train.config import Prefixes
from tubelet.train.draws import draw_counts, draw_noise, generator_of

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
