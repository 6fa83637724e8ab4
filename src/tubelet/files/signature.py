"""What the system says of a file without reading it, which tells it from one that takes its place."""

import os
from pathlib import Path
from typing import NamedTuple


class Signature(NamedTuple):
    """Number, bytes and times of change of a file.

    Attributes:
        number: of the file (inode).
        bytes: that it holds.
        changed: nanoseconds, when its bytes changed; a program can set it back.
        status_changed: nanoseconds, when anything of it changed, a mode or a further name (hard link) too; no
            program can set it back.
    """

    number: int
    bytes: int
    changed: int
    status_changed: int

    @property
    def whatever_its_status(self) -> "Signature":
        """The same for a file whose mode or names alone changed meanwhile."""
        return self._replace(status_changed=0)


def file_signature(path: Path | str) -> Signature | None:
    """What the system says of a file; none if it is not there or cannot be looked at."""
    try:
        found = os.stat(path)  # noqa: PTH116  a name that no path can have is asked for too
    except (OSError, ValueError):
        return None
    return Signature(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
