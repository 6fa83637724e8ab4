"""Processes that may end at any time: no request is lost, and none ends the work of the others."""

import os
from pathlib import Path

import pytest

from tubelet.errors import OutputError
from tubelet.jobs.bulk.processes import answered

HERE = str(Path(__file__).parent)


@pytest.fixture(autouse=True)
def toy_on_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([HERE, os.environ.get("PYTHONPATH", "")]))


def answers(requests, folder, workers=2):
    found = answered(iter(requests), "bulk_toy", [str(folder)], workers=workers, threads=1)
    return {each.request["n"]: each.answer for each in found}


def test_every_request_has_its_answer_though_processes_end(tmp_path):
    requests = [{"n": n} | ({"die": "once"} if n in (0, 3) else {}) for n in range(6)]
    assert answers(requests, tmp_path) == {n: {"square": n * n} for n in range(6)}


def test_a_request_over_which_every_process_ends_fails_and_the_others_are_done(tmp_path):
    found = answers([{"n": n} | ({"die": "always"} if n == 1 else {}) for n in range(4)], tmp_path)
    assert "signal 9" in found.pop(1)["failed"]
    assert found == {n: {"square": n * n} for n in (0, 2, 3)}


def test_of_a_batch_over_which_a_process_ends_that_request_fails_which_is_at_fault(tmp_path):
    batch = [{"n": n} | ({"die": "always"} if n == 1 else {}) for n in range(3)]
    found = answers([{"batch": batch}, {"n": 7}, {"batch": [{"n": 8}, {"n": 9}]}], tmp_path)
    assert "signal 9" in found.pop(1)["failed"]
    assert found == {n: {"square": n * n} for n in (0, 2, 7, 8, 9)}
    with pytest.raises(OutputError, match="the disk is full"):
        answers([{"batch": [{"n": 20}, {"n": 21, "full": True}]}], tmp_path)


def test_what_cannot_be_written_ends_the_work(tmp_path):
    with pytest.raises(OutputError, match="the disk is full"):
        answers([{"n": 0, "full": True}, {"n": 1}], tmp_path, workers=1)


def test_a_process_that_cannot_begin_says_why(tmp_path):
    with pytest.raises(OutputError, match=r"no process can begin.*no_such_module"):
        list(answered(iter([{"n": 0}]), "no_such_module", [], workers=1, threads=1))


def test_requests_that_cannot_be_made_end_the_work(tmp_path):
    def requests():
        yield {"n": 0}
        raise OutputError("the shard is in use")

    with pytest.raises(OutputError, match="the shard is in use"):
        answers(requests(), tmp_path)


def test_leaving_early_ends_the_processes_and_nothing_is_begun_without_requests(tmp_path):
    found = answered(({"n": n} for n in range(1000)), "bulk_toy", [str(tmp_path)], workers=2, threads=1)
    next(found)
    found.close()
    assert answers([], tmp_path) == {}
