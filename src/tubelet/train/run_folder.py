"""What a run is, as its folder says it: configuration, data and length; who may go on with it."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tubelet.errors import OptionError, TrainingError
from tubelet.files import replacing
from tubelet.files.marks import RUN_FILE
from tubelet.json_text import of_kind, read_json
from tubelet.results import circumstances
from tubelet.train.config import LoopConfig
from tubelet.train.journal import LOG_FILE
from tubelet.train.state import checkpoints, read_numbers
from tubelet.train.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where a run ends; one of the two.

    Attributes:
        iterations: their number.
        seconds: of training, over all sessions.
    """

    iterations: int | None
    seconds: float | None

    @classmethod
    def of(cls, config: LoopConfig, time_limit: float | None) -> "End":
        """The end that a configuration and a time limit give.

        Raises:
            OptionError: they give none, or two.
        """
        if (config.iterations is None) == (time_limit is None):
            raise OptionError(
                f"iterations is {config.iterations} and the time limit is {time_limit}; a run has one end. "
                "Give a number of iterations (--iterations), or a time (--time-limit 6h)."
            )
        return cls(iterations=config.iterations, seconds=time_limit)

    def progress(self, iteration: int, seconds: float) -> float:
        """The fraction of the run that is done after so many iterations and so much time."""
        if self.seconds is not None:
            return seconds / self.seconds
        assert self.iterations is not None
        return iteration / self.iterations

    def __str__(self) -> str:
        return f"{self.iterations} iterations" if self.seconds is None else f"{self.seconds:g} s"


def prepare_folder(folder: Path, task: Task, end: End, *, resume: bool, force: bool) -> str:
    """Say in the folder of a run what it is; refuse another run's.

    Returns:
        What a user should know, if the run is extended; else an empty text.

    Raises:
        OptionError: the folder holds another run, or one that must not go on, or the end has passed.
        TrainingError: ``run.json`` is damaged.
    """
    path = folder / RUN_FILE
    # Through JSON and back: tuples become lists on both sides of the comparison.
    wanted: dict[str, Any] = json.loads(json.dumps({"config": asdict(task.config), "end": asdict(end)}))
    if path.exists() and resume:
        return _take_up(path, wanted, end)
    check_free(folder, resume=resume and path.exists(), force=force)
    for old in checkpoints(folder):
        shutil.rmtree(old)
    (folder / LOG_FILE).unlink(missing_ok=True)
    _write(path, wanted | task.facts() | {"circumstances": circumstances()})
    return ""


def check_free(folder: Path, *, resume: bool, force: bool) -> None:
    """Raise if a new run would be begun over another one.

    Raises:
        OptionError: the folder holds a run that is neither taken up nor replaced.
    """
    held = (folder / RUN_FILE).exists() or (folder / LOG_FILE).exists() or checkpoints(folder)
    if held and not (resume or force):
        raise OptionError(f"{folder} holds a run; --resume goes on with it, --force starts over.")


def read_run(path: Path) -> dict[str, Any]:
    """What ``run.json`` says.

    Raises:
        TrainingError: it is damaged.
    """
    try:
        facts = read_json(path)
        of_kind(facts["config"], dict, "config")
        of_kind(facts.get("end", {}), dict, "end")
        of_kind(facts.get("ends_before", []), list, "ends_before")
        where = facts["circumstances"]
        for name in ("command", "date"):
            of_kind(where[name], str, name)
        of_kind(where["machine"]["cpu"], str, "cpu")
        of_kind(where["versions"]["torch"], str, "torch")
        _ = where["machine"]["cores"], _end_of(facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{path} is damaged: {error!r:.200}. Start the run again, with --force."
        ) from error
    return facts


def _take_up(path: Path, wanted: dict[str, Any], end: End) -> str:
    """Compare a run with the one that is to go on; give the note that it is extended, if it is."""
    known = read_run(path)
    lengths = {"iterations": None}
    changed = _differences(known["config"] | lengths, wanted["config"] | lengths)
    if changed:
        raise OptionError(
            f"the run in {path.parent} has other numbers: {', '.join(changed)}. Resume with the same ones, "
            "or start another run."
        )
    before = _end_of(known)
    if before == end:
        return ""
    if done := checkpoints(path.parent):
        numbers = read_numbers(done[-1])
        if end.progress(int(numbers["iteration"]), float(numbers["seconds"])) >= 1:
            raise OptionError(
                f"the run in {path.parent} has done {numbers['iteration']:.0f} iterations in "
                f"{numbers['seconds']:.0f} s, and its end is to be {end}; give a later end."
            )
    _write(path, known | wanted | {"ends_before": [*known.get("ends_before", []), asdict(before)]})
    return (
        f"the run had {before} and has {end} now: stages and learning rate go on from where they are at that "
        "fraction of the new length, and the learning rate falls to zero again at the end."
    )


def _end_of(known: dict[str, Any]) -> End:
    """The end that a stored run had."""
    stored = known.get("end", {"iterations": known["config"].get("iterations")})
    end = End(iterations=stored.get("iterations"), seconds=stored.get("seconds"))
    for value in (end.iterations, end.seconds):
        if value is not None and not (isinstance(value, int | float) and value > 0):
            raise ValueError(f"its end is {end!r:.80}")
    return end


def _write(path: Path, content: dict[str, Any]) -> None:
    with replacing(path, force=True) as beside:
        beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _differences(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> list[str]:
    """The fields in which two configurations differ, with both values."""
    found: list[str] = []
    for name in one.keys() | other.keys():
        a, b = one.get(name), other.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{prefix}{name}.")
        elif a != b:
            found.append(f"{prefix}{name} {a!r} there and {b!r} here")
    return sorted(found)
