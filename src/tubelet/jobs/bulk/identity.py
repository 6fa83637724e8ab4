"""Whether a source is what it was: by the digest of all its bytes, taken again only where it must be.

Size and time of change are no identity: a copy may keep both. A digest is taken again after any change of the
file's number (inode), size, time of change or time of *status* change; the last no program can set back. A
file that changed within two seconds before its digest was written down is not believed either, because the
clocks of file systems are coarse.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tubelet.errors import VideoError
from tubelet.files import output_errors, replacing
from tubelet.json_text import read_json

FOLDER = ".sources"
"""Where signatures lie, below the folder of the data set; without it the next run reads all sources."""

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


class KnownSources:
    """The sources of a shard's clips as they were, by path.

    Args:
        path: of the file that keeps them.
        digests: of files that were read since.
    """

    def __init__(self, path: Path, digests: Digests) -> None:
        self._path = path
        self._digests = digests
        self._written = 0
        self._signatures: dict[str, Signature] = {}
        try:
            content = read_json(path)
            self._written = path.stat().st_mtime_ns
            self._signatures = {name: Signature(*map(int, each)) for name, each in content.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self._signatures = {}

    def is_unchanged(self, path: str, sha256: str) -> bool:
        """Whether a file holds what it held when its digest was this; one that is gone has not changed."""
        found = signature_of(Path(path))
        if found is None:
            return True
        known = self._signatures.get(path)
        if known == found and found.status_changed < self._written - _COARSE:
            return True
        try:
            return self._digests.of(Path(path)).sha256 == sha256
        except VideoError:
            return True


def write_signatures(path: Path, signatures: Mapping[str, Signature]) -> None:
    """Keep the signatures of a shard's sources, by path, for the next run.

    Raises:
        OutputError: they cannot be written.
    """
    kept = {name: list(signatures[name]) for name in sorted(signatures)}
    with output_errors(path):
        path.parent.mkdir(exist_ok=True)
    with replacing(path, force=True) as beside:
        beside.write_text(json.dumps(kept, indent=0) + "\n", encoding="utf-8")
