"""Another process, seen from the one that leads: lines of JSON go in, and each has an answer."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any

_SOURCES = Path(__file__).parents[2]
"""Where the package lies that the other process imports too."""


class EndedError(Exception):
    """The process has ended; the text says how."""


class LateError(EndedError):
    """An answer took longer than there was patience, and the process was ended."""


class Process:
    """A process that serves (`tubelet.jobs.serving`).

    It is started at once and says nothing before `answer` is called, so that several can start together. It
    ends with the process that leads, however that ends.

    Args:
        module: what it runs.
        arguments: what that is told.
        threads: how many each of its libraries may use.
    """

    def __init__(self, module: str, arguments: Sequence[str], *, threads: int) -> None:
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        paths = [str(_SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            # The folder that somebody works in holds no modules of ours.
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(paths)},
            # Ctrl-C ends the process that leads, and that one ends this.
            start_new_session=True,
        )

    @property
    def is_alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], *, patience: float | None = None) -> dict[str, Any]:
        """Send a request, and wait for the answer.

        Args:
            request: as JSON holds it.
            patience: seconds; none waits as long as it takes.

        Raises:
            LateError: it took longer than `patience` seconds.
            EndedError: it has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # There is no answer either, and that is told.
        return self.answer(patience=patience)

    def answer(self, *, patience: float | None = None) -> dict[str, Any]:
        """Wait for the next answer; the first one tells that the process is ready.

        Raises:
            LateError: as `ask`.
            EndedError: as `ask`.
        """
        assert self._process.stdout is not None
        began = time.monotonic()
        timer = None if patience is None else Timer(patience, self._process.kill)
        if timer is not None:
            timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            if timer is not None:
                timer.cancel()
        if line:
            return json.loads(line)
        if patience is not None and time.monotonic() - began >= patience:
            raise LateError(f"it took longer than {patience:g} s")
        raise EndedError(self._end())

    def kill(self) -> None:
        """End it, whatever it does; whoever waits for an answer learns of it."""
        self._process.kill()

    def close(self) -> None:
        """End it, and free what belongs to it."""
        self._process.kill()
        # Waits, and closes the pipes; what an ended process was asked and never read is lost.
        with suppress(BrokenPipeError), self._process:
            self._said.close()

    def _end(self) -> str:
        """Why it ended by itself."""
        status = self._process.wait()
        if status < 0:
            return f"its process was ended by signal {-status}, as a system does that is out of memory"
        self._said.seek(0)
        last = self._said.read().strip().rpartition("\n")[2]
        return f"its process ended with status {status}: {last}"
