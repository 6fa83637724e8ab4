"""The model zoo has a row for all that is shipped, and its figures come from stored results."""

import json
from pathlib import Path
from statistics import fmean

import pytest

from tubelet.checkpoint import read_continuous, shipped
from tubelet.models.table import base_config
from tubelet.report import zoo
from tubelet.report.figures.parts import STORED
from tubelet.report.shipped import describe
from tubelet.tokenizers.save import fingerprint

ROOT = Path(__file__).parents[3]


@pytest.fixture
def text(monkeypatch):
    monkeypatch.chdir(ROOT)
    return zoo.zoo_text(Path(STORED))


def row(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |") and "card.md" in line]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_all_that_is_shipped_has_a_row_and_a_card(text):
    generators = [path.parent.name for path in (ROOT / zoo.GENERATORS).glob("*/config.json")]
    for name in [*shipped(), *generators]:
        cells = row(text, name)
        assert cells[-2] == "apache-2.0"
        assert (ROOT / "docs" / cells[-1].removeprefix("[card](").removesuffix(")")).is_file()
        assert row((ROOT / "docs" / "zoo.md").read_text(encoding="utf-8"), name)


def test_quality_is_the_mean_over_the_stored_clips(text):
    stored = json.loads((ROOT / STORED / "dev" / "results.json").read_text(encoding="utf-8"))
    clips = stored["figures"]["systems"]["tubelet-m@16"]["clips"].values()
    psnr = fmean(clip["figures"]["psnr_db"] for clip in clips)
    assert f"{psnr:.2f}" in row(text, "tubelet-m")
    assert "16 channels" in row(text, "tubelet-m")
    assert "tokens" in row(text, "tubelet-fsq")


def test_what_is_not_stored_is_absent(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    cells = row(zoo.zoo_text(tmp_path), "tubelet-m")
    assert cells[4:9] == ["-"] * 5


def test_a_tokenizer_is_described_by_its_configuration():
    found = describe("tubelet-m")
    assert (found.stride, found.channels, found.gives) == ([4, 8, 8], 64, "latents")
    assert found.numbers_in_per_number_out == 12
    assert found.million_weights == pytest.approx(6.54, abs=0.01)
    assert found.mflop_per_pixel == pytest.approx(0.0524, abs=1e-4)


def test_a_flow_without_a_step_has_the_figures_of_what_it_refines(text):
    for name, other in zoo.SAME_FRAMES.items():
        refines, refined = read_continuous(name), read_continuous(other)
        base = base_config(refines.tokenizer.config)
        assert fingerprint(base, refines.tokenizer.model.base.state_dict()) == refined.sha256
        assert row(text, name)[4:8] == row(text, other)[4:8]
