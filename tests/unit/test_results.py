import json
import math
import shutil
import subprocess
import sys

import pytest

from tubelet import results
from tubelet.errors import OutputError
from tubelet.results import circumstances, write_results


@pytest.fixture
def written(tmp_path):
    def write(figures):
        write_results(tmp_path / "r.json", protocol="how", figures=figures)
        refuse = {"parse_constant": lambda name: pytest.fail(f"{name} is not JSON")}
        return json.loads((tmp_path / "r.json").read_text(encoding="utf-8"), **refuse)

    return write


def test_figures_come_back_as_they_were(written):
    figures = {"psnr_db": 31.25, "bytes": 12, "name": "Ä", "list": [1, 2.5], "deep": {"none": None}}
    assert written(figures)["figures"] == figures


def test_what_json_cannot_hold_becomes_null(written):
    figures = {"psnr_db": math.inf, "list": [1.0, math.nan], "deep": {"low": -math.inf}}
    assert written(figures)["figures"] == {"psnr_db": None, "list": [1.0, None], "deep": {"low": None}}


def test_figures_say_how_and_with_what_they_were_made(written):
    content = written({})
    assert content["protocol"] == "how"
    facts = content["circumstances"]
    assert {"command", "date", "commit", "machine", "versions"} <= facts.keys()
    assert facts["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["versions"]["tubelet"] and facts["versions"]["torch"]


def test_the_command_is_what_one_would_type(written, monkeypatch):
    typed = {"/home/me/.venv/bin/tubelet": "tubelet", "/lib/tubelet/__main__.py": "python -m tubelet"}
    for program, name in typed.items():
        monkeypatch.setattr(sys, "argv", [program, "bench", "-o", "b.json"])
        assert written({})["circumstances"]["command"] == f"{name} bench -o b.json"


def test_results_are_replaced_only_if_allowed(tmp_path):
    (tmp_path / "r.json").write_text("old")
    with pytest.raises(OutputError):
        write_results(tmp_path / "r.json", protocol="", figures={}, force=False)
    assert (tmp_path / "r.json").read_text() == "old"


def test_what_cannot_be_stored_leaves_no_file(tmp_path):
    with pytest.raises(TypeError):
        write_results(tmp_path / "r.json", protocol="", figures={"x": object()})
    assert not list(tmp_path.iterdir())


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """The module as a file inside somebody's repository."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        done = subprocess.run(
            ["git", *identity, "-C", str(tmp_path), *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "x")
    shutil.copy(results.__file__, tmp_path / "results.py")
    monkeypatch.setattr(results, "__file__", str(tmp_path / "results.py"))
    return git


def test_the_commit_of_tracked_source_is_named(repository):
    repository("add", "results.py")
    repository("commit", "-q", "-m", "y")
    assert circumstances()["commit"] == repository("rev-parse", "--short", "HEAD")


def test_the_commit_of_a_repository_that_only_surrounds_the_source_is_not_named(repository):
    assert circumstances()["commit"] is None


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert circumstances()["commit"] is None
