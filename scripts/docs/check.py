"""Check a built site: links lead somewhere, nothing is loaded from another host."""

from html.parser import HTMLParser
from os.path import normpath
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

_LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
"""What a browser loads by itself; of links those that are not style or icon are not."""

_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch"}


class Reference(NamedTuple):
    """A place that a page refers to, and whether a browser loads it without being asked."""

    target: str
    loaded: bool


class _Page(HTMLParser):
    """What a page refers to, and its anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[Reference] = []
        self.anchors: set[str] = {"", "__skip"}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what refers to something."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.references.append(Reference(values["href"], loaded=False))
        if tag in _LOADED and (target := values.get(_LOADED[tag])):
            loaded = tag != "link" or bool(_RELATIONS & set(values.get("rel", "").split()))
            self.references.append(Reference(target, loaded=loaded))


def faults(site: Path) -> list[str]:
    """What is wrong with a site, a line each; none if all is well."""
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    styles = [path for path in site.rglob("*.css") if "//fonts." in path.read_text(encoding="utf-8")]
    found = [f"{path.relative_to(site)} loads fonts from another host" for path in styles]
    for path, page in pages.items():
        found += [
            f"{path.relative_to(site)}: {reference.target} {fault}"
            for reference in page.references
            if (fault := _fault(reference, path, site, pages))
        ]
    return found


def _fault(reference: Reference, path: Path, site: Path, pages: dict[Path, _Page]) -> str:
    """What is wrong with a reference, or nothing."""
    parts = urlsplit(reference.target)
    if parts.scheme or parts.netloc:
        elsewhere = parts.scheme not in {"data", "mailto"}
        return "is loaded from another host" if reference.loaded and elsewhere else ""
    if parts.path.startswith("/"):
        return ""  # The page that is shown where there is none has links from the root.
    there = path if not parts.path else Path(normpath(path.parent / unquote(parts.path)))
    if there.is_dir():
        there /= "index.html"
    if not there.is_file() or not there.is_relative_to(site):
        return "leads to nothing"
    known = there not in pages or unquote(parts.fragment) in pages[there].anchors
    return "" if known else "leads to no heading of that page"


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page
