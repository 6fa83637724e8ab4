"""The page of generated clips: what is on it, and what it makes of text that looks like HTML."""

import json
import re

import numpy as np
import pytest

from tubelet.cli.main import main
from tubelet.errors import ResultsError
from tubelet.generate.evaluation.clip_sets import strip_of
from tubelet.generate.evaluation.evaluate import PROTOCOL
from tubelet.report.generations import PROTOCOLS, read_generations, write_gallery

SHARES = {"colour": 1.0, "shape": 0.5, "all": 0.25}


def clip(number, *, right=1.0, strip=True):
    frames = np.full((17, 16, 16, 3), 40 * number, np.uint8)
    found = {"colour": "red", "shape": "circle", "direction": "", "speed": 0.5, "fit": 1.0, "seen": 1.0}
    facts = {"prompt": f"clip {number} <b>", "seed": number, "right": {"colour": 1.0, "shape": right}}
    return facts | {"found": [found] if number else []} | ({"strip": strip_of(frames)} if strip else {})


@pytest.fixture
def content():
    kind = {
        "right": SHARES,
        "floor": SHARES,
        "ceiling": SHARES,
        "clips": [clip(0), clip(1, right=0.0), clip(2, strip=False)],
    }
    models = {"mine & yours": {"sha256": "0", "sampling": {"steps": 3}, "seen": kind, "held-out": kind}}
    return {"protocol": PROTOCOL, "figures": {"models": models}, "circumstances": {"command": "<script>"}}


@pytest.fixture
def stored(content, tmp_path):
    path = tmp_path / "generation.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_command_writes_a_page_of_clips_with_what_is_wrong(stored, tmp_path, capsys):
    target = tmp_path / "page.html"
    assert main(["report", str(stored), "-o", str(target), "--title", "A & B"]) == 0
    assert "clips: 4" in capsys.readouterr().out
    page = target.read_text(encoding="utf-8")
    assert page.count("<figure") == page.count("data:image/jpeg") == 4
    assert page.count("wrong: shape") == page.count("all right") == 2
    assert "clip 1 &lt;b&gt; <small>(seed 1)</small>" in page
    assert "found: red circle, still, speed 0.50" in page
    assert "found: nothing" in page
    assert "<td>50.0 %</td>" in page
    assert "<h1>A &amp; B</h1>" in page
    assert "mine &amp; yours" in page
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert main(["report", str(stored), "-o", str(target)]) == 1
    assert main(["report", str(stored), "-o", str(tmp_path / "page.pdf")]) == 2


def test_results_without_strips_have_figures_alone(content, tmp_path):
    for kind in ("seen", "held-out"):
        content["figures"]["models"]["mine & yours"][kind]["clips"] = [clip(1, strip=False)]
    path = tmp_path / "generation.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert write_gallery(read_generations(path), tmp_path / "page.html", force=False) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("strip", "bm8="), ("strip", "?"), ("prompt", 3), ("right", [1]), ("found", [{"colour": "red"}])],
)
def test_damaged_clips_are_named(content, tmp_path, name, value):
    content["figures"]["models"]["mine & yours"]["seen"]["clips"][0][name] = value
    path = tmp_path / "generation.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ResultsError, match="holds no results of generators"):
        read_generations(path)


def test_other_results_are_refused(content, tmp_path):
    path = tmp_path / "other.json"
    for text in ("{", "[]", json.dumps(content | {"protocol": "short256x33"})):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ResultsError, match="Give what `tubelet evaluate-generation` wrote"):
            read_generations(path)


def test_what_the_evaluation_writes_is_what_the_page_reads():
    assert PROTOCOL.partition(":")[0] in PROTOCOLS
