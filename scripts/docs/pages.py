"""Which pages the site has, in the order of its navigation, and where each one comes from."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

OUTSIDE = {
    "reference/tube.md": "src/tubelet/bitstream/SPEC.md",
    "project/architecture.md": "ARCHITECTURE.md",
    "project/contributing.md": "CONTRIBUTING.md",
    "project/conduct.md": "CODE_OF_CONDUCT.md",
    "project/security.md": "SECURITY.md",
    "project/changelog.md": "CHANGELOG.md",
    "project/experiments.md": "experiments/README.md",
    "project/gpu.md": "scripts/gpu/README.md",
}
"""Pages of the site that are files outside of docs/, by their place in the site."""

CARDS = (
    "src/tubelet/weights", "src/tubelet/priors/weights", "src/tubelet/generate/weights",
    "further/src/tubelet_weights/weights", "further/src/tubelet_weights/generators",
    "further/src/tubelet_weights/priors",
)  # fmt: skip
"""Folders of what is shipped; the card of each is a page in cards/."""

LISTS = {"docs/decisions": "decisions/index.md"}
"""Folders whose pages are listed by one that is made when the site is put together, with its place."""

NAVIGATION: dict[str, str | list[str]] = {
    "Home": "index.md",
    "Start": ["start/install.md", "start/first-clip.md", "start/first-latent.md"],
    "Guides": [
        "guides/datasets.md",
        "guides/train.md",
        "guides/fine-tune.md",
        "guides/tokens.md",
        "guides/streams.md",
        "guides/budgets.md",
        "guides/evaluate.md",
        "guides/diffusers.md",
        "guides/export.md",
        "guides/page.md",
        "guides/generate.md",
        "guides/motion.md",
        "guides/predict.md",
        "guides/distributions.md",
        "guides/structure.md",
        "guides/flow.md",
        "guides/models.md",
        "guides/priors.md",
        "guides/damage.md",
    ],
    "Concepts": ["concepts/what-a-tokenizer-is.md", "concepts/the-way-of-the-data.md"],
    "Reference": [
        "reference/command-line.md",
        "cli/*.md",
        "reference/python.md",
        "api/*.md",
        "reference/tube.md",
        "reference/results-format.md",
        "reference/bench-format.md",
        "glossary.md",
    ],
    "Model zoo": ["zoo.md", "cards/*.md"],
    "Figures": ["figures.md", "rate-distortion.md", "multiplier.md"],
    "Laws and rivals": ["laws.md", "rivals.md"],
    "Project": [
        "project/architecture.md",
        "project/contributing.md",
        "project/conduct.md",
        "project/security.md",
        "project/changelog.md",
        "limits.md",
        "decisions/*.md",
        "lab-log.md",
        "project/experiments.md",
        "project/gpu.md",
    ],
}
"""Sections of the site and their pages; a pattern stands for all pages of a folder, under its name."""


def sources() -> dict[str, Path]:
    """Every page that is written by hand, by its place in the site."""
    inside = {path.relative_to(DOCS).as_posix(): path for path in sorted(DOCS.rglob("*.md"))}
    outside = {place: ROOT / path for place, path in OUTSIDE.items()}
    cards = {
        f"cards/{card.parent.name}.md": card
        for folder in CARDS
        for card in sorted((ROOT / folder).glob("*/card.md"))
    }
    return inside | outside | cards


def decisions(texts: dict[str, str]) -> str:
    """The page that lists all decisions, from the texts of all pages."""
    found = {
        place.removeprefix("decisions/"): title(text)
        for place, text in texts.items()
        if "decisions/" in place
    }
    lines = [f"- [{name}]({place})" for place, name in sorted(found.items())]
    begin = "Why it is so: context, decision and consequences of each, numbered as they were taken."
    return "\n".join(["# Decisions", "", begin, "", *lines, ""])


def title(text: str) -> str:
    """The first heading of a page.

    Raises:
        ValueError: it has none.
    """
    for line in text.splitlines():
        if line.startswith("# "):
            return line.removeprefix("# ").replace("`", "").strip()
    raise ValueError(f"a page begins with a heading, and this one has none: {text[:60]!r}")


def navigation(pages: dict[str, str]) -> list[dict[str, object]]:
    """The navigation as the generator of the site reads it.

    Args:
        pages: texts of all pages by their place.

    Raises:
        ValueError: a page is in no section, or a section names a page that is not there.
    """
    listed: list[str] = []
    sections: list[dict[str, object]] = []
    for section, entries in NAVIGATION.items():
        if isinstance(entries, str):
            listed.append(entries)
            sections.append({section: entries})
            continue
        items = [item for entry in entries for item in _items(entry, pages)]
        sections.append({section: items})
        listed += _places(items)
    if missing := sorted(set(listed) - pages.keys()):
        raise ValueError(f"the navigation names {', '.join(missing)}, and there is no such page.")
    if lost := sorted(pages.keys() - set(listed)):
        raise ValueError(f"{', '.join(lost)} are in no section of NAVIGATION; add them.")
    return sections


def _items(entry: str, pages: dict[str, str]) -> Iterator[dict[str, object]]:
    """One page, or all pages of a folder as a section of their own."""
    folder, _, name = entry.rpartition("/")
    if name != "*.md":
        yield {title(pages[entry]) if entry in pages else entry: entry}
        return
    inside = sorted(place for place in pages if place.rpartition("/")[0] == folder)
    yield {_FOLDERS[folder]: [{title(pages[place]): place} for place in inside]}


_FOLDERS = {"cli": "Commands", "api": "Python API", "cards": "Cards", "decisions": "Decisions"}


def _places(items: list[dict[str, object]]) -> Iterator[str]:
    """All pages of a section."""
    for item in items:
        for value in item.values():
            if isinstance(value, str):
                yield value
            elif isinstance(value, list):
                yield from _places(value)
