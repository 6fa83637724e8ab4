"""Batches by their number, made ahead in a thread, whatever they hold."""

import itertools
import time
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Generic, TypeVar, final

from tubelet.threads import ahead

Item = TypeVar("Item")


@final
class BatchesAhead(Generic[Item]):
    """The batches of all iterations from `first` on; a context manager and iterator.

    It never ends by itself; leaving the context ends it and its thread. An error in the thread is raised at
    the batch that it hit.

    Args:
        batch_at: makes the batch of an iteration.
        first: of the first batch; the iteration to go on with after a restart.
        depth: batches that may wait for their consumer.

    Attributes:
        waited_seconds: how long the consumer has waited for batches so far.
    """

    def __init__(self, batch_at: Callable[[int], Item], *, first: int, depth: int = 2) -> None:
        self.waited_seconds = 0.0
        self._batch_at, self._first, self._depth = batch_at, first, depth
        self._batches: Generator[Item] | None = None

    def __enter__(self) -> "BatchesAhead[Item]":
        self._batches = ahead(self._all(), depth=self._depth)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._batches is not None:
            self._batches.close()

    def __iter__(self) -> "BatchesAhead[Item]":
        return self

    def __next__(self) -> Item:
        began = time.perf_counter()
        batch = None if self._batches is None else next(self._batches, None)
        self.waited_seconds += time.perf_counter() - began
        if batch is None:
            raise RuntimeError("a feed gives batches inside its `with` block only, and none after an error.")
        return batch

    def _all(self) -> Generator[Item]:
        for number in itertools.count(self._first):
            yield self._batch_at(number)
