"""A worker, seen from the process that leads."""

import json
import os
import subprocess
import sys
import tempfile
import time
from threading import Timer
from typing import Any

from tubelet.errors import OptionError
from tubelet.evaluate.cases import AbsentError, LateError
from tubelet.evaluate.speed.grid import Variant


class Process:
    """A process that measures one variant (`tubelet.evaluate.speed.worker`).

    It is started at once and says nothing before `answer` is called, so that several can start together.

    Args:
        variant: what it measures.
        device: where it computes.
        threads: with how many.
    """

    def __init__(self, variant: Variant, *, device: str, threads: int) -> None:
        command = [sys.executable, "-m", "tubelet.evaluate.speed.worker"]
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [*command, json.dumps(variant), device, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            # Ctrl-C ends the process that leads, and that one ends this.
            start_new_session=True,
        )

    @property
    def is_alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], *, patience: float) -> dict[str, Any]:
        """Send a request, and wait for the answer.

        Raises:
            LateError: it took longer than `patience` seconds, and was ended.
            AbsentError: it cannot do that, or has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # There is no answer either, and that is told.
        return self.answer(patience=patience)

    def answer(self, *, patience: float) -> dict[str, Any]:
        """Wait for the next answer; the first one tells that the process is ready.

        Raises:
            OptionError: the variant's text names nothing.
            LateError: as `ask`.
            AbsentError: as `ask`.
        """
        assert self._process.stdout is not None
        timer = Timer(patience, self._process.kill)
        began = time.monotonic()
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            if time.monotonic() - began >= patience:
                raise LateError(f"it took longer than {patience:g} s")
            raise AbsentError(self._end())
        answer = json.loads(line)
        if "refused" in answer:
            raise OptionError(answer["refused"])
        if "absent" in answer:
            raise AbsentError(answer["absent"])
        return answer

    def close(self) -> None:
        """End it."""
        self._process.kill()
        # Waits, and closes the pipes.
        with self._process:
            self._said.close()

    def _end(self) -> str:
        """Why it ended by itself."""
        status = self._process.wait()
        if status < 0:
            return f"its process was ended by signal {-status}, as a system does that is out of memory"
        self._said.seek(0)
        last = self._said.read().strip().rpartition("\n")[2]
        return f"its process ended with status {status}: {last}"
