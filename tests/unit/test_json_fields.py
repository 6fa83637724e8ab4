"""Configurations from JSON: what is not as the fields say is refused by name."""

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import pytest

from tubelet.errors import CheckpointError
from tubelet.json_fields import bounded, fields_from_json


class Side(NamedTuple):
    rows: int
    columns: int


@dataclass(frozen=True, kw_only=True)
class Config:
    name: str
    count: int = field(default=3, metadata=bounded(1, 9))
    sides: tuple[Side, ...] = (Side(1, 2),)
    levels: tuple[int, ...] = field(default=(4, 5), metadata=bounded(2, 8))
    weight: float = 0.5
    kind: Literal["one", "other"] = "one"
    free: bool = False


def test_what_json_knows_becomes_what_the_fields_are():
    numbers = {"name": "a", "sides": [[3, 4], [5, 6]], "levels": [2, 8], "weight": 2, "free": True}
    expected = Config(name="a", sides=(Side(3, 4), Side(5, 6)), levels=(2, 8), weight=2.0, free=True)
    found = fields_from_json(Config, numbers, "here")
    assert found == expected
    assert isinstance(found.weight, float)


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    inner: Config


def test_a_configuration_may_hold_another():
    numbers = {"name": "b", "inner": {"name": "a", "count": 4}}
    assert fields_from_json(Outer, numbers, "here") == Outer(name="b", inner=Config(name="a", count=4))
    for inner, message in (
        ({"name": "a", "count": 10}, "between 1 and 9"),
        (3, "the configuration in here is 3"),
    ):
        with pytest.raises(CheckpointError, match=message):
            fields_from_json(Outer, numbers | {"inner": inner}, "here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "count to 0; it must be between 1 and 9"),
        ({"count": 10}, "between 1 and 9"),
        ({"count": True}, "a whole number"),
        ({"count": 3.0}, "a whole number"),
        ({"levels": []}, "a list with something in it"),
        ({"levels": [2, 9]}, "between 2 and 8"),
        ({"levels": "44"}, "a list"),
        ({"sides": [[1, 2, 3]]}, "a list of 2 numbers"),
        ({"sides": [1, 2]}, "a list of 2 numbers"),
        ({"sides": [[1, 1 << 40]]}, "between"),
        ({"weight": math.nan}, "a number of a size below"),
        ({"weight": "1"}, "a number"),
        ({"weight": True}, "a number"),
        ({"kind": "third"}, "one of one, other"),
        ({"free": 1}, "true or false"),
        ({"name": None}, "a text"),
        ({"more": 1}, r"sets \['more'\], unknown to this program"),
    ],
)
def test_what_the_fields_do_not_allow_is_refused_by_name(change, message):
    with pytest.raises(CheckpointError, match=f"here .*{message}"):
        fields_from_json(Config, {"name": "a"} | change, "here")


def test_what_has_no_default_must_be_there():
    with pytest.raises(CheckpointError, match="here lacks name"):
        fields_from_json(Config, {}, "here")


@pytest.mark.parametrize("numbers", [None, [], "name", 3])
def test_a_configuration_is_a_dictionary(numbers):
    with pytest.raises(CheckpointError, match="the configuration in here is"):
        fields_from_json(Config, numbers, "here")
