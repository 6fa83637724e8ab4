"""What paths are called, and what they cost."""

import pytest
import torch

from tubelet.models.motion.agree import _names, digits


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
