"""The blocks of Python in the README and in the guides run, page by page, with any clip."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DIFFUSERS = DOCS / "guides" / "diffusers.md"
MODELS = DOCS / "guides" / "models.md"
CLIP = '"demo/made-from-photographs.mkv"'

PAGES = [
    ROOT / "README.md",
    DOCS / "start" / "first-latent.md",
    *(
        DOCS / "guides" / f"{name}.md"
        for name in ("streams", "budgets", "tokens", "evaluate", "fine-tune", "predict", "structure", "flow")
    ),
]
"""Pages whose blocks of one page run one after the other."""

WRITTEN = {"streams": {"state.safetensors", "clip.tube", "part.mp4"}, "tokens": {"clips.parquet"}}
"""The files that the blocks of a page leave in the folder out."""

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the pages are beside the sources alone")


def blocks(page: Path) -> list[str]:
    return re.findall(
        r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
@pytest.mark.parametrize(
    ("name", "frames", "height", "width"),
    [("still.png", 1, 24, 40), ("short.mkv", 2, 7, 9), ("odd.mkv", 13, 33, 17), ("long.mp4", 41, 48, 64)],
)
def test_the_blocks_run_on_any_clip(video_file, tmp_path, monkeypatch, name, frames, height, width, page):
    clip = video_file(name, frames=frames, height=height, width=width)
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(page))
    given = code.replace(CLIP, repr(str(clip)))
    assert given != code
    exec(compile(given, str(page), "exec"), {})
    assert {path.name for path in (tmp_path / "out").glob("*.*")} == WRITTEN.get(page.stem, set())


def test_no_block_knows_the_size_of_a_clip():
    code = "\n".join(re.sub(r"#.*", "", block) for page in PAGES for block in blocks(page))
    assert not re.findall(r"\b(9, 45, 80|45|80|360|640)\b", code)


def test_the_pipeline_of_diffusers_runs(tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in blocks(DIFFUSERS) if "WanPipeline" in block]
    exec(compile(block, str(DIFFUSERS), "exec"), {})
    assert (tmp_path / "folder" / "config.json").is_file()


def test_a_model_of_your_own_keeps_the_laws_in_sixty_lines(capsys):
    (block,) = blocks(MODELS)
    model = block[block.index("CELL =") : block.index("# It trains")]
    assert len([line for line in model.splitlines() if line.strip()]) <= 60
    exec(compile(block, str(MODELS), "exec"), {})
    assert capsys.readouterr().out == "{'colour': (1, 3, 4, 4, 5), 'detail': (1, 16, 4, 8, 10)}\n"
