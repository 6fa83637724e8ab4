"""What paths are called, and what they cost."""

import pytest
import torch
from rendered import along, render

from tubelet.models.motion import coarse
from tubelet.models.motion.agree import _names, agreed, digits
from tubelet.models.motion.coarse import luma, search_coarsely
from tubelet.models.motion.matcher import Found, Matcher
from tubelet.models.motion.search import refined
from tubelet.models.motion.warp import Cells
from tubelet.video.pixels import to_model


def test_digits_of_a_path_are_those_of_its_numbers_and_their_signs():
    numbers = torch.arange(-300, 301).float()
    expected = [2 * abs(number) for number in range(-300, 301)]
    assert digits(numbers[None]).tolist() == [number.bit_length() for number in expected]
    both = torch.stack([numbers, numbers.flip(0).roll(7)])
    assert torch.equal(digits(both), digits(both[:1]) + digits(both[1:]))


@pytest.mark.parametrize("frames", [1, 3, 4, 9])
def test_paths_have_the_same_name_where_all_of_their_numbers_are_equal(frames):
    random = torch.Generator().manual_seed(frames)
    few = torch.randint(-111, 112, (20, frames, 2), generator=random)
    paths = few[torch.randint(20, (200,), generator=random)]
    one = paths.clone()
    one[::3, -1, 1] += 1
    paths = torch.cat([paths, one])
    names = _names(paths)
    equal = (paths[:, None] == paths).flatten(2).all(dim=2)
    assert torch.equal(names[:, None] == names, equal)


def test_what_is_left_is_handed_on_as_comparing_again_would_find_it():
    matcher = Matcher.of(luma(to_model(render(along((1.5, 2.25)))), 4), Cells(8, 8))
    parts = [refined(part, torch.full((*part.still.shape, 2), 4)) for _, part in matcher.parts()]
    found = Found(*map(torch.cat, zip(*parts, strict=True)))
    assert found.paths.any() and torch.equal(found.left, matcher.compared(found.paths).left)
    again = agreed(matcher, found)
    assert not torch.equal(again.paths, found.paths)
    assert torch.equal(again.left, matcher.compared(again.paths).left)


@pytest.mark.parametrize("cell", [Cells(8, 8), Cells(4, 12), Cells(16, 8)])
def test_however_many_vectors_are_compared_at_once_the_same_is_found(cell, monkeypatch):
    random = torch.Generator().manual_seed(0)
    first = torch.randint(0, 256, (2, 1, 5 * cell.h, 7 * cell.w), dtype=torch.uint8, generator=random)
    levels = torch.cat([first.roll((4 * step, 8 * step), dims=(2, 3)) for step in range(4)], dim=1)
    found = search_coarsely(levels, cell)
    assert found[:, 0, 0, 2:-1, 3:-1].eq(-4).all() and found[:, 0, 1, 2:-1, 3:-1].eq(-8).all()
    for at_once in (1, 1000):
        monkeypatch.setattr(coarse, "_AT_ONCE", at_once)
        assert torch.equal(search_coarsely(levels, cell), found)
