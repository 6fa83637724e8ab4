"""A process that is led by lines of JSON: it answers, is late, or says why it ended."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tubelet.jobs.process import EndedError, LateError, Process


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Let a few lines of Python be the other process."""

    def make(text: str) -> Process:
        path = tmp_path / "program"
        path.write_text(f"#!{sys.executable} -S\nimport json, os, signal, sys, time\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(sys, "executable", str(path))
        return Process("any", [], threads=1)

    return make


def test_a_process_answers_line_by_line_and_may_print_anything_else(program):
    process = program(
        "print('what else there is', file=sys.stderr)\n"
        "print('{}', flush=True)\nfor line in sys.stdin: print(line, end='', flush=True)"
    )
    assert process.answer(patience=30.0) == {}
    assert process.ask({"do": "echo", "name": "\udc80"}) == {"do": "echo", "name": "\udc80"}
    assert process.is_alive
    process.close()
    assert not process.is_alive


def test_a_process_that_takes_too_long_is_ended(program):
    process = program("time.sleep(600)")
    with pytest.raises(LateError, match=r"longer than 0\.2 s"):
        process.answer(patience=0.2)
    process.close()
    assert not process.is_alive


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", f"signal {signal.SIGKILL.value}, .* out of memory"),
        ("raise RuntimeError('first\\nlast')", "status 1: last"),
    ],
)
def test_a_process_that_ended_says_why(program, text, reason):
    process = program(text)
    with pytest.raises(EndedError, match=reason):
        process.ask({"do": "warm"}, patience=30.0)
    process.close()


def test_what_lies_in_the_folder_that_somebody_works_in_is_never_imported(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise RuntimeError('a file of somebody')\n")
    monkeypatch.chdir(tmp_path)
    process = Process("tubelet.jobs.process", [], threads=1)
    with pytest.raises(EndedError, match="status 0"):
        process.answer(patience=60.0)
    process.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are looked up in /proc")
def test_a_process_ends_with_the_one_that_leads_however_that_ends(monkeypatch):
    folder = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")]))
    code = (
        "from tubelet.jobs.process import Process\nimport time\n"
        "process = Process('toy_worker', [], threads=1)\nprocess.answer()\n"
        "print(process._process.pid, flush=True)\ntime.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as leader:
        assert leader.stdout is not None
        led = int(leader.stdout.readline())
        os.kill(led, 0)
        leader.kill()
    status = Path(f"/proc/{led}/stat")
    for _ in range(200):
        # Whoever inherits it may not have looked at it yet: then it is a zombie.
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the process is still there")
