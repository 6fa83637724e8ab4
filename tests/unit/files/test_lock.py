import errno
import os
import signal
import subprocess
import sys

import pytest

from tubelet.errors import OutputError, TubeletWarning
from tubelet.files import leftovers, locked

HOLD = """
import sys, time
from pathlib import Path
from tubelet.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_refused_and_told_whom_to_wait_for(tmp_path, holder):
    with pytest.raises(OutputError, match=rf"{tmp_path} is in use by process {holder.pid} on .* Wait for it"):
        locked(tmp_path).__enter__()


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with locked(tmp_path):
        assert f"process {os.getpid()} on" in (tmp_path / ".tubelet-lock").read_text()
    assert not list(tmp_path.iterdir())


def test_a_lock_keeps_out_the_same_process_too(tmp_path):
    with locked(tmp_path), pytest.raises(OutputError, match=f"process {os.getpid()}"):
        locked(tmp_path).__enter__()
    with locked(tmp_path):
        pass


def test_where_there_are_no_locks_work_goes_on_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(leftovers, "fcntl", None)
    with pytest.warns(TubeletWarning, match="cannot be locked"), locked(tmp_path):
        pass


def test_a_full_disk_leaves_no_lock_behind(tmp_path, monkeypatch):
    def no_room(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", no_room)
    with locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())
