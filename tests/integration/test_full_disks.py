"""A disk that takes no more: every command says so in one line and leaves what was there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import Ended, refused
from test_training import RECIPE

FREE = {"tensorboard"}
"""What other packages write, in bits and without a promise."""


@pytest.fixture
def limited(tmp_path):
    """Run a command whose files may have so many blocks of 512 bytes; in vain, and nothing must be left."""

    def run(blocks: int, *arguments: object) -> Ended:
        script = (
            f'export PYTHONDONTWRITEBYTECODE=1; ulimit -f {blocks}; exec "$@"'  # a cut off .pyc stays broken
        )
        command = ["bash", "-c", script, "bash", sys.executable, "-m", "tubelet", *map(str, arguments)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=100, check=False, cwd=tmp_path
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


def files(folder: Path) -> set[str]:
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {str(path) for path in found if not FREE & set(path.parts)}


@pytest.fixture
def clips(video_file, tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    video_file("a.mkv", frames=20, height=64, width=64).rename(clips / "a.mkv")
    return clips


def test_a_linear_fit(limited, clips, tmp_path):
    arguments = ("fit-klt", clips, "--channels", "4", "--runs", "8", "-o", tmp_path / "klt")
    before = files(tmp_path)
    assert refused(limited(4, *arguments), 1, "no room for", "klt", "Free space first")
    assert files(tmp_path) == before


def test_a_preparation_goes_on_when_there_is_room(limited, clips, tmp_path):
    sizes = ("--crop", "32", "--frames", "5", "--per-clip", "4")
    arguments = ("prepare", clips, *sizes, "-o", tmp_path / "data")
    assert refused(limited(8, *arguments), 1, "no room for", "Free space first")
    assert files(tmp_path / "data") == {"unfinished.jsonl"}
    assert limited(10**6, *arguments).code == 0
    assert files(tmp_path / "data") == {"index.json", "crops-00000.npy"}


def test_an_evaluation_goes_on_when_there_is_room(limited, clips, tmp_path, small_folder):
    system = ("--with", f"{small_folder}@4", "--workers", "1")
    arguments = ("evaluate", clips, *system, "-o", tmp_path / "figures")
    assert refused(limited(1, *arguments), 1, "no room for", "Free space first")
    assert not files(tmp_path / "figures")
    assert limited(10**6, *arguments).code == 0


def test_a_data_set_goes_on_when_there_is_room(limited, clips, tmp_path, small_folder):
    out = tmp_path / "latents"
    arguments = ("encode-dataset", clips, "-o", out, "--tokenizer", small_folder, "--workers", "1")
    assert refused(limited(8, *arguments), 1, "no room for", "Free space first")
    assert not list(out.rglob("*.part")) and not list(out.rglob("*.tar"))
    assert limited(10**6, *arguments).code == 0
    assert files(out / "shards") == {"shard-00000.json", "shard-00000.tar"}


@pytest.mark.slow
def test_a_run_and_its_export(limited, data, tmp_path):
    (tmp_path / "own_recipe.py").write_text(RECIPE)
    run = tmp_path / "run"
    arguments = ("train", "own_recipe:tiny", "--data", data, "-o", run, "--iterations", "2")
    assert refused(limited(8, *arguments), 1, "no room for", "Free space first")
    assert not list(run.glob("*iteration*"))
    shutil.rmtree(run)
    assert limited(10**6, *arguments).code == 0
    before = files(tmp_path)
    assert refused(limited(4, "export-checkpoint", run, "-o", tmp_path / "out"), 1, "no room for", "out")
    assert files(tmp_path) == before


@pytest.mark.parametrize("option", ["--json", "-o"])
def test_figures(limited, clips, tmp_path, small_folder, option):
    clip = clips / "a.mkv"
    arguments = ("compare", clip, clip, "-o", tmp_path / "x.json")
    if option == "--json":
        arguments = ("encode", clip, "-o", tmp_path / "x.tube", "--tokenizer", small_folder)
        arguments = (*arguments, "--json", tmp_path / "x.json")
    before = files(tmp_path)
    assert refused(limited(1, *arguments), 1, "no room for", "x.", "Free space first")
    assert files(tmp_path) == before
