"""Requests done by processes that may end at any time: each is begun again, and so is what it was doing."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import Queue
from threading import Lock
from typing import Any, NamedTuple, final

from tubelet.errors import OutputError
from tubelet.jobs.process import EndedError, Process

TRIES = 2
"""How often a request is given to a process; a second that ends over it says that the request is at fault."""


class Answered(NamedTuple):
    """A request, and what came of it: the answer, with ``failed`` where processes ended over it."""

    request: dict[str, Any]
    answer: dict[str, Any]

    @classmethod
    def each(cls, request: dict[str, Any], answer: dict[str, Any]) -> "list[Answered]":
        """The answers to a request, which may be a ``batch`` of several."""
        if "batch" not in request:
            return [cls(request, answer)]
        return [cls(*pair) for pair in zip(request["batch"], answer["batch"], strict=True)]


def answered(
    requests: Iterator[dict[str, Any]], module: str, arguments: Sequence[str], *, workers: int, threads: int
) -> Iterator[Answered]:
    """Give requests to processes, each the next when it is done with its last; give answers as they come.

    A process that ends is replaced, and its request is given to another once more; of a ``batch``, each of
    its requests by itself, because one of them is at fault. Leaving early ends the processes.

    Args:
        requests: as JSON holds them, or several as ``batch``; taken as they are needed, by one thread at a
            time.
        module: what the processes run (`tubelet.jobs.serving`).
        arguments: what that is given.
        workers: how many processes.
        threads: of each.

    Raises:
        OutputError: a process cannot begin, or says that it cannot write (``no_output``).
    """
    shared = _Shared(requests)
    with ExitStack() as stack:
        leaders = [_Leader(shared, module, arguments, threads) for _ in range(workers)]
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        # Called before the pool is waited for, so that no leader waits for a process.
        stack.callback(lambda: [leader.stop() for leader in leaders])
        for leader in leaders:
            pool.submit(leader.lead)
        left = workers
        while left:
            item = shared.answers.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                left -= 1
            else:
                yield item


@final
class _Shared:
    """Requests that are taken by several threads, and answers that go to one."""

    def __init__(self, requests: Iterator[dict[str, Any]]) -> None:
        self._requests = requests
        self._lock = Lock()
        self.answers: Queue[Answered | Exception | None] = Queue()

    def next(self) -> dict[str, Any] | None:
        """The next request; none if there is none left."""
        with self._lock:
            return next(self._requests, None)


@final
class _Leader:
    """Leads one process after the other."""

    def __init__(self, shared: _Shared, module: str, arguments: Sequence[str], threads: int) -> None:
        self._shared = shared
        self._begin: Callable[[], Process] = lambda: Process(module, arguments, threads=threads)
        self._lock = Lock()
        self._stopped = False
        self._process: Process | None = None

    def lead(self) -> None:
        """Work until there is no request left, or until `stop`."""
        try:
            while not self._stopped and (request := self._shared.next()) is not None:
                for answered in self._tried(request):
                    self._shared.answers.put(answered)
        except Exception as error:  # noqa: BLE001  raised in the thread that asked
            if not self._stopped:
                self._shared.answers.put(error)
        finally:
            self._close()
            self._shared.answers.put(None)

    def stop(self) -> None:
        """End the process, whatever it does."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def _tried(self, request: dict[str, Any]) -> Iterator[Answered]:
        """The answers to a request, or to each of a batch.

        Raises:
            OutputError: the process cannot write.
        """
        ended: EndedError | None = None
        for _ in range(1 if "batch" in request else TRIES):
            try:
                answer = self._ready().ask(request)
            except EndedError as error:
                self._close()
                ended = error
                if self._stopped:
                    break
                continue
            if "no_output" in answer:
                raise OutputError(answer["no_output"])
            yield from Answered.each(request, answer)
            return
        if "batch" in request and not self._stopped:
            for each in request["batch"]:
                yield from self._tried(each)
            return
        failed = {"failed": f"{ended} ({TRIES} tries)"}
        yield from (Answered(each, failed) for each in request.get("batch", [request]))

    def _ready(self) -> Process:
        """The process, begun if there is none.

        Raises:
            OutputError: it cannot begin.
        """
        for attempt in range(TRIES):
            if self._process is not None:
                break
            with self._lock:
                if self._stopped:
                    raise OutputError("the work was stopped.")
                self._process = self._begin()
            try:
                self._process.answer()
            except EndedError as error:
                self._close()
                if attempt == TRIES - 1:
                    raise OutputError(f"no process can begin: {error}") from error
        assert self._process is not None
        return self._process

    def _close(self) -> None:
        with self._lock:
            if self._process is not None:
                self._process.close()
                self._process = None
