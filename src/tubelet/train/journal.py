"""What a run says about itself while it goes on: a line of JSON per iteration, curves and pictures."""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import torch

from tubelet.errors import TubeletWarning
from tubelet.files import replacing
from tubelet.train.iteration import IterationFigures
from tubelet.train.sinks import Sink, check_sinks, open_sink, usual_sinks
from tubelet.train.state import TrainState
from tubelet.train.task import Task

LOG_FILE = "log.jsonl"

_LARGEST = 1 << 63
"""No figure of a log is larger, but for those that are infinite or none at all."""

_CURVES_EVERY = 10
"""Iterations between points of curves."""


class Journal:
    """Writes the figures of every iteration to ``log.jsonl``, and gives curves and pictures to sinks.

    Args:
        folder: of the run.
        first: iterations done before this session; lines of a lost session after it are dropped, they will be
            written again.
        writes: whether this process is the one that writes.
        log_to: names of sinks; TensorBoard for none, if it is installed.
        config: the numbers of the run, which some sinks show.

    Raises:
        OptionError: a sink is not known, or not installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        first: int,
        writes: bool,
        log_to: Sequence[str] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self._names = usual_sinks() if log_to is None else tuple(log_to)
        check_sinks(self._names)
        self._sinks: list[Sink] = []
        self._file: TextIO | None = None
        if not writes:
            return
        path = folder / LOG_FILE
        if path.exists():
            lines = [line for line in _whole_lines(path) if line["iteration"] <= first]
            with replacing(path, force=True) as beside:
                beside.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._sinks = [open_sink(name, folder, first=first, config=config or {}) for name in self._names]

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        for sink in self._sinks:
            sink.close()

    def iteration(self, state: TrainState, figures: IterationFigures, *, waited: float) -> None:
        """Write the figures of the iteration that was just done.

        Args:
            state: after the iteration.
            figures: of the iteration.
            waited: seconds that were spent waiting for data so far in this stage.
        """
        if self._file is None:
            return
        further = figures.outcome.figures()
        line: dict[str, Any] = {
            "iteration": state.iteration,
            "seconds": round(state.seconds, 3),
            "lr": figures.lr,
            "gradient": figures.gradient,
            "taken": figures.taken,
            "waited": round(waited, 3),
        }
        self._file.write(json.dumps(line | figures.losses | further) + "\n")
        points: dict[str, float] = {}
        if state.iteration % _CURVES_EVERY == 0:
            points = {"lr": figures.lr, "gradient": figures.gradient}
            points |= {f"loss/{name}": value for name, value in figures.losses.items()}
        points |= _named_numbers(further)
        for sink in self._sinks if points else ():
            sink.curves(points, state.iteration)

    def pictures(self, state: TrainState, task: Task) -> None:
        """Show what the weights give.

        All processes call it: where weights are split, they can only be used together.
        """
        if not self._names:
            return
        with torch.no_grad():
            pictures = task.pictures(state.network)
        for sink in self._sinks:
            sink.pictures(pictures, state.iteration)


def _named_numbers(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The numbers of groups of figures, each by the name of its group and its own."""
    named = {f"{group}/{name}": value for group, values in groups.items() for name, value in values.items()}
    return {name: value for name, value in named.items() if isinstance(value, float)}


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; one that is damaged, as the last one after a kill, is left out."""
    lines: list[dict[str, Any]] = []
    texts = path.read_bytes().splitlines()
    for number, text in enumerate(texts, 1):
        try:
            lines.append(_line(text))
        except (ValueError, KeyError, TypeError, RecursionError):
            if number < len(texts):
                warnings.warn(
                    f"line {number} of {path} is damaged and left out; the figures in it are lost.",
                    TubeletWarning,
                    stacklevel=3,
                )
    return lines


def _line(text: bytes) -> dict[str, Any]:
    """One line of a log.

    Raises:
        ValueError, KeyError, TypeError, RecursionError: it is none.
    """
    line = json.loads(text)
    for name, kind in {"iteration": int, "seconds": int | float, "gradient": int | float}.items():
        if not isinstance(line[name], kind):
            raise TypeError(f"{name} is {line[name]!r:.80}")
    for name, value in line.items():
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise ValueError(f"{name} is {value!r:.80}")
    return line


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The figures of every iteration of a run, in order."""
    path = folder / LOG_FILE
    return _whole_lines(path) if path.exists() else []
