import json

import pytest

from tubelet.errors import ResultsError
from tubelet.report.read import read_results
from tubelet.results import write_results


def test_a_folder_and_its_file_are_the_same_results(tmp_path):
    write_results(
        tmp_path / "results.json",
        protocol="a line",
        figures={
            "format": 1,
            "data": "clips",
            "intervals": {"level": 0.95, "resamples": 1000},
            "clips": {},
            "systems": {},
            "measures": {},
        },
    )
    found = read_results(tmp_path)
    assert found == read_results(tmp_path / "results.json")
    assert found.folder == tmp_path
    assert found.protocol == "a line"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps({"protocol": "", "circumstances": {}, "figures": []}),
        json.dumps({"protocol": "", "circumstances": {}, "figures": {"format": 1}}),
        json.dumps(
            {
                "protocol": "",
                "circumstances": {},
                "figures": {"format": 99, "clips": {}, "systems": {}, "measures": {}},
            }
        ),
    ],
)
def test_what_is_no_evaluation_is_named(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ResultsError, match=r"results\.json"):
        read_results(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ResultsError, match="No such file"):
        read_results(tmp_path)
