"""The site has a page for every public name and every command, and its links lead somewhere."""

import ast
import re
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

import tubelet
from tubelet.cli.parser import COMMANDS

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "scripts" / "docs"
MODULES = ("pages", "links", "cli_pages", "api_pages", "check", "assemble")


@pytest.fixture(scope="module")
def scripts():
    """The modules of the scripts, which import one another as they do when they are started."""
    sys.path.insert(0, str(SCRIPTS))
    yield SimpleNamespace(**{name: import_module(name) for name in MODULES})
    sys.path.remove(str(SCRIPTS))
    for name in MODULES:
        sys.modules.pop(name)


@pytest.fixture(scope="module")
def texts(scripts):
    return scripts.assemble.contents()[0]


def test_every_public_name_has_a_page_that_shows_it(texts):
    for name in tubelet.__all__:
        assert f"::: {tubelet._HOMES[name]}.{name}\n" in texts[f"api/{name}.md"]
        assert f"(../api/{name}.md)" in texts["reference/python.md"]


def test_packages_that_are_shown_are_there(scripts):
    shown = [part for _, parts in scripts.api_pages.PACKAGES.values() for part in parts]
    for module in (found for part in shown for found in scripts.api_pages.modules(part)):
        text = scripts.api_pages._file(module).read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), module


def test_every_command_has_a_page_with_all_it_takes(scripts, texts):
    commands = scripts.cli_pages.commands()
    assert {command.NAME for command in COMMANDS} == commands.keys()
    for name, parser in commands.items():
        page = texts[f"cli/{name}.md"]
        for action in parser._actions:
            for option in action.option_strings:
                assert f"`{option}`" in page or action.dest in scripts.cli_pages._COMMON


def test_every_page_is_in_the_navigation_once(scripts, texts):
    listed = re.findall(r"'([\w./-]+\.md)'", repr(scripts.pages.navigation(texts)))
    assert sorted(listed) == sorted(texts)


def test_a_page_in_no_section_is_named(scripts, texts):
    with pytest.raises(ValueError, match=r"guides/new\.md are in no section"):
        scripts.pages.navigation(texts | {"guides/new.md": "# New"})
    with pytest.raises(ValueError, match=r"names laws\.md"):
        scripts.pages.navigation({place: text for place, text in texts.items() if place != "laws.md"})


def test_links_hold_where_a_page_moves_to(scripts, tmp_path):
    for name in ("docs/guide.md", "src/SPEC.md", "results.json", "docs/sub/page.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    places = {tmp_path / "docs" / "guide.md": "guide.md", tmp_path / "src" / "SPEC.md": "reference/tube.md"}
    links = scripts.links.Links(tmp_path, places, {"docs/sub": "sub/index.md"})
    text = (
        "[a](guide.md#part) [b](../src/SPEC.md) [c](../results.json) [d](sub) [e](https://x.example) [f](#g)"
    )
    assert links.moved(text, tmp_path / "docs" / "page.md", "deep/page.md") == (
        "[a](../guide.md#part) [b](../reference/tube.md) [c](../files/results.json) [d](../sub/index.md) "
        "[e](https://x.example) [f](#g)"
    )
    assert links.assets == {"files/results.json": tmp_path / "results.json"}
    code = "```python\nvideo[a](nothing.md)\n```\n"
    assert links.moved(code, tmp_path / "docs" / "page.md", "page.md") == code
    with pytest.raises(ValueError, match=r"docs/page\.md links to nothing\.md, which is not there"):
        links.moved("[a](nothing.md)", tmp_path / "docs" / "page.md", "page.md")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="b.html#here">', None),
        ('<a href="b.html#there">', "b.html#there leads to no heading"),
        ('<a href="c.html">', "c.html leads to nothing"),
        ('<a href="../outside.html">', "leads to nothing"),
        ('<a href="https://elsewhere.example/">', None),
        ('<script src="https://elsewhere.example/a.js"></script>', "loaded from another host"),
        ('<link rel="stylesheet" href="//fonts.example/a.css">', "loaded from another host"),
        ('<link rel="canonical" href="https://elsewhere.example/">', None),
        ('<img src="picture.png">', "picture.png leads to nothing"),
    ],
)
def test_a_built_page_that_leads_nowhere_or_elsewhere_is_found(scripts, tmp_path, body, fault):
    (tmp_path / "a.html").write_text(f"<h1 id='top'>a</h1>{body}")
    (tmp_path / "b.html").write_text("<h1 id='here'>b</h1>")
    found = scripts.check.faults(tmp_path)
    assert len(found) == (fault is not None)
    assert fault is None or fault in found[0]


def test_text_of_help_is_no_markdown_but_its_code(scripts):
    assert scripts.cli_pages._escaped("a|b *c* `d_e*` <f>") == r"a\|b \*c\* `d_e*` \<f\>"
