"""What counts as a whole number where one is given."""

import numpy as np
import pytest
import torch

from tubelet.errors import OptionError
from tubelet.given import as_whole, check_whole_numbers


@pytest.mark.parametrize("given", [4, np.int64(4), np.uint8(4), torch.tensor(4)], ids=repr)
def test_whole_numbers_of_numpy_and_torch_count_as_such(given):
    number = as_whole(given)
    assert number == 4 and type(number) is int


@pytest.mark.parametrize(
    "given",
    [True, 4.0, np.float32(4), torch.tensor(4.0), torch.tensor([4, 5]), np.array([4, 5]), "4", None],
    ids=repr,
)
def test_nothing_else_does(given):
    assert as_whole(given) is None
    with pytest.raises(OptionError, match=r"rows is .* it is a whole number"):
        check_whole_numbers(rows=given)
