import os
import signal
import subprocess
import sys

import pytest

from tubelet.files import check_target, replacing, replacing_folder
from tubelet.files.leftovers import sweep

WRITE = """
import sys, time
from pathlib import Path
from tubelet.files import replacing, replacing_folder
folder = Path(sys.argv[1])
with (
    replacing(folder / "a.bin", force=False) as one,
    replacing_folder(folder / "b", holds=(), force=False) as two,
):
    one.write_bytes(b"half")
    (two / "half").touch()
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_what_a_killed_process_left_is_removed_by_the_next_run(tmp_path, writer):
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert len(list(tmp_path.iterdir())) == 2
    check_target(tmp_path / "other.bin", force=False)
    assert not list(tmp_path.iterdir())


def test_what_a_living_process_writes_is_left_alone(tmp_path, writer):
    before = sorted(tmp_path.iterdir())
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    assert len(before) == 2


def test_what_this_process_writes_is_left_alone(tmp_path):
    with replacing(tmp_path / "a", force=False), replacing_folder(tmp_path / "b", holds=(), force=False):
        sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize("name", ["x.part", ".x.part", ".x.12345678.part", "x.tubelet-12345678.part.mp4"])
def test_other_peoples_files_are_left_alone(tmp_path, name):
    (tmp_path / name).touch()
    sweep(tmp_path)
    assert (tmp_path / name).exists()


def test_what_only_has_such_a_name_does_no_harm(tmp_path):
    os.mkfifo(tmp_path / ".x.tubelet-12345678.part.mp4")
    (tmp_path / "kept").touch()
    (tmp_path / ".y.tubelet-12345678.part").symlink_to("kept")
    sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
