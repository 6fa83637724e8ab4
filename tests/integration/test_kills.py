"""Commands that are killed at any moment leave nothing half-written, and nothing behind the next run.

``pytest -m slow tests/integration/test_kills.py --kills 200``
"""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from test_training import RECIPE

from tubelet import checkpoint
from tubelet.bitstream.reader import TubeReader
from tubelet.cli.main import main
from tubelet.codec.tokens.array import read_token_array
from tubelet.codec.tokens.table import TokenTable
from tubelet.data.crops import open_crops
from tubelet.train.journal import read_log
from tubelet.train.state import checkpoints
from tubelet.video.read import read


class Command(NamedTuple):
    """A command that writes.

    Attributes:
        arguments: of the command; ``OUT`` stands for a folder of its own.
        again: what the next run is given in addition.
        fresh: whether it begins without a result; others replace one with ``--force``.
    """

    arguments: tuple[object, ...]
    again: tuple[str, ...] = ("--force",)
    fresh: bool = False


def in_child(arguments: Sequence[object], log: Path) -> int:
    """Start a command in a copy of this process; give its id."""
    child = os.fork()
    if not child:
        code = 70
        try:
            said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(said, 1)
            os.dup2(said, 2)
            code = main([str(each) for each in arguments])
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def check_tube(path: Path) -> None:
    with TubeReader(path) as reader:
        assert reader.complete


def check_film(path: Path) -> None:
    assert sum(len(run.frames) for run in read(path)) == 9


def check_table(path: Path) -> None:
    with TokenTable(path) as table:
        assert len(list(table)) == 1


def check_page(path: Path) -> None:
    assert path.read_text().rstrip().endswith("</html>")


CHECKS: dict[str, Callable[[Path], object]] = {
    ".tube": check_tube,
    ".mkv": check_film,
    ".mp4": check_film,
    ".npz": read_token_array,
    ".parquet": check_table,
    ".json": lambda path: json.loads(path.read_text()),
    ".html": check_page,
    ".safetensors": lambda path: (
        checkpoint.architecture(path.parent) == "discrete" or checkpoint.load(path.parent)
    ),
}


def check_whole(folder: Path) -> None:
    """Whatever has its name is whole; what a run or a preparation is made of is asked for as one."""
    if (folder / "run.json").exists():
        for each in checkpoints(folder):
            json.loads((each / "numbers.json").read_text())
        return
    if (folder / "index.json").exists():
        open_crops(folder)
        return
    for path in folder.rglob("*"):
        hidden = any(name.startswith(".") for name in path.relative_to(folder).parts)
        if path.is_file() and not hidden and path.suffix in CHECKS:
            CHECKS[path.suffix](path)


def shown(folder: Path) -> set[str]:
    """Names of all files, but for those of TensorBoard, which tell the time."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return {name for name in found if "tensorboard" not in name}


@pytest.fixture
def commands(tmp_path, video_file, small_folder, token_folder, data, monkeypatch) -> dict[str, Command]:
    """Every command that writes, on tiny inputs."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_recipe.py").write_text(RECIPE)
    clip = video_file("clip.mkv", height=32, width=32)
    clips = tmp_path / "clips"
    clips.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (9, 64, 64, 3), np.uint8)
        np.save(clips / f"{number}.npy", noise)
    small, tokens = ("--tokenizer", small_folder), ("--tokenizer", token_folder)
    made = {name: tmp_path / name for name in ("made.tube", "made.npz", "figures", "run")}
    system = ("--with", f"{small_folder}@4", "--workers", 1, "--keep-videos", 1)
    train = ("train", "own_recipe:tiny", "--data", data, "--iterations", 4)
    for arguments in (
        ("encode", clip, "-o", made["made.tube"], *small),
        ("tokenize", clip, "-o", made["made.npz"], *tokens),
        ("evaluate", clips, *system, "-o", made["figures"]),
        (*train, "-o", made["run"]),
    ):
        assert ended(in_child(arguments, tmp_path / "log")) == 0, (tmp_path / "log").read_text()
    sizes = ("--crop", 16, "--frames", 5, "--per-clip", 2)
    return {
        "encode": Command(("encode", clip, "-o", "OUT/x.tube", "--json", "OUT/x.json", *small)),
        "decode": Command(("decode", made["made.tube"], "-o", "OUT/x.mkv", *small)),
        "reconstruct": Command(("reconstruct", clip, "-o", "OUT/x.mp4", "--json", "OUT/x.json", *small)),
        "tokenize": Command(("tokenize", clip, "-o", "OUT/x.npz", *tokens)),
        "tokenize into a table": Command(("tokenize", clip, "-o", "OUT/x.parquet", *tokens)),
        "detokenize": Command(("detokenize", made["made.npz"], "-o", "OUT/x.mkv", *tokens)),
        "compare": Command(("compare", clip, clip, "-o", "OUT/x.json")),
        "fit-klt": Command(("fit-klt", clips, "-o", "OUT/klt", "--channels", 4, "--runs", 8)),
        "export-checkpoint": Command(("export-checkpoint", made["run"], "-o", "OUT/exported")),
        "report": Command(("report", made["figures"], "-o", "OUT/x.html")),
        "prepare": Command(("prepare", clips, "-o", "OUT", *sizes), again=(), fresh=True),
        "prepare again": Command(("prepare", clips, "-o", "OUT", *sizes)),
        "evaluate": Command(("evaluate", clips, *system, "-o", "OUT"), again=(), fresh=True),
        "train": Command((*train, "-o", "OUT"), again=("--resume",), fresh=True),
    }


@pytest.mark.slow
def test_commands_that_are_killed_leave_nothing_half_written(commands, tmp_path, request):
    kills = request.config.getoption("--kills")
    generator = random.Random(0)
    log, out, whole = tmp_path / "log", tmp_path / "out", tmp_path / "whole"
    landed = 0
    for number in range(kills):
        name, command = list(commands.items())[number % len(commands)]
        arguments = [str(each).replace("OUT", str(out)) for each in command.arguments]
        first = whole / name
        if not first.exists():
            # How long it takes, and what it leaves, when nobody kills it.
            out.mkdir()
            began = time.monotonic()
            assert ended(in_child(arguments, log)) == 0, log.read_text()
            (tmp_path / f"{name} took").write_text(str(time.monotonic() - began))
            shutil.copytree(out, first)
            shutil.rmtree(out)
        seconds = float((tmp_path / f"{name} took").read_text())
        before = [] if command.fresh else command.again
        shutil.copytree(first, out) if before else out.mkdir()
        child = in_child([*arguments, *before], log)
        time.sleep(generator.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        landed += ended(child) == -signal.SIGKILL
        check_whole(out)
        again = in_child([*arguments, *command.again], log)
        assert ended(again) == 0, f"{name}: {log.read_text()}"
        check_whole(out)
        if name == "train":
            assert [line["iteration"] for line in read_log(out)] == [1, 2, 3, 4]
        assert shown(out) == shown(first), name
        shutil.rmtree(out)
    assert landed > kills / 2, f"only {landed} of {kills} kills came before the end of the command"
