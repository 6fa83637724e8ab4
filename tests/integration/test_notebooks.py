"""The notebooks of examples/ run from their first cell to their last, at a small size."""

import json
import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

SMALL = {
    "first-steps": {"FRAMES": 9, "HEIGHT": 32, "WIDTH": 48},
    "train-your-own": {"CLIPS": 2, "ITERATIONS": 2},
    "tokens-and-a-generator": {
        "CLIPS": 4,
        "ITERATIONS": 2,
        "WIDTH": 32,
        "SCENES": 40,
        "SECONDS": 1,
        "PROMPTS": 2,
    },
}
"""What the first cell of each sets, and to what the tests set it."""

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples are beside the sources alone")


def cells(name: str, kind: str) -> list[str]:
    content = json.loads((EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == kind]


def test_every_notebook_is_run():
    assert {path.stem for path in EXAMPLES.glob("*.ipynb")} == SMALL.keys()


@pytest.mark.parametrize("name", SMALL)
def test_a_notebook_is_stored_without_outputs_and_begins_with_its_title(name):
    content = json.loads((EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    for cell in content["cells"]:
        assert cell["cell_type"] != "code" or (cell["outputs"], cell["execution_count"]) == ([], None)
    assert cells(name, "markdown")[0].startswith("# ")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the generator reads")
@pytest.mark.parametrize("name", SMALL)
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    settings, *rest = cells(name, "code")
    for constant, value in SMALL[name].items():
        settings, found = re.subn(
            rf"^{constant} = \d+$", f"{constant} = {value}", settings, flags=re.MULTILINE
        )
        assert found == 1
    space: dict[str, object] = {}
    for code in [settings, *rest]:
        exec(compile(code, f"{name}.ipynb", "exec"), space)
    assert any((tmp_path / name).iterdir())
