"""A benchmark: systems on clips of several sizes and lengths, in turn, each in a process of its own.

Whatever is interrupted leaves a file with all cases that were finished.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from tubelet.cores import cores
from tubelet.errors import OptionError
from tubelet.evaluate.cases import PATIENCE, Case
from tubelet.evaluate.speed.figures import complete, growth
from tubelet.evaluate.speed.grid import FORMATS, MODES, usual_cases, variants
from tubelet.evaluate.speed.runner import Runner
from tubelet.evaluate.systems.system_specs import check_texts
from tubelet.files import check_suffix, check_target
from tubelet.results import version_of, write_results

FORMAT = 1
"""Of the file; docs/reference/bench-format.md describes it."""

PROTOCOL = (
    "tubelet bench: a clip is encoded and decoded, tensors in and tensors out on the device. It is a texture "
    "of clouds and grain (seed 0) that pans by two columns and one row per frame, one clip at a time; making "
    "it is not timed. Pixels are frames x height x width of the clip as asked, not as a system "
    "fills it up. Ours goes through streams, group by group, each group of frames encoded and at once "
    "decoded, unless way=whole; tokenizers of diffusers take whole clips, do what the model itself does, "
    "and give the mode; classes by name have random weights, which cost as much as trained ones. A codec "
    "makes an elementary stream of 8-bit frames in one thread. Each system, number format and mode has a "
    "process of its own for each size, which computes only when it is asked. A case begins with a pass that "
    "does not count; then rounds go through all systems in turn, each repeating the clip until the least "
    "time has passed, and the median of its passes is the round's time. Speed: median, lowest and highest "
    "over the rounds. times_of_first: by how many times a round took as long as that of the first system in "
    "its fastest number format and mode. First frame: from the first frame given to fresh streams to the "
    "first one got back; for whole clips the time of the whole. Peak memory: of the process since it began "
    "(lengths ascend), loading, weights and input included; on a GPU of its tensors while it worked on the "
    "clip. Operations: two per multiplication of a weight, encoding and decoding together."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What is to be measured.

    Attributes:
        systems: texts (see `tubelet.evaluate.systems.system_specs`), each once; others are compared with the
            first.
        target: a ``.json`` file.
        cases: clips, those of a size together.
        formats: number formats of networks.
        modes: eager, or compiled by PyTorch.
        device: where to compute: ``cpu``, ``cuda`` or ``cuda:N``.
        rounds: how often every system has its turn.
        least_seconds: a clip is repeated within a round until it has taken so long.
        threads: of every process; as many as this process may use for none.
        force: whether `target` is replaced.
    """

    systems: tuple[str, ...]
    target: Path
    cases: tuple[Case, ...] = usual_cases()
    formats: tuple[str, ...] = FORMATS
    modes: tuple[str, ...] = MODES[:1]
    device: str = "cpu"
    rounds: int = 3
    least_seconds: float = 0.5
    threads: int | None = None
    force: bool = False

    def __post_init__(self) -> None:
        check_texts(self.systems)
        for name, least in (("rounds", self.rounds), ("threads", self.threads or 1)):
            if least < 1:
                raise OptionError(f"{name} is {least}; it is at least 1.")
        for case in self.cases:
            if min(case.frames, *case.size) < 1 or case.patience <= 0:
                raise OptionError(f"a clip of {case} with a patience of {case.patience:g} s means nothing.")


def bench(benchmark: Benchmark, *, on_step: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
    """Measure, write the file, and give its figures.

    Args:
        benchmark: what.
        on_step: called with the number of steps that were done; there are `steps` in all.

    Raises:
        OptionError: a text names no system, or there is no such device here.
        OutputError: the file exists, or cannot be written.
    """
    check_suffix(benchmark.target, (".json",), "a file of figures")
    check_target(benchmark.target, force=benchmark.force)
    threads = benchmark.threads or cores()
    ways = variants(benchmark.systems, benchmark.formats, benchmark.modes)
    runners = [Runner(way, device=benchmark.device, threads=threads) for way in ways]
    systems: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for _, cases in groupby(benchmark.cases, key=lambda case: case.size):
        with ExitStack() as stack:
            for runner in runners:
                stack.callback(runner.stop)
                runner.start()
            for runner in runners:
                runner.wait()
                systems.setdefault(runner.variant.system, {}).update(runner.facts)
            for case in cases:
                rows += _measure(runners, case, benchmark, on_step)
                _write(benchmark, systems, rows, threads=threads, finished=False)
            _add_costs(runners, systems)
    return _write(benchmark, systems, rows, threads=threads, finished=True)


def steps(benchmark: Benchmark) -> int:
    """How many steps there are."""
    ways = variants(benchmark.systems, benchmark.formats, benchmark.modes)
    return len(benchmark.cases) * len(ways) * (1 + benchmark.rounds)


def _measure(
    runners: Sequence[Runner], case: Case, benchmark: Benchmark, on_step: Callable[[int], None]
) -> list[dict[str, Any]]:
    """One case: warm up, then in turn."""
    for runner in runners:
        runner.warm(case)
        on_step(1)
    for _ in range(benchmark.rounds):
        for runner in runners:
            runner.round(case, least_seconds=benchmark.least_seconds)
            on_step(1)
    return [runner.row(case) for runner in runners]


def _add_costs(runners: Sequence[Runner], systems: dict[str, Any]) -> None:
    """Ask one process of every system, unless another one knew."""
    for runner in runners:
        about = systems[runner.variant.system]
        if about and not {"counted", "cost_absent"} & about.keys():
            about |= runner.cost(patience=PATIENCE)


def _write(
    benchmark: Benchmark, systems: dict[str, Any], rows: list[dict[str, Any]], *, threads: int, finished: bool
) -> dict[str, Any]:
    """Write all that is known, and give it."""
    full = complete(rows, benchmark.systems[0])
    figures = {
        "format": FORMAT,
        "finished": finished,
        "run": {
            "device": benchmark.device,
            "threads": threads,
            "rounds": benchmark.rounds,
            "least_seconds": benchmark.least_seconds,
            "diffusers": version_of("diffusers"),
        },
        "systems": systems,
        "rows": full,
        "growth": growth(full),
    }
    # The first time it was free or given up; from then on it is this benchmark's.
    write_results(benchmark.target, protocol=PROTOCOL, figures=figures, force=True)
    return figures
