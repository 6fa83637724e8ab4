"""Results of any content give a report or a `TubeletError`: nothing else is raised, whatever is asked for."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from mutations import ODD, changed

from tubelet.errors import ResultsError, TubeletError
from tubelet.report.content import check_evaluation
from tubelet.report.html import write_page
from tubelet.report.plots import write_plot
from tubelet.report.read import read_results
from tubelet.report.tables import write_tables

WRITERS = {
    ".md": lambda results, target: write_tables(results, target, anchor="x264", force=True),
    ".tex": lambda results, target: write_tables(results, target, force=True),
    ".html": lambda results, target: write_page(results, target, budget=10**6, force=True),
    ".svg": lambda results, target: write_plot(results, target, force=True),
    ".pdf": lambda results, target: write_plot(results, target, measure="ssim", force=True),
}


@pytest.fixture
def content(make_results) -> dict:
    """The content of a file of results of every kind of system."""
    figures = {"psnr_db": 30.0, "ssim": 0.9, "difference_psnr_db": 35.0, "flicker_levels": 1.0}

    def system(rate: str, value: float) -> dict:
        return {
            "a": figures | {rate: value},
            "b": figures | {"psnr_db": 30 + 9 * value, rate: value},
            "c": figures | {"psnr_db": float("inf"), rate: value},
        }

    results = make_results(
        {
            "mine@4": system("numbers_per_pixel", 0.2),
            "mine@16:step=1": system("bits_per_pixel", 0.4),
            "mine@32:step=1": system("bits_per_pixel", 0.9),
            "x264:crf=28": system("bits_per_pixel", 0.1),
            "x264:crf=20": system("bits_per_pixel", 0.3),
            "tokens": system("bits_per_pixel", 0.2) | {"c": "it is too large."},
        },
        tags={"a": {"motion": "low"}, "b": {"motion": "high", "kind": "screen"}},
    )
    return {
        "protocol": results.protocol,
        "circumstances": results.circumstances,
        "figures": results.figures,
    }


def report(content: object, folder: Path, suffix: str) -> None:
    (folder / "results.json").write_text(json.dumps(content))
    target = folder / f"report{suffix}"
    WRITERS[suffix](read_results(folder), target)
    assert target.read_bytes()


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_results_from_which_others_are_made_are_good(content, tmp_path, suffix):
    report(content, tmp_path, suffix)


@pytest.mark.parametrize("suffix", WRITERS)
def test_no_change_of_results_is_a_crash(content, tmp_path, suffix):
    random = np.random.default_rng(0)
    for _ in range(3):
        with suppress(TubeletError):
            report(changed(content, random), tmp_path, suffix)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", WRITERS)
def test_no_change_of_many_is_a_crash(content, tmp_path, suffix):
    random = np.random.default_rng(1)
    for _ in range(400 if suffix in {".svg", ".pdf"} else 20_000):
        damaged = changed(content, random)
        try:
            report(damaged, tmp_path, suffix)
        except TubeletError:
            continue
        except Exception as error:
            raise AssertionError(json.dumps(damaged)) from error


NAMES = ("$x$", "$", "$\\frac{1}$", "_name", "a\nb", "\x1b[2J", "\ud800", "%", "{}", "x" * 3000)


@pytest.mark.parametrize("suffix", WRITERS)
def test_systems_may_have_any_names(content, tmp_path, suffix):
    systems = content["figures"]["systems"]
    for name in NAMES:
        systems[name] = systems["x264:crf=20"]
        systems[f"{name} @8"] = systems["mine@4"]
    report(content, tmp_path, suffix)


@pytest.mark.parametrize("name", ["_hidden", "$x^2$"])
def test_a_plot_shows_names_as_they_are(make_results, tmp_path, name):
    pytest.importorskip("matplotlib")
    from tubelet.report.plots import Curves, Mark, Series, _draw_curves  # noqa: PLC0415

    plot = Curves(x="rate", y="quality", series=(Series(name, (Mark(1.0, 2.0), Mark(2.0, 3.0))),))
    (legend,) = [axes.get_legend() for axes in _draw_curves(plot).axes]
    assert [text.get_text() for text in legend.get_texts()] == [name]


@pytest.mark.parametrize(
    "place", ["protocol", "circumstances", "figures", "data", "intervals", "systems", "clips"]
)
def test_what_a_report_needs_is_checked_when_results_are_read(content, tmp_path, place):
    holder = content if place in content else content["figures"]
    right = type(holder[place])
    for odd in [each for each in ODD if type(each) is not right][::7]:
        holder[place] = odd
        with pytest.raises(ResultsError, match=r"results\.json"):
            report(content, tmp_path, ".md")


def test_what_is_wrong_is_told_with_its_place(content):
    content["figures"]["systems"]["mine@4"]["clips"]["a"]["figures"]["psnr_db"] = "good"
    with pytest.raises(
        ValueError, match=r"figures\.systems\.mine@4\.clips\.a\.figures\.psnr_db is 'good'; it must"
    ):
        check_evaluation(content["figures"])
