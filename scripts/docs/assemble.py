"""Put the site together: pages of docs/ and of elsewhere, pages made of code, and a configuration."""

import json
import shutil
from pathlib import Path

import api_pages
import cli_pages
from links import Links
from pages import DOCS, LISTS, ROOT, decisions, navigation, sources

from tubelet.report.figures.parts import STORED
from tubelet.report.zoo import zoo_text

CONFIGURATION = ROOT / "mkdocs.yml"


def assemble(target: Path) -> Path:
    """Write everything that the generator of the site reads into a folder, which is emptied first.

    Args:
        target: the folder; pages go to ``docs`` in it.

    Returns:
        The configuration.

    Raises:
        ValueError: a link leads to nothing, or a page is in no section of the navigation.
        LookupError: a public name has no docstring.
    """
    shutil.rmtree(target, ignore_errors=True)
    texts, assets = contents()
    for place, text in texts.items():
        _made(target / "docs" / place).write_text(text, encoding="utf-8")
    for place, path in assets.items():
        shutil.copyfile(path, _made(target / "docs" / place))
    # JSON is YAML, so that the navigation needs no library to be written.
    settings = CONFIGURATION.read_text(encoding="utf-8")
    navigated = f"{settings}\nnav: {json.dumps(navigation(texts))}\n"
    configuration = target / CONFIGURATION.name
    configuration.write_text(navigated, encoding="utf-8")
    return configuration


def contents() -> tuple[dict[str, str], dict[str, Path]]:
    """All pages as text and all other files, by their place in the site."""
    found = sources()
    links = Links(ROOT, {path: place for place, path in found.items()}, LISTS)
    texts = {
        place: links.moved(path.read_text(encoding="utf-8"), path, place) for place, path in found.items()
    }
    pictures = {
        path.relative_to(DOCS).as_posix(): path
        for path in sorted(DOCS.rglob("*"))
        if path.is_file() and path.suffix in {".svg", ".png", ".css"}
    }
    zoo = links.moved(zoo_text(ROOT / STORED), DOCS / "zoo.md", "zoo.md")
    made = {"zoo.md": zoo, LISTS["docs/decisions"]: decisions(texts)} | cli_pages.pages() | api_pages.pages()
    return texts | made, links.assets | pictures


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
