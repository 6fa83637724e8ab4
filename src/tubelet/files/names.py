"""Names of files are bytes: how they are shown, stored as text, and kept short enough."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST_NAME = 255
"""Bytes of a file's name at most, as nearly every file system has it."""

_SHOWN = 80
"""Characters of a name that are shown; of a longer one the beginning and the end."""

_LONG = re.compile(rf"[^\s/]{{{_SHOWN + 1},}}")


def printable(text: object) -> str:
    r"""Text that is safe to print and valid Unicode, in one line.

    Control characters, invisible ones and bytes that are not UTF-8 are escaped as Python writes them:
    ``\x1b``, ``\n``, ``\u202e``. Names, between slashes and spaces, of over 80 characters are shortened in
    their middle.
    """
    shown = "".join(char if char.isprintable() else _escaped(char) for char in str(text))
    return _LONG.sub(lambda found: f"{found[0][: _SHOWN - 25]}…{found[0][-24:]}", shown)


def real_path(path: Path) -> Path:
    """A path without links, whether or not it is there; those that lead to one another in a circle stay."""
    return Path(os.path.realpath(path))


def is_name(name: str | Path) -> bool:
    """Whether something may be the name of what is shipped; with a slash, as in ``./name``, it is a path."""
    return Path(name).name == os.fspath(name)


def text_name(name: str) -> str:
    r"""A file's name as valid Unicode, for files that hold no other: bytes that are none are ``\xe9``."""
    return "".join(_escaped(char) if "\ud800" <= char <= "\udfff" else char for char in name)


def suffix_text(suffix: str) -> str:
    """How an error says in what a file's name ends."""
    return repr(suffix) if suffix else "no suffix"


@contextmanager
def utf8_path(path: Path) -> Iterator[Path]:
    """The path of a file or folder that is there, for libraries that open no path but of UTF-8.

    Raises:
        OSError: it is not there.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            yield Path(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
    else:
        yield path


def fitted_name(stem: str, suffix: str) -> str:
    """`stem` and `suffix` as the name of a file; a stem too long is cut, and told apart by a digest."""
    if len(os.fsencode(stem + suffix)) <= LONGEST_NAME:
        return stem + suffix
    whole = os.fsencode(stem)
    end = f"-{hashlib.sha256(whole).hexdigest()[:8]}{suffix}"
    return whole[: LONGEST_NAME - len(os.fsencode(end))].decode(errors="ignore") + end


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"  # the byte that it stands for
    return char.encode("unicode_escape").decode()
