"""A run whose files are damaged goes on, is exported and told about, or is refused by name."""

import json
import shutil
import warnings
from contextlib import suppress

import numpy as np
import pytest
from mutations import changed, changed_lines

from tubelet.cli.contents import facts_of
from tubelet.cli.main import main
from tubelet.errors import TrainingError, TubeletError, TubeletWarning
from tubelet.train.journal import Journal, read_log
from tubelet.train.tokenizer.export import export_run

FILES = ("run.json", "log.jsonl", "iteration-*/numbers.json")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A run of two iterations with a checkpoint."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    options = [
        "--model.width",
        "16",
        "--model.encoder_blocks",
        "1",
        "--model.decoder_blocks",
        "1",
        "--stages.0.batch",
        "2",
    ]
    sizes = [word for n in range(3) for word in (f"--stages.{n}.side", "16", f"--stages.{n}.frames", "5")]
    batches = [word for n in range(3) for word in (f"--stages.{n}.batch", "2")]
    command = ["train", "s", "--data", str(data), "-o", str(folder), "--iterations", "2"]
    assert main([*command, *options, *sizes, *batches]) == 0
    return folder


@pytest.fixture
def folder(run, tmp_path):
    return shutil.copytree(run, tmp_path / "run")


def damage(folder, pattern: str, random: np.random.Generator) -> None:
    path = sorted(folder.glob(pattern))[-1]
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        path.write_bytes(changed_lines(text, random))
    else:
        path.write_text(json.dumps(changed(json.loads(text), random)))


def try_all(folder, target) -> None:
    """Tell about a run, export it, and read its log as going on does."""
    for do in (
        lambda: facts_of(folder),
        lambda: export_run(folder, target, force=True),
        lambda: Journal(folder, first=2, writes=True).__exit__(None, None, None),
    ):
        with warnings.catch_warnings(), suppress(TubeletError):
            warnings.simplefilter("ignore", TubeletWarning)
            do()


@pytest.mark.parametrize("pattern", FILES)
def test_no_change_of_a_file_of_a_run_is_a_crash(folder, run, tmp_path, pattern):
    random = np.random.default_rng(0)
    path = sorted(run.glob(pattern))[-1]
    for _ in range(3):
        shutil.copy(path, folder / path.relative_to(run))
        damage(folder, pattern, random)
        try_all(folder, tmp_path / "made")


@pytest.mark.slow
@pytest.mark.parametrize("pattern", FILES)
def test_no_change_of_many_is_a_crash(folder, run, tmp_path, pattern):
    random = np.random.default_rng(1)
    path = sorted(run.glob(pattern))[-1]
    for _ in range(3000):
        shutil.copy(path, folder / path.relative_to(run))
        damage(folder, pattern, random)
        try_all(folder, tmp_path / "made")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"config": 3}', "\x00" * 100, '{"config": {"model": []}}']
)
def test_a_damaged_run_file_is_named(folder, tmp_path, content):
    (folder / "run.json").write_text(content)
    for do in (lambda: facts_of(folder), lambda: export_run(folder, tmp_path / "made")):
        with pytest.raises(TrainingError, match=r"run\.json is damaged"):
            do()


@pytest.mark.parametrize(
    "line", [b"[]\n", b"{}\n", b"\xff\xfe\n", b'{"iteration": "x"}\n', b"3\n", b"[" * 100_000 + b"\n"]
)
def test_a_damaged_line_of_a_log_is_left_out_and_the_others_stay(folder, line):
    path = folder / "log.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + line + second)
    with pytest.warns(TubeletWarning, match=r"line 2 of .*log\.jsonl is damaged"):
        assert [each["iteration"] for each in read_log(folder)] == [1, 2]


def test_a_line_that_a_kill_cut_off_is_left_out_silently(folder):
    path = folder / "log.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert [each["iteration"] for each in read_log(folder)] == [1]
