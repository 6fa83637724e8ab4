"""The inside of a process that another one leads: every line that comes in is answered with one."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Queue

import torch

from tubelet.errors import OutputError
from tubelet.jobs.plan import Job, Worker


def use_threads(threads: int) -> None:
    """Give the libraries of this process their share of the cores."""
    torch.set_num_threads(threads)
    with suppress(ImportError):
        import cv2  # noqa: PLC0415  an extra

        cv2.setNumThreads(threads)


def serve(answers: Callable[[Iterator[str]], Iterator[str]]) -> None:
    """Answer standard input on standard output; whatever else is printed goes to standard error.

    Args:
        answers: lines that come in to lines that go out.
    """
    with os.fdopen(os.dup(1), "w", buffering=1) as out:
        os.dup2(2, 1)
        for answer in answers(_lines()):
            out.write(answer + "\n")


def do_jobs(worker: Worker, lines: Iterator[str]) -> Iterator[str]:
    """Say that a worker is ready, do the job of each line, and say so; `tubelet.jobs.pool` asks."""
    yield json.dumps({})
    for line in lines:
        try:
            worker.do(Job.from_json(json.loads(line)))
        except OutputError as error:
            yield json.dumps({"no_output": str(error)})
        else:
            yield json.dumps({})


def _lines() -> Iterator[str]:
    """Lines of standard input; its end is the end of the process that leads, and at once of this one."""
    lines: Queue[str] = Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield lines.get()
