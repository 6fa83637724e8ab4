"""Signals and kills: what stops a command, what it says then, and what ends with it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import PATIENCE
from test_training import RECIPE

from tubelet.train.journal import read_log
from tubelet.train.state import checkpoints
from tubelet.train.tokenizer.export import export_run


@pytest.fixture
def start(tmp_path):
    """Start a command in a process of its own, which ends with the test."""
    (tmp_path / "own_recipe.py").write_text(RECIPE)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    started: list[subprocess.Popen] = []

    def launch(*arguments: object) -> subprocess.Popen:
        command = [sys.executable, "-m", "tubelet", *map(str, arguments)]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
        started.append(subprocess.Popen(command, **options))
        return started[-1]

    yield launch
    for process in started:
        process.kill()
        process.communicate()


def wait_for(condition, process: subprocess.Popen | None = None) -> None:
    """Wait, as long as there may be hope: while the process lives that is to bring it about."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None or condition(), process.communicate()
        time.sleep(0.02)


def training(start, data, run, *more):
    return start("train", "own_recipe:tiny", "--data", data, "-o", run, "--iterations", "100000", *more)


SLOWER = [pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGINT, signal.SIGHUP)]


@pytest.mark.parametrize("number", [signal.SIGTERM, *SLOWER])
def test_a_run_that_is_stopped_is_not_done(start, data, tmp_path, number):
    run = tmp_path / "run"
    process = training(start, data, run)
    wait_for(lambda: checkpoints(run), process)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "use it" not in out
    last = err.splitlines()[-1]
    assert last.startswith("tubelet: error: stopped after ") and last.endswith("command and --resume.")
    assert (
        read_log(run)[-1]["iteration"]
        == json.loads((checkpoints(run)[-1] / "numbers.json").read_text())["iteration"]
    )
    with pytest.warns(match=r"run is not finished: it stopped at 0% .* \(not annealed\)"):
        export_run(run, tmp_path / "exported")
    assert "- **Not finished**: it stopped at 0%" in (tmp_path / "exported" / "card.md").read_text()


@pytest.mark.slow
def test_a_second_run_in_a_folder_is_refused_while_the_first_lives(start, data, tmp_path):
    run = tmp_path / "run"
    first = training(start, data, run)
    wait_for(lambda: checkpoints(run), first)
    second = training(start, data, run, "--force")
    _, err = second.communicate(timeout=PATIENCE)
    assert second.returncode == 1
    assert f"{run} is in use by process {first.pid} on" in err
    first.kill()
    first.wait()
    third = training(start, data, run, "--resume")
    before = checkpoints(run)[-1]
    wait_for(lambda: checkpoints(run)[-1] != before, third)
    assert third.poll() is None


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found in /proc")
def test_workers_of_an_evaluation_end_with_it(start, tmp_path, small_folder):
    clips = tmp_path / "clips"
    clips.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (33, 256, 256, 3), np.uint8)
    for number in range(6):
        np.save(clips / f"{number}.npy", noise + number)
    arguments = (clips, "--with", f"{small_folder}@4", "--workers", 2, "-o", tmp_path / "figures")
    process = start("evaluate", *arguments)
    wait_for(lambda: list((tmp_path / "figures").glob("parts/*.json")), process)
    workers = children(process.pid)
    assert len(workers) >= 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not any(alive(worker) for worker in workers))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found in /proc")
def test_workers_of_a_benchmark_end_with_it(start, tmp_path, small_folder):
    sizes = ("--sizes", "512x512", "--frames", 65, "--formats", "float32", "--rounds", 100)
    process = start("bench", "--with", small_folder, *sizes, "-o", tmp_path / "bench.json")
    wait_for(lambda: children(process.pid), process)
    workers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not any(alive(worker) for worker in workers))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
