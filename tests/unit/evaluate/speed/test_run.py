"""The process that leads: who has its turn when, what is left out, and what is in the file at any time."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from tubelet.errors import OptionError, OutputError
from tubelet.evaluate.cases import AbsentError, Case, LateError, Size
from tubelet.evaluate.speed import process as processes
from tubelet.evaluate.speed import runner as runners
from tubelet.evaluate.speed.grid import Variant, all_cases
from tubelet.evaluate.speed.run import FORMAT, Benchmark, bench, steps
from tubelet.jobs.process import EndedError
from tubelet.jobs.process import LateError as LateAnswerError

SMALL = Size(10, 10)
VARIANT = Variant("a", "float32", "eager")


class Scripted:
    """A process that computes nothing: a pixel takes as many microseconds as its name says."""

    said: ClassVar[list[tuple[str, str]]] = []
    alive: ClassVar[list["Scripted"]] = []

    def __init__(self, variant: Variant, *, device: str, threads: int) -> None:
        assert (device, threads) == ("cpu", 1)
        self.variant, self.pixels = variant, 0
        self.is_alive = True
        self.alive.append(self)

    def answer(self, *, patience: float) -> dict:
        if self.variant.system == "nothing":
            raise OptionError("nothing is nothing")
        if self.variant == Variant("1", "bfloat16", "eager"):
            raise AbsentError("it has one format")
        return {"facts": {"name": self.variant.system}, "in_streams": True}

    def ask(self, request: dict, *, patience: float) -> dict:
        self.said.append((self.variant.system, request["do"]))
        if request["do"] == "cost":
            return {"mflop_per_pixel": 1.0, "counted": "at all"}
        if request["do"] == "warm":
            self.pixels = request["width"] * request["height"] * request["frames"]
        seconds = int(self.variant.system) * self.pixels * 1e-6
        if seconds > patience:
            self.is_alive = False
            raise LateError("it took too long")
        if request["do"] == "warm":
            return {"seconds": seconds, "before_mib": 10.0}
        half = seconds / 2
        return {"encode": half, "decode": half, "first_frame": half, "peak_mib": 20.0}

    def close(self) -> None:
        self.is_alive = False
        self.alive.remove(self)


@pytest.fixture
def scripted(monkeypatch):
    monkeypatch.setattr(Scripted, "said", [])
    monkeypatch.setattr(Scripted, "alive", [])
    monkeypatch.setattr(runners, "Process", Scripted)
    return Scripted


@pytest.fixture
def request_for(tmp_path):
    def make(*systems: str, lengths=(5,), sizes=(SMALL,), patience: float = 300.0, **more) -> Benchmark:
        cases = all_cases(sizes, lengths, patience=patience)
        usual = {"formats": ("float32",), "threads": 1, "rounds": 2, "target": tmp_path / "bench.json"}
        return Benchmark(systems=systems, cases=cases, **(usual | more))

    return make


def content(path: Path) -> dict:
    return json.loads(path.read_text())["figures"]


def test_systems_have_their_turns_in_every_round(scripted, request_for):
    bench(request_for("1", "2", lengths=(1, 5)))
    one_case = [("1", "warm"), ("2", "warm"), ("1", "round"), ("2", "round"), ("1", "round"), ("2", "round")]
    assert scripted.said == [*one_case, *one_case, ("1", "cost"), ("2", "cost")]
    assert not scripted.alive


def test_the_file_holds_what_was_measured(scripted, request_for):
    request = request_for("1", "3", formats=("float32", "bfloat16"))
    seen = []
    figures = bench(request, on_step=seen.append)
    assert sum(seen) == steps(request) == 4 * (1 + 2)
    assert content(request.target) == figures
    assert (figures["format"], figures["finished"]) == (FORMAT, True)
    assert figures["systems"]["3"] == {"name": "3", "mflop_per_pixel": 1.0, "counted": "at all"}
    fast, absent, slow, _ = figures["rows"]
    assert absent["absent"] == "it has one format"
    assert fast["seconds"]["encode"] == [0.00025, 0.00025]
    assert slow["times_of_first"]["both"]["median"] == 3.0
    assert (fast["before_mib"], fast["peak_mib"]) == (10.0, 20.0)


def test_who_is_too_slow_is_left_out_and_the_others_go_on(scripted, request_for):
    found = bench(request_for("1", "1000000", lengths=(2, 4, 8), patience=300.0))
    rows = {(row["system"], row["frames"]): row for row in found["rows"]}
    assert "seconds" in rows["1", 8] and "seconds" in rows["1000000", 2]
    # Two frames took 200 s: four are not even tried.
    assert rows["1000000", 4]["absent"].startswith("it would take about 400 s")
    assert scripted.said.count(("1000000", "warm")) == 1


def test_what_was_too_much_is_not_tried_at_another_size(scripted, request_for):
    found = bench(request_for("1000000", lengths=(4,), sizes=(Size(20, 10), Size(10, 20)), patience=300.0))
    first, second = found["rows"]
    assert first["absent"] == "it took too long"
    assert second["absent"] == "4 frames of 10x20 were too much already: it took too long"
    assert scripted.said == [("1000000", "warm"), ("1000000", "cost")]


def test_who_was_ended_is_started_again_where_there_is_more_patience(scripted, request_for):
    cases = (Case(size=SMALL, frames=1, patience=5.0), Case(size=SMALL, frames=2, patience=300.0))
    short, long = bench(replace(request_for("1000000"), cases=cases))["rows"]
    assert short["absent"] == "it took too long"
    assert long["seconds"]["encode"] == [100.0, 100.0]


def test_a_text_that_names_nothing_ends_all(scripted, request_for):
    with pytest.raises(OptionError, match="nothing is nothing"):
        bench(request_for("1", "nothing"))
    assert not scripted.alive


def test_what_is_interrupted_leaves_a_file_of_finished_clips_and_no_process(scripted, request_for):
    request = request_for("1", "2", lengths=(1, 5))
    count = 0

    def interrupt(_: int) -> None:
        nonlocal count
        count += 1
        if count == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench(request, on_step=interrupt)
    found = content(request.target)
    assert not found["finished"]
    assert [row["frames"] for row in found["rows"]] == [1, 1]
    assert not scripted.alive


def test_a_file_that_is_there_is_left_alone(scripted, request_for):
    request = request_for("1")
    request.target.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        bench(request)
    assert not scripted.said
    bench(request_for("1", force=True))
    assert content(request.target)["finished"]


@pytest.mark.parametrize(
    "wrong", [{"rounds": 0}, {"threads": -1}, {"lengths": (0,)}, {"sizes": (Size(0, 4),)}, {"patience": 0.0}]
)
def test_requests_without_meaning_are_refused(request_for, wrong):
    with pytest.raises(OptionError):
        request_for("1", **wrong)
    for systems in ((), ("1", "1")):
        with pytest.raises(OptionError):
            request_for(*systems)


class Ended:
    """A process that has ended, or answers what it is told to."""

    def __init__(self, answer: dict | Exception) -> None:
        self.given = answer

    def ask(self, _request: dict, *, patience: float) -> dict:
        return self.answer(patience=patience)

    def answer(self, *, patience: float) -> dict:
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


@pytest.mark.parametrize(
    ("given", "raised"),
    [
        ({"refused": "nothing is nothing"}, OptionError),
        ({"absent": "it is linear"}, AbsentError),
        (LateAnswerError("it took longer than 1 s"), LateError),
        (EndedError("its process was ended by signal 9"), AbsentError),
    ],
)
def test_a_worker_that_gives_no_figure_says_why(monkeypatch, given, raised):
    monkeypatch.setattr(processes.processes, "Process", lambda *_, **__: Ended(given))
    process = processes.Process(VARIANT, device="cpu", threads=1)
    for ask in (lambda: process.answer(patience=1.0), lambda: process.ask({}, patience=1.0)):
        with pytest.raises(raised, match=r"nothing|linear|longer|signal"):
            ask()


def test_the_process_that_leads_needs_no_torch():
    code = "import sys, tubelet.evaluate.speed.run, tubelet.cli.command_bench; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
