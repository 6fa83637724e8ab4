"""Jobs by any number of processes: the same parts, nothing done twice, nothing half done."""

import os
from pathlib import Path

import pytest
from toy_worker import ToyWorker

from tubelet.errors import OutputError
from tubelet.jobs.parts import part_path, read_part
from tubelet.jobs.plan import Job, is_done, missing
from tubelet.jobs.pool import run_here, run_in_processes

HERE = str(Path(__file__).parent)


@pytest.fixture(autouse=True)
def toy_on_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([HERE, os.environ.get("PYTHONPATH", "")]))


@pytest.fixture
def plan(tmp_path):
    """A job for each number; `what` says what becomes of one of them."""

    def make(count: int, *, folder: str = "one", what: dict[int, str] | None = None) -> list[Job]:
        return [
            Job(
                target=part_path(tmp_path / folder, f"{number}.mp4", "square"),
                made_from={"number": number, "version": 1},
                work={"number": number} | ({"do": what[number]} if what and number in what else {}),
            )
            for number in range(count)
        ]

    return make


def pooled(jobs: list[Job], *, workers: int = 2) -> int:
    count = 0

    def on_done(_) -> None:
        nonlocal count
        count += 1

    run_in_processes(jobs, "toy_worker", [], workers=workers, threads=1, on_done=on_done)
    return count


def test_parts_are_the_same_whatever_the_number_of_processes(plan):
    here, there = plan(5), plan(5, folder="two")
    worker = ToyWorker()
    seen: list[int] = []
    run_here(here, worker, lambda _: seen.append(len(worker.done)))
    assert seen == [1, 2, 3, 4, 5] and worker.done == [0, 1, 2, 3, 4]
    assert pooled(there) == 5
    assert [job.target.read_bytes() for job in here] == [job.target.read_bytes() for job in there]
    assert read_part(here[3].target, made_from=here[3].made_from)["square"] == 9


def test_what_is_done_is_not_done_again(plan):
    jobs = plan(4)
    run_here(jobs[:2], ToyWorker(), lambda _: None)
    assert missing(jobs) == jobs[2:]
    run_here(missing(jobs), ToyWorker(), lambda _: None)
    assert not missing(jobs)


def test_what_failed_or_was_made_from_something_else_is_done_again(plan):
    (job,) = plan(1, what={0: "fail"})
    run_here([job], ToyWorker(), lambda _: None)
    assert not is_done(job)
    run_here(plan(1), ToyWorker(), lambda _: None)
    assert is_done(job)
    other = Job(target=job.target, made_from={"number": 0, "version": 2}, work=job.work)
    assert not is_done(other)


def test_a_job_is_data(plan):
    (job,) = plan(1)
    assert Job.from_json(job.to_json()) == job


def test_a_worker_that_is_killed_ends_the_run_and_what_was_done_is_kept(plan):
    jobs = plan(4, what={2: "die"})
    with pytest.raises(OutputError, match=r"signal 9.*fewer --workers"):
        pooled(jobs, workers=1)
    assert [job for job in jobs if not is_done(job)] == jobs[2:]
    assert pooled(missing(plan(4))) == 2


def test_a_part_that_cannot_be_written_ends_the_run(plan):
    with pytest.raises(OutputError, match="the disk is full"):
        pooled(plan(3, what={0: "fill"}))


def test_a_worker_that_cannot_begin_says_why(plan):
    with pytest.raises(OutputError, match="no_such_worker"):
        run_in_processes(plan(2), "no_such_worker", [], workers=2, threads=1, on_done=lambda _: None)


def test_without_jobs_nothing_is_started():
    assert pooled([]) == 0
