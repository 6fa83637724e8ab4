"""Going through a clip several times finds the setting that is wanted."""

import math

import pytest

from tubelet.codec.survey import solve


def tried(measure, wanted, *, first=30.0, within=0.2):
    asked = []

    def counted(setting):
        asked.append(setting)
        return measure(setting)

    return solve(counted, wanted, low=1.0, high=63.0, first=first, within=within), asked


@pytest.mark.parametrize("wanted", [21.0, 25.5, 33.0, 40.0])
@pytest.mark.parametrize("first", [1.0, 30.0, 63.0])
def test_the_wanted_value_is_found_in_few_tries(wanted, first):
    def measure(level):
        return 20 + 22 * math.sqrt((level - 1) / 62)

    setting, asked = tried(measure, wanted, first=first)
    assert abs(measure(setting) - wanted) <= 0.2
    assert len(asked) <= 8


@pytest.mark.parametrize(("wanted", "end"), [(0.0, 1.0), (99.0, 63.0)])
def test_what_is_out_of_reach_gives_the_nearest_end(wanted, end):
    setting, asked = tried(lambda level: level / 2, wanted)
    assert setting == end
    assert len(asked) == 2


def test_a_measure_that_jumps_ends_at_the_nearer_side():
    setting, asked = tried(lambda level: 20.0 if level < 40 else 33.0, 30.0)
    assert setting >= 40
    assert len(asked) <= 8
