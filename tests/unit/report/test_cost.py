"""A benchmark's file as tables and plots."""

import json
from pathlib import Path

import pytest

from tubelet.errors import OptionError, ResultsError
from tubelet.evaluate.cases import Case, Size
from tubelet.evaluate.speed.figures import absences, complete, growth
from tubelet.evaluate.speed.run import FORMAT
from tubelet.report.cost import (
    clips,
    cost_by_length,
    cost_by_size,
    read_bench,
    speed_table,
    speeds,
)


def clip(width: int, height: int, frames: int) -> Case:
    return Case(size=Size(width, height), frames=frames)


def row(system: str, number_format: str | None, clip: tuple[int, int, int], seconds: float | None) -> dict:
    """A row before figures are made of it; without seconds it is absent."""
    width, height, frames = clip
    head = {
        "system": system,
        "format": number_format,
        "mode": number_format and "eager",
        "width": width,
        "height": height,
        "frames": frames,
    }
    if seconds is None:
        return head | {"absent": "it is too large."}
    times = {"encode": [seconds], "decode": [seconds], "first_frame": [seconds]}
    return head | {"seconds": times, "before_mib": 1.0, "peak_mib": 100.0 * seconds}


@pytest.fixture
def path(tmp_path) -> Path:
    """Two systems and a codec on three clips; one is absent at the largest."""
    rows = []
    for clip in ((100, 100, 1), (100, 100, 10), (200, 100, 10)):
        pixels = clip[0] * clip[1] * clip[2]
        rows += [
            row("mine", "float32", clip, pixels / 1e6),
            row("mine", "bfloat16", clip, pixels / 2e6),
            row("theirs", "float32", clip, None if clip[0] == 200 else pixels / 1e5),
            row("x264:crf=28", None, clip, pixels / 1e6),
        ]
    full = complete(rows, "mine")
    figures = {
        "format": FORMAT,
        "finished": True,
        "run": {"device": "cpu", "threads": 1, "rounds": 1},
        "systems": {"mine": {"mflop_per_pixel": 0.05}, "theirs": {}, "x264:crf=28": {"kind": "codec"}},
        "rows": full,
        "growth": growth(full),
    }
    where = {"command": "tubelet bench", "date": "2026-01-01", "commit": None}
    target = tmp_path / "bench.json"
    target.write_text(json.dumps({"protocol": "made-up", "circumstances": where, "figures": figures}))
    return target


def test_a_table_has_each_system_once_in_its_fastest_way(path):
    bench = read_bench(path)
    table = speed_table(bench, clip(100, 100, 10))
    assert [found.name for found in table.rows] == ["mine", "theirs", "x264:crf=28"]
    cells = {found.name: [cell.text for cell in found.cells] for found in table.rows}
    assert cells["mine"][0] == "bfloat16, eager"
    # One there and one back: half the speed of either.
    assert cells["mine"][1:4] == ["2", "2", "1"]
    assert cells["mine"][-2:] == ["0.05", "1"]
    assert cells["theirs"][-2:] == ["-", "20"]
    assert cells["x264:crf=28"][0] == "-"
    assert all(len(found.cells) == len(table.heads) for found in table.rows)


def test_what_was_not_timed_is_in_no_table_and_named(path):
    bench = read_bench(path)
    assert clips(bench) == (clip(100, 100, 1), clip(100, 100, 10), clip(200, 100, 10))
    assert speeds(bench, clip(200, 100, 10)).keys() == {"mine", "x264:crf=28"}
    (why,) = absences(bench.figures["rows"])
    assert why == "theirs, float32, eager is absent at 10 frames of 200x100: it is too large."


def test_a_line_goes_along_length_at_one_size_and_along_size_at_one_length(path):
    bench = read_bench(path)
    by_length = cost_by_length(bench, "speed", width=100, height=100)
    assert {series.name: [mark.x for mark in series.marks] for series in by_length.series} == {
        "mine": [1.0, 10.0],
        "theirs": [1.0, 10.0],
        "x264:crf=28": [1.0, 10.0],
    }
    by_size = cost_by_size(bench, "memory", frames=10)
    assert {series.name: [mark.x for mark in series.marks] for series in by_size.series} == {
        "mine": [0.01, 0.02],
        "theirs": [0.01],
        "x264:crf=28": [0.01, 0.02],
    }
    assert [series.dashed for series in by_size.series] == [False, False, True]
    with pytest.raises(OptionError, match="77x1"):
        cost_by_length(bench, "speed", width=77, height=1)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"protocol": "", "circumstances": {}, "figures": {"format": 99}}']
)
def test_what_is_no_benchmark_is_named(tmp_path, content):
    target = tmp_path / "bench.json"
    target.write_text(content)
    with pytest.raises(ResultsError, match=r"bench\.json"):
        read_bench(target)
    with pytest.raises(ResultsError, match="No such file"):
        read_bench(tmp_path / "none.json")
