"""The page of figures is a function of stored JSON, and what is not stored is not on it."""

import json
import re
from pathlib import Path

import pytest

from tubelet.report.figures.page import make_page
from tubelet.report.figures.parts import STORED as FOLDER
from tubelet.report.read import Results

ROOT = Path(__file__).parents[4]
STORED = ROOT / FOLDER


def store(results: Results, folder: Path) -> Path:
    """Write results as an evaluation does."""
    path = folder / "dev" / "results.json"
    path.parent.mkdir(exist_ok=True)
    content = {
        "protocol": results.protocol,
        "circumstances": results.circumstances,
        "figures": results.figures,
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def results(make_results) -> Results:
    """Latents and files at several rates, of two clips with tags."""
    latents = {
        f"{name}@{channels}": {
            clip: {
                "psnr_db": 20.0 + place + up + (clip == "b"),
                "flicker_levels": 0.25,
                "numbers_per_pixel": channels / (64 if "1x8x8" in name else 256),
            }
            for clip in "ab"
        }
        for name, channel_counts, up in (
            ("mine", (4, 16), 1.5),
            ("klt-4x8x8", (4, 16), 0.0),
            ("klt-1x8x8", (4,), 0.5),
        )
        for place, channels in enumerate(channel_counts)
    }
    files = {
        name: {clip: {"psnr_db": 20.0 + rate, "bits_per_pixel": rate / 10} for clip in "ab"}
        for name, rate in (
            ("mine@4:step=1", 1),
            ("mine@16:step=1", 5),
            ("x264:crf=40", 1),
            ("x264:crf=20", 5),
        )
    }
    return make_results(latents | files | {"fsq": files["x264:crf=40"]}, tags={"a": {"motion": "low"}})


def test_the_same_files_make_the_same_page(results, tmp_path):
    store(results, tmp_path)
    assert make_page(tmp_path) == make_page(tmp_path)


def test_every_figure_of_the_page_comes_from_the_files(results, tmp_path):
    path = store(results, tmp_path)
    text = make_page(tmp_path).text
    assert "made-up v1: nothing was measured." in text
    assert "| `mine@16` | 22.50" in text.replace("**", "").replace(" ±0.50", "")
    assert "| `mine@16 less klt-4x8x8@16` | +1.50 | 2 of 2 |" in text
    path.write_text(path.read_text().replace("22.5", "27.5"))
    changed = make_page(tmp_path).text
    assert "27.50" in changed
    assert changed != text


def test_figures_that_were_put_together_say_so(results, tmp_path):
    path = store(results, tmp_path)
    assert "taken over" not in make_page(tmp_path).text
    content = json.loads(path.read_text())
    content["circumstances"]["parts"] = "Codecs were measured, the rest was taken over."
    path.write_text(json.dumps(content))
    assert "Codecs were measured, the rest was taken over." in make_page(tmp_path).text


def test_spatial_only_stands_beside_space_time_of_as_many_numbers(results, tmp_path):
    store(results, tmp_path)
    _, section = make_page(tmp_path).text.split("### Spatial-only against space-time, at equal numbers")
    section, *_ = section.split("### ")
    assert "`klt-1x8x8@4`" in section
    assert "`klt-4x8x8@16`" in section
    assert "`klt-4x8x8@4`" not in section


def test_what_is_not_stored_is_left_out_with_a_sentence(tmp_path):
    page = make_page(tmp_path)
    assert not page.plots
    assert "|" not in page.text
    assert page.text.count("is not there") == page.text.count("\n## ")


def test_every_plot_that_the_page_shows_is_made_and_no_other(results, tmp_path):
    store(results, tmp_path)
    page = make_page(tmp_path)
    assert page.plots
    for place in page.plots:
        assert page.text.count(f"]({place})") == 1
    assert page.text.count("![") == len(page.plots)


def test_runs_of_the_collapse_experiment_are_gathered_over_seeds(tmp_path):
    def run(share, perplexity, psnr):
        tokens = {"share": share, "perplexity": perplexity}
        return {"psnr_db": psnr, "tokens": tokens, "step_cpu_seconds": 0.5}

    figures = {
        "VQ | 1024 | 0": run(0.1, 60.0, 17.0),
        "VQ | 1024 | 1": run(0.2, 80.0, 18.0),
        "FSQ | 65536 | 0": run(0.5, 2000.0, 21.0),
        "FSQ | 1024 | 0": run(1.0, 900.0, 20.0),
    }
    circumstances = {
        "command": "collapse.py DATA",
        "commit": None,
        "date": "2026-11-27",
        "machine": {"cpu": "one", "cores": 2},
    }
    content = {"protocol": "how", "figures": figures, "circumstances": circumstances}
    (tmp_path / "collapse.json").write_text(json.dumps(content))
    page = make_page(tmp_path)
    rows = [line for line in page.text.splitlines() if line.startswith(("| VQ", "| FSQ"))]
    assert rows[0] == (
        "| VQ, 2^10 | 15.0 (10.0 to 20.0) | 70 (60 to 80) | 17.50 (17.00 to 18.00) | 0.50 | 2 |"
    )
    assert [row.split(" | ")[0] for row in rows] == ["| VQ, 2^10", "| FSQ, 2^10", "| FSQ, 2^16"]
    usage = page.plots["figures/collapse-usage.svg"]
    assert [[mark.x for mark in series.marks] for series in usage.series] == [[1024], [1024, 65536]]


def test_the_page_in_the_repository_is_what_the_command_makes():
    if not (STORED / "dev" / "results.json").exists():
        pytest.skip("no evaluation is stored yet")
    page = ROOT / "docs" / "figures.md"
    assert page.read_text(encoding="utf-8") == make_page(STORED).text, "make figures"


def test_stored_figures_name_no_folder_of_the_machine_that_made_them():
    local = re.compile(r"(?<![\w.])/(?:work|tmp|home|root)/|\.\./shared")
    found = {path.name for path in STORED.rglob("*.json") if local.search(path.read_text(encoding="utf-8"))}
    assert not found
