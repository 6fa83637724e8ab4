import json
import time
from fractions import Fraction

import pytest

from tubelet.json_text import read_json, text_to_json, text_to_ratio


def test_what_json_can_say_comes_back():
    value = {"a": [1, -2.5, True, None, "ä \ud800"], "b": {"c": 2**64 - 1, "d": -(2**64) + 1, "e": 1e300}}
    assert text_to_json(json.dumps(value)) == value
    assert text_to_json("[" * 64 + "]" * 64) is not None


@pytest.mark.parametrize(
    "text",
    [
        "1e99999999",
        "-1e400",
        "[NaN]",
        '{"a": Infinity}',
        "-Infinity",
        str(2**64),
        "9" * 100_000,
        '[{"a": [' + "8" * 4000 + "]}]",
        "[" * 65 + "]" * 65,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        "[" * 1_000_000,
        "",
        "{'a': 1}",
        '{"a": 1} 2',
    ],
)
def test_what_costs_more_than_its_text_is_refused_at_once(text):
    begun = time.perf_counter()
    with pytest.raises(ValueError):
        text_to_json(text)
    assert time.perf_counter() - begun < 2


def test_a_file_longer_than_it_may_be_is_not_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[1, 2]")
    assert read_json(path, most=6) == [1, 2]
    with pytest.raises(ValueError, match="more than 5 bytes"):
        read_json(path, most=5)
    path.write_bytes(b'"\xff"')
    with pytest.raises(ValueError, match="byte 1 is not UTF-8"):
        read_json(path)


def test_ratios_are_read_without_exponents():
    assert text_to_ratio("30000/1001") == Fraction(30000, 1001)
    assert text_to_ratio("25") == 25
    assert text_to_ratio("23.976") == Fraction(2997, 125)
    for text in ("1e99999999", "1E-99999999", "1/0", "1/000", "-5", "", "1/2/3", "nan", "9" * 19, "\u0665"):
        with pytest.raises(ValueError, match="not a ratio"):
            text_to_ratio(text)
