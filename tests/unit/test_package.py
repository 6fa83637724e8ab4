"""The places that say what the package is agree, and what CI runs is what the project runs."""

import re
import sys
import tomllib
from importlib import import_module
from itertools import chain
from pathlib import Path

import pytest

import tubelet

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]

LARGE = {"ray", "openvino"}
"""Extras that the tests do without."""


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_citation_is_of_this_version_and_licence():
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load(read("CITATION.cff"))
    assert (citation["version"], citation["license"]) == (tubelet.__version__, PROJECT["license"])
    assert [each["name"] for each in citation["authors"]] == [each["name"] for each in PROJECT["authors"]]


def test_every_extra_is_in_the_table_and_in_dev():
    table = set(
        re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", read("docs/start/install.md"), re.M)))
    )
    assert table == EXTRAS.keys()
    (ours,) = [each for each in EXTRAS["dev"] if each.startswith("tubelet[")]
    assert set(ours.removeprefix("tubelet[").removesuffix("]").split(",")) == EXTRAS.keys() - {"dev", *LARGE}


def test_extras_that_messages_name_are_there():
    named = {
        name
        for path in (ROOT / "src").rglob("*.py")
        for name in re.findall(r"(?:tubelet\[|\bextra=\")(\w+)[\]\"]", path.read_text(encoding="utf-8"))
    }
    assert named <= EXTRAS.keys()


def test_all_that_users_and_tests_install_is_pinned():
    wanted = [*PROJECT["dependencies"], *chain.from_iterable(EXTRAS.values())]
    names = {re.match(r"[\w.-]+", each)[0].lower().replace("_", "-") for each in wanted}
    pinned = {line.partition("==")[0] for line in read("constraints.txt").split() if "==" in line}
    assert names - {"tubelet"} <= pinned


def test_workflows_are_yaml_and_run_what_the_project_runs():
    yaml = pytest.importorskip("yaml")
    flows = {
        path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").glob("*.yml")
    }
    commands = {
        name: [step["run"] for job in flow["jobs"].values() for step in job["steps"] if "run" in step]
        for name, flow in flows.items()
    }
    assert "bash .ci/run" in commands["tests"]
    assert "make docs" in commands["docs"]
    assert "bash scripts/wheel.sh" in commands["wheel"]
    versions = {
        each["python"] for each in flows["tests"]["jobs"]["versions"]["strategy"]["matrix"]["include"]
    }
    promised = {each.rpartition(" ")[2] for each in PROJECT["classifiers"] if ":: 3.1" in each}
    # Those that were tried are promised, and no others.
    assert promised == versions == {"3.11", "3.12", "3.13", "3.14"}
    for script in ("scripts/wheel.sh", "scripts/install_versions.sh", ".ci/run"):
        assert (ROOT / script).is_file()


def test_forms_and_hooks_are_yaml():
    yaml = pytest.importorskip("yaml")
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert path.stem == "config" or {"name", "description", "body"} <= form.keys()
    (hooks,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert [hook["id"] for hook in hooks["hooks"]] == ["format", "lint", "contracts", "types"]


def test_the_lowest_versions_are_those_of_the_project(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    lowest = import_module("lowest").lowest(read("pyproject.toml"))
    sys.modules.pop("lowest")
    assert lowest["numpy"] == "2.0"
    assert lowest["scikit-image"] == "0.26"
    assert "pytest" not in lowest
    assert len(lowest) > len(PROJECT["dependencies"])
