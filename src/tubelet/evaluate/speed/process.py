"""The process of one variant, seen from the one that leads a benchmark."""

import json
from typing import Any

from tubelet.errors import OptionError
from tubelet.evaluate.cases import AbsentError, LateError
from tubelet.evaluate.speed.grid import Variant
from tubelet.jobs import process as processes


class Process:
    """A process that measures one variant (`tubelet.evaluate.speed.worker`).

    It is started at once and says nothing before `answer` is called, so that several can start together.

    Args:
        variant: what it measures.
        device: where it computes.
        threads: with how many.
    """

    def __init__(self, variant: Variant, *, device: str, threads: int) -> None:
        arguments = [json.dumps(variant), device, str(threads)]
        self._process = processes.Process("tubelet.evaluate.speed.worker", arguments, threads=threads)

    @property
    def is_alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process.is_alive

    def ask(self, request: dict[str, Any], *, patience: float) -> dict[str, Any]:
        """Send a request, and wait for the answer.

        Raises:
            LateError: it took longer than `patience` seconds, and was ended.
            AbsentError: it cannot do that, or has ended.
        """
        try:
            return _checked(self._process.ask(request, patience=patience))
        except processes.EndedError as error:
            raise _absent(error) from error

    def answer(self, *, patience: float) -> dict[str, Any]:
        """Wait for the next answer; the first one tells that the process is ready.

        Raises:
            OptionError: the variant's text names nothing.
            LateError: as `ask`.
            AbsentError: as `ask`.
        """
        try:
            return _checked(self._process.answer(patience=patience))
        except processes.EndedError as error:
            raise _absent(error) from error

    def close(self) -> None:
        """End it."""
        self._process.close()


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer that says neither why there is no figure, nor that a text names nothing."""
    if "refused" in answer:
        raise OptionError(answer["refused"])
    if "absent" in answer:
        raise AbsentError(answer["absent"])
    return answer


def _absent(error: processes.EndedError) -> AbsentError:
    return LateError(str(error)) if isinstance(error, processes.LateError) else AbsentError(str(error))
