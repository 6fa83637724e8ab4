"""Requests done by actors of Ray, on this machine or a cluster: the same plan, the same parts."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, final, runtime_checkable

from tubelet.errors import OptionError, OutputError
from tubelet.extras import extra_package
from tubelet.jobs.bulk.processes import TRIES, Answered

_STORE_BYTES = 100 * 10**6
"""Of Ray's store of objects, where Ray is begun here: clips go through files, and requests are small."""

_PATIENCE = 20.0
"""Seconds in which the host of a cluster answers."""


def answered_by_ray(
    requests: Iterator[dict[str, Any]],
    arguments: Sequence[str],
    *,
    workers: int | None,
    address: str | None,
    gpus: float,
) -> Iterator[Answered]:
    """Give requests to actors, each the next when it is done with its last; give answers as they come.

    An actor that ends is replaced, on whatever node has room, and its request is given to another once more;
    of a ``batch``, each of its requests by itself. Where there is none, Ray is not begun.

    Args:
        requests: as JSON holds them, or several as ``batch``; taken as they are needed.
        arguments: of `tubelet.jobs.bulk.worker.open_worker`, in this folder.
        workers: how many actors; as many as Ray has cores (or GPUs) for none.
        address: of a cluster, such as ``auto``; for none Ray is begun on this machine.
        gpus: of each actor; zero for those that compute on a core.

    Raises:
        OptionError: the package is missing, or no cluster answers there.
        OutputError: an actor cannot begin, or says that it cannot write.
    """
    first = next(requests, None)
    if first is None:
        return
    with _connected(address, workers) as ray:
        count = workers or int(ray.cluster_resources().get("GPU" if gpus else "CPU", 1) / (gpus or 1)) or 1
        yield from _Actors(ray, arguments, count, gpus).answered(chain([first], requests))


@runtime_checkable
class _Handle(Protocol):
    """An actor, seen from here."""

    do: Any


@final
class _Actors:
    """Actors at work."""

    def __init__(self, ray: ModuleType, arguments: Sequence[str], count: int, gpus: float) -> None:
        self._ray, self._count = ray, count
        self._class = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0)(BulkActor)
        self._arguments = list(arguments)
        self._doing: dict[object, tuple[_Handle, dict[str, Any], int]] = {}

    def answered(self, requests: Iterator[dict[str, Any]]) -> Iterator[Answered]:
        """Answers, as they come."""
        errors = self._ray.exceptions
        for _, request in zip(range(self._count), requests, strict=False):
            self._begin(None, request, 1)
        while self._doing:
            (ready, *_), _ = self._ray.wait(list(self._doing), num_returns=1)
            doing, request, tries = self._doing.pop(ready)
            free: _Handle | None = doing
            try:
                answer = self._ray.get(ready)
            except (errors.RayActorError, errors.NodeDiedError, errors.OutOfMemoryError) as error:
                if isinstance(error, errors.ActorDiedError) and "creation task" in str(error):
                    # Ray tells where it happened first, and what happened last.
                    raise OutputError(f"no actor can begin: {_line(error, -1)}") from error
                if "batch" in request:
                    # One of them is at fault: all but the first are given out before those that come.
                    first, *others = request["batch"]
                    requests = chain(others, requests)
                    self._begin(None, first, 1)
                    continue
                if tries < TRIES:
                    self._begin(None, request, tries + 1)
                    continue
                free, answer = None, {"failed": f"its actor ended: {_line(error)} ({TRIES} tries)"}
            if "no_output" in answer:
                raise OutputError(answer["no_output"])
            following = next(requests, None)
            if following is not None:
                self._begin(free, following, 1)
            yield from Answered.each(request, answer)

    def _begin(self, actor: "_Handle | None", request: dict[str, Any], tries: int) -> None:
        """Give a request to an actor, or to a new one for none."""
        handle: _Handle = self._class.remote(str(Path.cwd()), self._arguments) if actor is None else actor
        self._doing[handle.do.remote(request)] = handle, request, tries


@final
class BulkActor:
    """Encodes clips; holds the tokenizer.

    Args:
        folder: that relative paths begin in.
        arguments: of `tubelet.jobs.bulk.worker.open_worker`.
    """

    def __init__(self, folder: str, arguments: Sequence[str]) -> None:
        os.chdir(folder)
        self._worker = import_module("tubelet.jobs.bulk.worker").open_worker(arguments)

    def do(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do a request, as `tubelet.jobs.bulk.worker.Worker`."""
        try:
            return self._worker.do(request)
        except OutputError as error:
            return {"no_output": str(error)}


@contextmanager
def _connected(address: str | None, workers: int | None) -> Iterator[ModuleType]:
    """The package, connected to a cluster; one that was begun here ends with this.

    Raises:
        OptionError: the package is missing, or no cluster answers.
        OutputError: Ray does not begin here.
    """
    # Ray reports to its makers unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = extra_package("ray", extra="ray", need="the engine ray needs it", instead="leave --engine out")
    for attempt in range(TRIES):
        try:
            _begin_ray(ray, address, workers)
            break
        except Exception as error:
            ray.shutdown()
            if address is not None:
                raise OptionError(f"no cluster of Ray is at {address}: {_line(error)}") from error
            # It gives a busy machine half a minute, in which its programs are read from disk at least.
            if attempt == TRIES - 1:
                raise OutputError(f"Ray cannot begin on this machine: {_line(error)}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _begin_ray(ray: ModuleType, address: str | None, workers: int | None) -> None:
    """Connect to a cluster, or begin one on this machine for none."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is not None:
        _reach(address)
        ray.init(address=address, **quiet)
        return
    own = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": _STORE_BYTES}
    ray.init(address="local", **own, **quiet)


def _reach(address: str) -> None:
    """Raise `OSError` where nobody listens at a host and port: Ray itself goes on trying for half an hour."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()


def _line(error: Exception, number: int = 0) -> str:
    """A line of what an error says."""
    return (str(error).strip().splitlines() or [""])[number][:300]
