"""Plots: described by results alone, and drawn the same each time."""

from importlib.util import find_spec

import pytest

from tubelet import extras
from tubelet.errors import OptionError
from tubelet.report import plots
from tubelet.report.plots import (
    Bars,
    Curves,
    Mark,
    Series,
    bars,
    default_plot,
    draw,
    rate_distortion,
    write_plot,
)

needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="an extra: tubelet[plots]")

CURVES = Curves(
    x="bits",
    y="PSNR",
    series=tuple(Series(f"s{place}", (Mark(0.1, 20.0, 19.0, 21.0), Mark(0.2, 30.0))) for place in range(9)),
)
BARS = Bars(
    names=("one", "two"), panels={"PSNR": (Mark(3.0, 0, 2.0, 4.0), None), "tOF": (None, Mark(1.0, 1))}
)


def two_rates(make_results):
    return make_results(
        {
            f"{name.format(knob)}": {
                clip: {"psnr_db": 20.0 + knob + 10 * (clip == "b"), kind: knob / 100} for clip in "ab"
            }
            for name, kind in (("m@{}:step=1", "bits_per_pixel"), ("m@{}", "numbers_per_pixel"))
            for knob in (8, 4)
        }
    )


def test_a_curve_is_drawn_through_its_points_by_rate(make_results):
    plot = rate_distortion(two_rates(make_results))
    assert plot.x == plots.RATES["bits_per_pixel"]
    (series,) = plot.series
    assert series.name == "m"
    assert [(mark.x, mark.y) for mark in series.marks] == [(0.04, 29.0), (0.08, 33.0)]


def test_without_bits_numbers_are_drawn_and_the_axis_says_so(make_results):
    results = make_results({"m@4": {"a": {"psnr_db": 30.0, "numbers_per_pixel": 0.1}}})
    assert rate_distortion(results).x == plots.RATES["numbers_per_pixel"]
    with pytest.raises(OptionError, match="bits per pixel"):
        rate_distortion(results, rate="bits_per_pixel")


def at_rates(make_results, *systems: tuple[str, float]):
    """Systems of some names and rates, each a little better than the one before."""
    return make_results(
        {
            name: {
                "a": {
                    "psnr_db": 30.0 + place,
                    "flicker_levels": 0.1 * place,
                    f"{'bits' if ':' in name else 'numbers'}_per_pixel": rate,
                }
            }
            for place, (name, rate) in enumerate(systems)
        }
    )


@pytest.mark.parametrize(
    "systems",
    [
        [("m@4", 0.1), ("n@4", 0.1)],  # one rate
        [("m@4", 0.1), ("n@4", 0.1005)],  # as good as one
        [("m@4", 0.1), ("x264:crf=20", 0.3)],  # numbers and bits
        [("m@4", 0.1)],
    ],
)
def test_without_two_rates_of_a_kind_systems_stand_side_by_side_with_what_they_cost(make_results, systems):
    plot = default_plot(at_rates(make_results, *systems))
    assert isinstance(plot, Bars)
    assert list(plot.panels) == ["PSNR dB ↑", "flicker levels → 0"]
    for row, (name, rate) in zip(plot.names, systems, strict=True):
        assert row == f"{name}, {rate:.4f} {'bits' if ':' in name else 'numbers'}/px"


@pytest.mark.parametrize(
    ("systems", "axis"),
    [
        ([("x264:crf=20", 0.3), ("x265:crf=30", 0.1), ("m@4", 0.1)], "bits_per_pixel"),
        ([("m@4", 0.1), ("m@8", 0.2), ("n@4", 0.1), ("x264:crf=20", 0.3)], "numbers_per_pixel"),
    ],
)
def test_with_two_rates_of_a_kind_quality_is_drawn_against_that_of_most_systems(make_results, systems, axis):
    plot = default_plot(at_rates(make_results, *systems))
    assert isinstance(plot, Curves)
    assert plot.x == plots.RATES[axis]


def test_a_measure_without_more_and_less_is_drawn_side_by_side(make_results):
    plot = default_plot(at_rates(make_results, ("m@4", 0.1), ("m@8", 0.2)), "flicker_levels")
    assert isinstance(plot, Bars)
    assert list(plot.panels) == ["flicker levels → 0"]
    with pytest.raises(OptionError, match="no 'nothing'"):
        default_plot(at_rates(make_results, ("m@4", 0.1)), "nothing")


@needs_matplotlib
def test_a_title_is_drawn_as_it_is_written(make_results, tmp_path):
    results = at_rates(make_results, ("m@4", 0.1), ("n@4", 0.1))
    write_plot(results, tmp_path / "with.svg", title="half a $formula")
    write_plot(results, tmp_path / "without.svg")
    assert (tmp_path / "with.svg").read_bytes() != (tmp_path / "without.svg").read_bytes()
    with pytest.raises(OptionError, match="title is empty"):
        write_plot(results, tmp_path / "none.svg", title="")
    assert not (tmp_path / "none.svg").exists()


def test_bars_have_intervals_and_leave_out_what_is_absent(make_results):
    plot = bars(two_rates(make_results), ["m@8", "m@4:step=1"], ["psnr_db", "vmaf"])
    assert plot.names == ("m@8", "m@4:step=1")
    (marks,) = plot.panels.values()
    assert marks == (Mark(33.0, 0, 28.0, 38.0), Mark(29.0, 1, 24.0, 34.0))
    with pytest.raises(OptionError, match="vmaf"):
        bars(two_rates(make_results), ["m@8"], ["vmaf"])


def test_a_figure_of_a_whole_set_has_a_bar_without_an_interval(make_results):
    results = make_results({"m@8": {"a": {"psnr_db": 30.0}, "b": {"psnr_db": 31.0}}})
    figure = {"mean": 12.5, "low": None, "high": None, "clips": 2}
    results.figures["measures"]["rfvd_i3d"] = {"better": "less"}
    summary = results.figures["systems"]["m@8"]["summary"]["all"]
    summary["temporal_consistency"] = {"rfvd_i3d": figure}
    plot = bars(results, ["m@8"], ["rfvd_i3d"])
    assert plot.panels == {"rFVD I3D ↓": (Mark(12.5, 0),)}


@needs_matplotlib
@pytest.mark.parametrize("plot", [CURVES, BARS])
def test_the_same_plot_is_the_same_bytes(tmp_path, plot):
    for name in ("one", "two"):
        draw(plot, tmp_path / f"{name}.svg")
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert "<dc:date>" not in text


@needs_matplotlib
@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_suffix_chooses_the_format(make_results, tmp_path, suffix, begins):
    target = tmp_path / f"plot{suffix}"
    write_plot(two_rates(make_results), target)
    assert target.read_bytes().startswith(begins)


def test_another_suffix_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"\.png, \.svg, \.pdf"):
        draw(CURVES, tmp_path / "plot.gif")


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    def missing(name: str):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(extras, "import_module", missing)
    with pytest.raises(OptionError, match=r"tubelet\[plots\]"):
        draw(CURVES, tmp_path / "plot.svg")
    assert list(tmp_path.iterdir()) == []


def test_no_two_of_many_series_look_alike():
    looks = {plots.look(place) for place in range(len(plots.COLOURS) * len(plots.MARKERS))}
    assert len(looks) == len(plots.COLOURS) * len(plots.MARKERS)
