"""The sources of the clips of a shard as they were, so that a second run need not read them."""

import json
from collections.abc import Mapping
from pathlib import Path

from tubelet.files import output_errors, replacing
from tubelet.files.signature import Signature
from tubelet.jobs.identity import Digests
from tubelet.jobs.rows import Row
from tubelet.json_text import read_json

FOLDER = ".sources"
"""Where signatures lie, below the folder of the data set; without it the next run reads all sources."""


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

    def is_unchanged(self, row: Row, sha256: str) -> bool:
        """Whether a file holds what it held when its digest was this; one that is gone has not changed."""
        known = self._signatures.get(row.place)
        return self._digests.is_unchanged(row.path, sha256, known=known, written=self._written)


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
