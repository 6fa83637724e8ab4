"""Public functions and what people give them by mistake; the cases are in `edges.py`."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = ("edges", "edges_formats", "edges_streams", "edges_types")
SLOW = {"compiled_without_a_break_it_gives_the_same", "exported_it_gives_the_same"}


def cases(script: str) -> list[str]:
    """Names of the cases of a script, without running it."""
    tree = ast.parse((HERE / f"{script}.py").read_text(encoding="utf-8"))
    return [
        each.name
        for each in tree.body
        if isinstance(each, ast.FunctionDef) and not each.args.args and "_" in each.name.strip("_")
    ]


@pytest.fixture(scope="module")
def outcome():
    """What came of a case; those that are fast run together, in a process without the hook of the tests."""
    known: dict[str, str] = {}

    def find(script: str, case: str) -> str:
        if case not in known:
            wanted = [case] if case in SLOW else [each for each in cases(script) if each not in SLOW]
            ended = subprocess.run(
                [sys.executable, HERE / f"{script}.py", *wanted],
                capture_output=True,
                text=True,
                check=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
            known.update(json.loads(ended.stdout))
        return known[case]

    return find


@pytest.mark.parametrize(
    ("script", "case"),
    [
        pytest.param(script, case, marks=[pytest.mark.slow] if case in SLOW else [], id=case)
        for script in SCRIPTS
        for case in cases(script)
    ],
)
def test_an_edge(outcome, script, case):
    assert outcome(script, case) == ""
