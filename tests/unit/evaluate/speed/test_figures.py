"""What a benchmark measures, what it expects of larger clips, and which figures follow from seconds."""

import math

import numpy as np
import pytest

from tubelet.evaluate.cases import Case, Size
from tubelet.evaluate.picture import Picture
from tubelet.evaluate.speed import forecast as forecasts
from tubelet.evaluate.speed.figures import complete, growth, spread
from tubelet.evaluate.speed.forecast import Forecast
from tubelet.evaluate.speed.grid import (
    QUICK,
    SIZES,
    Variant,
    all_cases,
    usual_cases,
    variants,
)

SMALL = Size(32, 16)


def case(frames: int, size: Size = SMALL, patience: float = 300.0) -> Case:
    return Case(size=size, frames=frames, patience=patience)


def row(
    system: str, encode: list[float], decode: list[float], *, frames: int = 5, peak: float = 100.0, way=""
):
    head = {"system": system, "format": way or None, "mode": None, "width": 100, "height": 100}
    seconds = {"encode": encode, "decode": decode, "first_frame": decode}
    return head | {"frames": frames, "seconds": seconds, "before_mib": 50.0, "peak_mib": peak}


def test_every_system_gets_one_clip_for_which_there_is_patience():
    cases = usual_cases(120.0)
    assert [(each.size, each.frames) for each in cases if each.patience == 120.0] == [(SIZES[0], 17)]
    assert {each.patience for each in cases} == {120.0, QUICK}
    assert {each.size for each in cases} == set(SIZES)
    assert {each.patience for each in usual_cases(1.0)} == {1.0}


def test_clips_of_a_size_stand_together_and_grow():
    cases = all_cases([Size(64, 32), Size(8, 8), Size(32, 64), Size(8, 8)], [9, 1])
    assert [str(each) for each in cases] == [
        "1 frame of 8x8",
        "9 frames of 8x8",
        "1 frame of 32x64",
        "9 frames of 32x64",
        "1 frame of 64x32",
        "9 frames of 64x32",
    ]
    assert list(usual_cases()) == sorted(usual_cases(), key=lambda each: (each.size, each.frames))


def test_a_codec_has_neither_number_format_nor_mode():
    found = variants(["tubelet-m", "x264:crf=28"], ["float32", "bfloat16"], ["eager"])
    assert found == [
        Variant("tubelet-m", "float32", "eager"),
        Variant("tubelet-m", "bfloat16", "eager"),
        Variant("x264:crf=28", None, None),
    ]


def test_the_picture_is_the_same_each_time_and_moves():
    one, two = (Picture(height=24, width=30).frames(0, 4) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one[1:], Picture(height=24, width=30).frames(1, 4))
    np.testing.assert_array_equal(one[0, 3:, 6:], one[3, :-3, :-6])
    assert one.shape == (4, 24, 30, 3) and 20 < one.std() < 70
    assert Picture(height=1, width=1).frames(0, 2).shape == (2, 1, 1, 3)


def test_neighbours_in_the_picture_are_alike():
    frame = Picture(height=64, width=64).frames(0, 1)[0].astype(float)
    assert np.abs(np.diff(frame, axis=0)).mean() < 0.35 * frame.std()


def test_what_would_take_too_long_is_left_out():
    known = Forecast(on_cpu=False)
    assert known.objection(case(5, patience=1e-9), in_streams=False) is None
    known.learn(case(5), seconds=1.0, taken_mib=10.0)
    assert known.objection(case(50, patience=11.0), in_streams=False) is None
    objection = known.objection(case(50, patience=9.0), in_streams=False)
    assert objection == "it would take about 10 s, as 5 frames of 32x16 took 1 s; the patience is 9 s"


def test_a_single_frame_says_nothing_of_longer_clips():
    known = Forecast(on_cpu=False)
    known.learn(case(1), seconds=1.0, taken_mib=10.0)
    assert known.objection(case(50, patience=2.0), in_streams=False) is None


def test_memory_of_a_stream_does_not_grow_with_length(monkeypatch):
    monkeypatch.setattr(forecasts, "_available_mib", lambda: 50.0)
    known = Forecast(on_cpu=True)
    known.learn(case(5), seconds=1.0, taken_mib=10.0)
    assert known.objection(case(50), in_streams=True) is None
    assert "100 MiB more memory, and 50 MiB are free" in str(known.objection(case(50), in_streams=False))
    assert known.objection(case(5, size=Size(320, 160)), in_streams=True)
    elsewhere = Forecast(on_cpu=False)
    elsewhere.learn(case(5), seconds=1.0, taken_mib=10.0)
    assert elsewhere.objection(case(50), in_streams=False) is None


def test_what_was_too_much_stays_too_much():
    known = Forecast(on_cpu=False)
    known.give_up(case(17), "it was slow", patience=5.0)
    assert "17 frames of 32x16 were too much already: it was slow" in str(
        known.objection(case(33, patience=5.0), in_streams=True)
    )
    assert known.objection(case(9, patience=5.0), in_streams=True) is None
    assert known.objection(case(33, patience=6.0), in_streams=True) is None
    known.give_up(case(17), "it was large")
    assert known.objection(case(33, patience=6.0), in_streams=True)


def test_ratios_are_those_of_a_round_and_of_the_fastest_way():
    rows = [
        row("a", [1.0, 2.0], [1.0, 2.0], way="float32"),
        row("a", [0.5, 1.0], [0.5, 1.0], way="bfloat16"),
        row("b", [10.0, 10.0], [10.0, 10.0]),
    ]
    slow, fast, other = complete(rows, "a")
    assert (slow["fastest"], fast["fastest"], other["fastest"]) == (False, True, True)
    assert fast["times_of_first"]["both"] == {"median": 1.0, "lowest": 1.0, "highest": 1.0}
    assert other["times_of_first"]["both"] == {"median": 15.0, "lowest": 10.0, "highest": 20.0}
    assert slow["times_of_first"]["encode"]["median"] == 2.0
    megapixels = 5 * 100 * 100 / 1e6
    assert slow["both_mpx_per_s"]["highest"] == pytest.approx(megapixels / 2)
    assert slow["encode_mpx_per_s"]["lowest"] == pytest.approx(megapixels / 2)
    assert other["first_frame_seconds"] == spread([10.0, 10.0])


def test_where_the_first_system_is_absent_nothing_is_compared():
    head = {"system": "a", "format": None, "mode": None, "width": 100, "height": 100, "frames": 5}
    first, other = complete([head | {"absent": "no"}, row("b", [1.0], [1.0])], "a")
    assert first == head | {"absent": "no"}
    assert other["fastest"] and "times_of_first" not in other


def test_growth_is_from_the_shortest_to_the_longest_clip_but_single_frames():
    rows = [
        row("a", [9.0], [9.0], frames=1),
        row("a", [1.0], [1.0], frames=5, peak=100.0),
        row("a", [3.0], [3.0], frames=10, peak=101.0),
        row("a", [8.0], [8.0], frames=20, peak=102.0),
        row("b", [1.0], [1.0], frames=5),
    ]
    (found,) = growth(complete(rows, "a"))
    assert found["system"] == "a"
    assert found["frames"] == [5, 20]
    assert found["time_per_pixel_ratio"] == 2.0
    assert found["peak_mib"] == [100.0, 102.0]


def test_nothing_is_told_with_more_than_four_digits():
    assert spread([math.pi, 1.0, 1000.06]) == {"median": 3.142, "lowest": 1.0, "highest": 1000.0}
