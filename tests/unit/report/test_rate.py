"""Curves of an evaluation, and what one saves against another."""

from dataclasses import replace

import pytest

from tubelet.errors import OptionError
from tubelet.report.rate import bd_rates, rate_curves, saving

RATES = {4: 0.05, 16: 0.1, 64: 0.2}


def figures(rate: float, quality: float) -> dict[str, float]:
    return {"psnr_db": quality, "lpips": 1 - quality / 100, "flicker_levels": 0.5, "bits_per_pixel": rate}


def ladder(name: str, rates: dict[int, float], *, up: float = 0.0, clips: str = "ab") -> dict:
    """A thing at several rates; clip b needs double the bits."""
    return {
        name.format(knob): {
            clip: figures(rate * (1 if clip == "a" else 2), 20 + up + 5 * place) for clip in clips
        }
        for place, (knob, rate) in enumerate(rates.items())
    }


def test_what_differs_in_its_rate_alone_is_one_curve_and_points_go_up(make_results):
    results = make_results(
        ladder("m@{}:step=1", {64: 0.2, 4: 0.05, 16: 0.1} | {})
        | ladder("x264:crf={}", {20: 0.1, 40: 0.01})
        | ladder("x264:crf={},preset=slow", {20: 0.1})
        | {"fsq": {"a": figures(0.06, 25.0), "b": figures(0.06, 25.0)}}
    )
    found = {curve.name: curve for curve in rate_curves(results, "lpips")}
    assert list(found) == ["m", "x264", "x264:preset=slow", "fsq"]
    assert found["m"].kind == "tube"
    for curve in found.values():
        assert [point.rate for point in curve.points] == sorted(point.rate for point in curve.points)


def test_two_checkpoints_of_one_name_are_two_curves(make_results):
    systems = ladder("one@{}:step=1", {4: 0.05}) | ladder("two@{}:step=1", {4: 0.06})
    facts = {"one@4:step=1": {"name": "m", "sha256": "1"}, "two@4:step=1": {"name": "m", "sha256": "2"}}
    assert len(rate_curves(make_results(systems, facts=facts), "psnr_db")) == 2


def test_a_point_that_another_beats_is_left_out_by_name(make_results):
    systems = ladder("m@{}:step=1", RATES)
    systems["m@16:step=2"] = {clip: figures(0.5, 21.0) for clip in "ab"}
    (curve,) = rate_curves(make_results(systems), "psnr_db")
    assert [point.system for point in curve.points] == [f"m@{knob}:step=1" for knob in RATES]
    assert list(curve.left_out) == ["m@16:step=2"]
    # Of equal rates, the better one stays, wherever it stands.
    systems["m@32:step=1"] = {"a": figures(0.2, 40.0), "b": figures(0.4, 40.0)}
    (curve,) = rate_curves(make_results(systems), "psnr_db")
    assert curve.points[-1].system == "m@32:step=1"


def test_a_mean_over_fewer_clips_is_no_point(make_results):
    systems = ladder("m@{}:step=1", RATES)
    systems["m@16:step=1"]["b"] = "no memory"
    (curve,) = rate_curves(make_results(systems), "psnr_db")
    assert [point.system for point in curve.points] == ["m@4:step=1", "m@64:step=1"]
    assert "1 clip," in curve.left_out["m@16:step=1"]


def test_what_is_exact_is_no_point(make_results):
    systems = ladder("m@{}:step=1", RATES)
    for number, clip in enumerate("ab"):
        systems["m@64:step=1"][clip]["psnr_db"] = float("inf")
        (curve,) = rate_curves(make_results(systems), "psnr_db")
        assert ("1 clip,", "infinitely")[number] in curve.left_out["m@64:step=1"]


def test_numbers_and_bits_are_never_in_one_curve(make_results):
    bits = ladder("m@{}:step=1", RATES)
    for clips in bits.values():
        for found in clips.values():
            found["numbers_per_pixel"] = 1.0
    numbers = {
        f"m@{knob}": {clip: {"psnr_db": 20.0 + knob, "numbers_per_pixel": knob / 256} for clip in "ab"}
        for knob in RATES
    }
    results = make_results(bits | numbers)
    (of_bits,) = rate_curves(results, "psnr_db")
    (of_numbers,) = rate_curves(results, "psnr_db", rate="numbers_per_pixel")
    assert {point.system for point in of_bits.points} == bits.keys()
    assert {point.system for point in of_numbers.points} == numbers.keys()


@pytest.mark.parametrize("measure", ["psnr_db", "lpips"])
def test_a_curve_saves_nothing_against_itself(make_results, measure):
    (curve,) = rate_curves(make_results(ladder("m@{}:step=1", RATES)), measure)
    found = saving(curve, curve)
    assert found.percent == pytest.approx(0, abs=1e-9)
    qualities = sorted(point.quality for point in curve.points)
    assert (found.low, found.high) == (qualities[0], qualities[-1])


@pytest.mark.parametrize("measure", ["psnr_db", "lpips"])
def test_half_the_bits_save_half_in_the_mean_and_on_every_clip(make_results, measure):
    half = {knob: rate / 2 for knob, rate in RATES.items()}
    results = make_results(ladder("x264:crf={}", RATES) | ladder("m@{}:step=1", half))
    (found,) = bd_rates(results, measure, anchor="x264")
    assert found.curve.name == "m"
    assert found.whole.percent == pytest.approx(-50)
    assert found.by_clip == pytest.approx(-50)
    assert (found.clips_compared, found.clips) == (2, 2)


def test_without_common_qualities_there_is_a_reason_and_no_number(make_results):
    results = make_results(ladder("x264:crf={}", RATES) | ladder("m@{}:step=1", RATES, up=30))
    (found,) = bd_rates(results, "psnr_db", anchor="x264")
    assert found.whole.percent is None
    assert "overlap" in found.whole.why
    assert found.by_clip is None
    assert found.clips_compared == 0


def test_one_point_is_too_few(make_results):
    results = make_results(ladder("x264:crf={}", RATES) | ladder("m@{}:step=1", {4: 0.1}, up=5))
    (found,) = bd_rates(results, "psnr_db", anchor="x264")
    assert found.whole.percent is None
    assert "1 points" in found.whole.why


def test_a_clip_without_common_qualities_is_not_counted(make_results):
    systems = ladder("x264:crf={}", RATES) | ladder("m@{}:step=1", RATES)
    for name in systems:
        if name.startswith("m@"):
            systems[name]["b"] |= {"psnr_db": 90 + systems[name]["b"]["bits_per_pixel"]}
    (found,) = bd_rates(make_results(systems), "psnr_db", anchor="x264")
    assert (found.clips_compared, found.clips) == (1, 2)
    assert found.by_clip == pytest.approx(0, abs=1e-9)


def test_an_unknown_anchor_or_measure_is_named(make_results):
    results = make_results(ladder("x264:crf={}", RATES))
    with pytest.raises(OptionError, match=r"no curve 'av1'.*x264"):
        bd_rates(results, "psnr_db", anchor="av1")
    with pytest.raises(OptionError, match="no measure 'vmaf'"):
        rate_curves(results, "vmaf")
    with pytest.raises(OptionError, match="nearer to 0"):
        rate_curves(results, "flicker_levels")


def test_the_direction_is_the_curves_own(make_results):
    (curve,) = rate_curves(make_results(ladder("m@{}:step=1", RATES)), "lpips")
    better = replace(curve, points=tuple(point._replace(rate=point.rate / 4) for point in curve.points))
    assert saving(curve, better).percent == pytest.approx(-75)
    assert saving(better, curve).percent == pytest.approx(300)
