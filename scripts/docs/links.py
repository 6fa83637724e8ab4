"""Links of a page that moves: they lead to the same files from its new place."""

import re
from collections.abc import Callable
from os.path import normpath, relpath
from pathlib import Path, PurePosixPath

_LINK = re.compile(r"(?P<before>!?\[[^\]]*\]\()(?P<target>[^)\s]+)(?P<after>[^)]*\))")
_FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", flags=re.DOTALL | re.MULTILINE)


class Links:
    """Where files of the repository are in the site.

    Attributes:
        assets: files that pages link to and that are not pages, by their place in the site.
    """

    def __init__(self, root: Path, places: dict[Path, str], lists: dict[str, str]) -> None:
        """Know the pages.

        Args:
            root: the repository.
            places: files of the repository that are pages, with their place in the site.
            lists: folders of the repository that a page of the site lists, with its place.
        """
        self._root, self._places, self._lists = root, places, lists
        self.assets: dict[str, Path] = {}

    def moved(self, text: str, source: Path, place: str) -> str:
        """The text of a page with links that hold at its place in the site.

        Raises:
            ValueError: a link leads to nothing.
        """
        return _outside_code(text, lambda part: _LINK.sub(lambda m: self._link(m, source, place), part))

    def _link(self, found: re.Match[str], source: Path, place: str) -> str:
        target, _, anchor = found["target"].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return found[0]
        path = Path(normpath(source.parent / target))
        if not path.exists() or not path.is_relative_to(self._root):
            raise ValueError(f"{source.relative_to(self._root)} links to {target}, which is not there.")
        there = relpath(self._place(path), PurePosixPath(place).parent)
        return f"{found['before']}{there}{'#' if anchor else ''}{anchor}{found['after']}"

    def _place(self, path: Path) -> str:
        """Where a file is in the site; a folder is the page that lists it."""
        if path.is_dir():
            folder = path.relative_to(self._root).as_posix()
            if path / "README.md" not in self._places and folder not in self._lists:
                raise ValueError(f"a link leads to the folder {folder}; link to a file of it.")
            return self._lists.get(folder) or self._places[path / "README.md"]
        if path in self._places:
            return self._places[path]
        docs = self._root / "docs"
        inside = path.is_relative_to(docs)
        place = (
            path.relative_to(docs).as_posix()
            if inside
            else f"files/{path.relative_to(self._root).as_posix()}"
        )
        self.assets[place] = path
        return place


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change a text where it is not a block of code."""
    parts, end = [], 0
    for block in _FENCE.finditer(text):
        parts += [change(text[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*parts, change(text[end:])])
