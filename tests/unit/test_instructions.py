"""What is shown to users names only what they have: a wheel holds the package, and no folder beside it."""

import ast
import re
from pathlib import Path

import pytest

import tubelet

PACKAGE = Path(tubelet.__file__).parent
BESIDE = re.compile(r"\b(benchmarks|scripts|docs|tests|examples|experiments)/\w")


def shown_texts(path: Path) -> list[str]:
    """The texts of a module that a user may see: all but docstrings, which are seen of commands alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documents = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documents
    ]
    return [*texts, ast.get_docstring(tree) or ""] if path.parent.name == "cli" else texts


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in PACKAGE.rglob("*.py")}), ids=lambda each: each.name
)
def test_messages_and_help_name_nothing_beside_the_package(folder):
    named = {
        f"{path.name}: {text:.80}"
        for path in folder.glob("*.py")
        for text in shown_texts(path)
        if BESIDE.search(text)
    }
    assert not named


@pytest.mark.parametrize(
    "path",
    [path for path in PACKAGE.rglob("*") if path.suffix in {".md", ".html", ".js", ".css"}],
    ids=lambda path: "/".join(path.parts[-2:]),
)
def test_cards_and_pages_name_nothing_beside_the_package(path):
    assert not [line for line in path.read_text(encoding="utf-8").splitlines() if BESIDE.search(line)]
