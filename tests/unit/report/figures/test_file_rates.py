"""The page of rate and distortion of files says what is stored, and what is not there."""

import json
from pathlib import Path

import pytest

from tubelet.report.figures.file_rates import FILES, OTHER_WEIGHTS, file_rates
from tubelet.report.figures.parts import STORED

ROOT = Path(__file__).parents[4]


def point(psnr, bits, tables=None):
    tables = {} if tables is None else {"bits_per_pixel_by_tables": tables}
    return {
        "psnr_db": psnr,
        "ms_ssim": 1 - 10 ** (-psnr / 30),
        "vmaf": 2 * psnr,
        "bits_per_pixel": bits,
    } | tables


def clip(motion, *, placed):
    """The prior halves bits; a quality halves those again; x264 takes an eighth."""
    uniform = {f"@{k}": point(20.0 + k / 4, 0.01 * k, 0.02 * k) for k in (4, 8, 16, 32)}
    quality = {f"quality={k}": point(20.0 + k / 4, 0.005 * k, 0.01 * k) for k in (4, 8, 16, 32)}
    codec = {f"x264:crf={k}": point(20.0 + k / 4, 0.0025 * k) for k in (4, 8, 16, 32)}
    points = uniform | quality | {"budget=8": point(placed, 0.1, 0.2)} | codec
    return {"motion": motion, "shape": [33, 256, 256], "points": points}


@pytest.fixture
def stored(tmp_path):
    """Two clips at short side 256, and no whole frames."""
    content = {
        "protocol": "how",
        "figures": {"clips": {"a.mp4": clip("low", placed=25.0), "b.mp4": clip("high", placed=23.0)}},
        "circumstances": {
            "command": "rate_distortion.py CLIPS",
            "commit": None,
            "date": "2026-11-29",
            "machine": {"cpu": "one", "cores": 2},
        },
    }
    name, _ = FILES["Everyday clips"]
    (tmp_path / name).write_text(json.dumps(content))
    return tmp_path


def test_bits_are_compared_with_uniform_channels_by_tables(stored):
    page = file_rates(stored)
    assert "| uniform channels, prior | 4 | -50.0 % | -50.0 % | -50.0 % |" in page.text
    assert "| quality (budgets, rounding), tables | 4 | -50.0 % | -50.0 % | -50.0 % |" in page.text
    assert "| quality (budgets, rounding), prior | 4 | -75.0 % | -75.0 % | -75.0 % |" in page.text
    assert "| high | 1 | -75.0 % | +100.0 % |" in page.text


def test_a_budget_is_as_good_where_it_reaches_sixteen_everywhere(stored):
    assert "as good as sixteen everywhere on 1 of 2 clips" in file_rates(stored).text.replace("\n", " ")


def test_another_weighting_is_a_curve_of_its_own_and_of_qualities_alone(stored):
    path = stored / FILES["Everyday clips"][0]
    content = json.loads(path.read_text())
    for each in content["figures"]["clips"].values():
        points = each["points"]
        others = {f"{name},alike": points[name] for name in points if name.startswith("quality")}
        points |= others | {"budget=8,alike": point(10.0, 0.2)}
    path.write_text(json.dumps(content))
    page = file_rates(stored).text
    assert "| quality (budgets, rounding), prior | 4 | -75.0 % |" in page
    assert "| quality by squared errors alone, prior | 4 | -75.0 % |" in page
    assert "quality by squared errors alone, prior: quality=8 |" in page


def test_another_tokenizer_is_a_curve_beside_those_of_the_same_clips(stored):
    name = FILES["Everyday clips"][0]
    content = json.loads((stored / name).read_text())
    for each in content["figures"]["clips"].values():
        halved = {k: v | {"bits_per_pixel": v["bits_per_pixel"] / 2} for k, v in each["points"].items()}
        each["points"] = {k: v for k, v in halved.items() if not k.startswith("x264")}
    other, tokenizer = OTHER_WEIGHTS[name]
    (stored / other).write_text(json.dumps(content))
    page = file_rates(stored).text
    assert f"| {tokenizer} by quality, prior | 4 | -87.5 % | -87.5 % | -87.5 % |" in page
    assert "| quality (budgets, rounding), prior | 4 | -75.0 % | -75.0 % | -75.0 % |" in page
    assert f"By `{tokenizer}` a budget of eight is as good as sixteen everywhere on 1 of 2" in page
    (stored / other).unlink()
    assert f"--tokenizer {tokenizer}` makes it" in file_rates(stored).text


def test_points_that_not_all_clips_have_are_left_out(stored):
    path = stored / FILES["Everyday clips"][0]
    content = json.loads(path.read_text())
    del content["figures"]["clips"]["a.mp4"]["points"]["budget=8"]
    path.write_text(json.dumps(content))
    page = file_rates(stored)
    assert "budget=8" not in page.text
    assert "`tubelet-m` was not measured." in page.text


def test_what_is_not_stored_is_said_with_the_command_that_makes_it(tmp_path):
    page = file_rates(tmp_path)
    assert not page.plots
    for name, arguments in FILES.values():
        assert f"`{STORED}/{name}` is not there" in page.text
        assert arguments in page.text.replace("\n", " ")


def test_the_page_in_the_repository_is_what_the_command_makes():
    page = ROOT / "docs" / "rate-distortion.md"
    assert page.read_text(encoding="utf-8") == file_rates(ROOT / STORED).text, "make figures"
