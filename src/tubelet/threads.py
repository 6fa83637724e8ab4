"""Work at the same time as the caller: a thread that runs ahead or works behind, with a bounded queue."""

import threading
from collections.abc import Callable, Generator, Iterator
from queue import Empty, Full, Queue
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")

DEPTH = 1
"""Items that may wait to be taken from a stage that reads ahead: enough to keep both busy, few in memory."""

_PATIENCE = 0.1
"""Seconds between looks at whether the other side is still there."""


class _End:
    """The last item of a queue, with the error that ended it, if any."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterator[Item], *, depth: int = DEPTH) -> Generator[Item]:
    """Give the same items, made in a thread while the caller works on those before.

    The thread starts with the first item. An error of `items` is raised here, in its place; a caller that
    stops early (`close`) stops the thread.

    Args:
        items: what is made.
        depth: how many items may wait.
    """
    queue: Queue[Item | _End] = Queue(depth)
    stopped = threading.Event()

    def offer(item: Item | _End) -> None:
        while not stopped.is_set():
            try:
                return queue.put(item, timeout=_PATIENCE)
            except Full:
                continue
        return None

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                offer(item)
                if stopped.is_set():
                    break
        except BaseException as raised:  # noqa: BLE001  it is raised again on the other side
            error = raised
        offer(_End(error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
            del item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join()


class Behind(Generic[Item]):
    """Calls a function in a thread, item after item, while the caller makes the next; a context manager.

    No item waits: there are the one that is worked on and the one that is made. Runs of decoded frames are
    large. An error of the function is raised at the caller's next `put`, or on leaving the context.
    """

    def __init__(self, function: Callable[[Item], None]) -> None:
        self._function = function
        self._queue: Queue[Item | _End] = Queue()
        self._idle = threading.Semaphore()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Behind[Item]":
        self._thread.start()
        return self

    def put(self, item: Item) -> None:
        """Hand over an item; waits until the one before is done."""
        while not self._idle.acquire(timeout=_PATIENCE):
            pass
        if self._error is not None:
            self._idle.release()
            raise self._error
        self._queue.put(item)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            # What waits is not wanted any more.
            while True:
                try:
                    self._queue.get_nowait()
                except Empty:
                    break
        self._queue.put(_End(None))
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _work(self) -> None:
        while not isinstance(item := self._queue.get(), _End):
            if self._error is None:
                try:
                    self._function(item)
                except BaseException as raised:  # noqa: BLE001  it is raised again on the other side
                    self._error = raised
            del item
            self._idle.release()
