"""Which shape the clips of a generator get."""

import pytest

from tubelet.generate.one_shape import most_used_shape


@pytest.mark.parametrize(
    ("shapes", "wanted"),
    [
        ([], None),
        ([(4, 5, 8, 8)], (4, 5, 8, 8)),
        # A short rest, wherever it stands, cuts none of the others.
        ([(4, 1, 8, 8)] + 9 * [(4, 5, 8, 8)], (4, 5, 8, 8)),
        (2 * [(4, 5, 8, 8)] + [(4, 9, 8, 8)], (4, 5, 8, 8)),
        # As much is used of two and of one twice as long: the longer clips are rarer than the shorter ones.
        ([(4, 4, 8, 8), (4, 8, 8, 8)], (4, 8, 8, 8)),
        # Larger frames do not count as longer ones.
        ([(4, 5, 8, 12), (4, 5, 8, 8), (4, 5, 8, 8)], (4, 5, 8, 8)),
    ],
)
def test_it_is_that_under_which_most_is_used(shapes, wanted):
    assert most_used_shape(shapes) == wanted
    assert most_used_shape(reversed(shapes)) == wanted
