"""Whether a source is what it was: by the digest of all its bytes, taken again only where it must be.

Size and time of change are no identity: a copy may keep both. A digest is taken again after any change of the
file's number (inode), size, time of change or time of *status* change; the last no program can set back. A
file that changed within two seconds before its digest was written down is not believed either, because the
clocks of file systems are coarse.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

from tubelet.errors import VideoError

_COARSE = 2_000_000_000
"""Nanoseconds within which a file may change twice and look the same."""


class Signature(NamedTuple):
    """What the system says of a file without reading it: number, bytes, times of change in nanoseconds."""

    number: int
    bytes: int
    changed: int
    status_changed: int


class Source(NamedTuple):
    """A file as it was when it was encoded: the digest of its bytes, and what the system said of it."""

    sha256: str
    signature: Signature


def signature_of(path: Path) -> Signature | None:
    """What the system says of a file; none if it is not there."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return Signature(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class Digests:
    """Digests of files, taken once for each file that does not change meanwhile."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Signature], str] = {}

    def of(self, path: Path) -> Source:
        """The digest of a file.

        Raises:
            VideoError: it cannot be read.
        """
        signature = signature_of(path)
        if signature is None:
            raise VideoError(f"{path}: no such file. Check the spelling and the folder.")
        place = (str(path), signature)
        if place not in self._known:
            try:
                with path.open("rb") as file:
                    self._known[place] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise VideoError(f"{path} cannot be read: {error.strerror}.") from error
        return Source(self._known[place], signature)

    def is_unchanged(self, path: str, sha256: str, *, known: Signature | None, written: int) -> bool:
        """Whether a file holds what it held when its digest was this; one that is gone has not changed.

        Args:
            path: of the file.
            sha256: the digest.
            known: what the system said of the file then; none if nobody noted it.
            written: nanoseconds, when that was noted.
        """
        found = signature_of(Path(path))
        if found is None or (known == found and found.status_changed < written - _COARSE):
            return True
        try:
            return self.of(Path(path)).sha256 == sha256
        except VideoError:
            return True
