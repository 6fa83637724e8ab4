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
from tubelet.files.signature import Signature, file_signature
from tubelet.files.urls import is_url, without_secrets
from tubelet.jobs.remote import LocalCopies, remote_info, tag_number
from tubelet.video.opening import check_file

_COARSE = 2_000_000_000
"""Nanoseconds within which a file may change twice and look the same."""

_SMALL = 1 << 16
"""Bytes that are read at once."""

_NEVER = 1 << 62
"""Nanoseconds; a time that is never past."""


class Source(NamedTuple):
    """A file as it was when it was encoded: the digest of its bytes, and what the system said of it."""

    sha256: str
    signature: Signature


def signature_of(location: str) -> Signature | None:
    """What the system, or a server, says of a file; none if it is not there."""
    if is_url(location):
        info = remote_info(location)
        if info is None:
            return None
        # A tag stands for the bytes; a time is doubted as always; without either nothing is believed.
        when = 0 if info.tag else _NEVER if info.changed is None else info.changed
        return Signature(tag_number(info), info.bytes, info.changed or 0, when)
    return file_signature(location)


class Digests:
    """Digests of files, taken once for each file that does not change meanwhile.

    Args:
        copies: of files that lie elsewhere.
    """

    def __init__(self, copies: LocalCopies | None = None) -> None:
        self._copies = LocalCopies() if copies is None else copies
        self._known: dict[tuple[str, Signature], str] = {}

    def of(self, location: str) -> Source:
        """The digest of a file.

        Args:
            location: a path or a URL.

        Raises:
            VideoError: it cannot be read.
        """
        signature = signature_of(location)
        if signature is None:
            # Of a URL, the first says what the server has against it; of a link, the second where it leads.
            check_file(self._copies.path(location))
            raise VideoError(f"{without_secrets(location)}: no such file. Check the spelling and the folder.")
        place = (location, signature)
        if place not in self._known:
            path = self._copies.path(location)
            try:
                self._known[place] = _digest(path)
            except OSError as error:
                raise VideoError(f"{without_secrets(location)} cannot be read: {error.strerror}.") from error
        return Source(self._known[place], signature)

    def is_unchanged(self, location: str, sha256: str, *, known: Signature | None, written: int) -> bool:
        """Whether a file holds what it held when its digest was this; one that is gone has not changed.

        Args:
            location: of the file.
            sha256: the digest.
            known: what the system said of the file then; none if nobody noted it.
            written: nanoseconds, when that was noted.
        """
        found = signature_of(location)
        if found is None or (known == found and found.status_changed < written - _COARSE):
            return True
        try:
            return self.of(location).sha256 == sha256
        except VideoError:
            return True


def _digest(path: Path) -> str:
    """The digest of a file; a small one is read at once, which takes half the time.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_SMALL)
        if len(head) < _SMALL:
            return hashlib.sha256(head).hexdigest()
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()
