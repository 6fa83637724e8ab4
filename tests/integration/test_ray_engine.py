"""`tubelet encode-dataset --engine ray`: actors, one of which is killed, give the bytes of processes."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ray", reason="the extra `ray` is not installed")


def encode(clips, out, tokenizer, *more):
    command = [sys.executable, "-m", "tubelet", "encode-dataset", clips, "-o", out, "--tokenizer", tokenizer]
    return subprocess.Popen([str(word) for word in (*command, "--workers", 2, *more)])


def actors_of(driver: int) -> list[int]:
    """Actors below a process; Ray gives each a name of its own."""
    found, waiting = [], [driver]
    while waiting:
        number = waiting.pop()
        for path in Path(f"/proc/{number}/task").glob("*/children"):
            waiting += map(int, path.read_text().split())
        # Some of what Ray begins ends again at once.
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"BulkActor" in Path(f"/proc/{number}/cmdline").read_bytes():
                found.append(number)
    return found


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "shards").iterdir())}


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are looked up in /proc")
def test_two_actors_one_of_which_is_killed_give_the_bytes_of_processes(tmp_path, small_folder):
    (tmp_path / "clips").mkdir()
    for number in range(40):
        frames = np.random.default_rng(number).integers(0, 256, (33, 128, 128, 3), np.uint8)
        np.save(tmp_path / "clips" / f"{number:02d}.npy", frames)
    driver = encode(tmp_path / "clips", tmp_path / "ray", small_folder, "--engine", "ray")
    while not list(tmp_path.glob("ray/work/*/*.part")) and driver.poll() is None:
        time.sleep(0.01)
    assert driver.poll() is None, "it ended early; Ray gives a machine half a minute to begin"
    os.kill(actors_of(driver.pid)[0], signal.SIGKILL)
    assert driver.wait() == 0
    assert encode(tmp_path / "clips", tmp_path / "local", small_folder).wait() == 0
    assert shards(tmp_path / "ray") == shards(tmp_path / "local")
    assert not (tmp_path / "ray" / "errors.jsonl").exists()
