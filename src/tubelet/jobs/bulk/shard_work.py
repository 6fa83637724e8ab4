"""One shard being made: which of its clips are done, and putting them together when all are.

A clip is done if the shard that is there holds it, or if its part is there, and its source has not changed.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, final

from tubelet.data.shards.description import Description
from tubelet.data.shards.index import Entry, Failure, ShardIndex, read_index
from tubelet.data.shards.record import Record
from tubelet.data.shards.writing import end_replacement, pending_path, write_shard
from tubelet.errors import DatasetError, VideoError
from tubelet.files import locked, output_errors
from tubelet.files.leftovers import remove
from tubelet.files.signature import Signature
from tubelet.jobs import identity
from tubelet.jobs.bulk import known_sources, parts
from tubelet.jobs.bulk.plan import PlannedClip

WORK = "work"
"""The folder of parts, below that of the data set; gone when all is done."""


class _ChangedError(Exception):
    """A source changed after its clip was encoded.

    Args:
        key: of the clip.
        place: of the source.
    """

    def __init__(self, key: str, place: str) -> None:
        super().__init__(place)
        self.key = key


@final
class ShardWork:
    """A shard, as it is and as it is to be.

    Args:
        folder: of the data set.
        description: what it is.
        number: of the shard.
        clips: that belong into it, in the order of their keys.
        digests: of sources.

    Attributes:
        clips: that belong into it, by key.
        kept: entries of clips that are done and in the shard, by key.
        in_parts: keys of clips that are done and in parts.
        unlisted: how many clips of the shard no list names any more.
        changed: keys of clips that failed since their source changed after they were done.
    """

    def __init__(
        self,
        folder: Path,
        description: Description,
        number: int,
        clips: Iterable[PlannedClip],
        digests: identity.Digests,
    ) -> None:
        self.clips = {clip.key: clip for clip in clips}
        self.kept: dict[str, Entry] = {}
        self.in_parts: set[str] = set()
        self.unlisted = 0
        self.changed: list[str] = []
        self._folder = folder
        self._description = description
        self._number = number
        self._header = description.header()
        self._path = description.shard_path(folder, number)
        self._index_path = description.index_path(folder, number)
        self._sources_path = folder / known_sources.FOLDER / self._index_path.name
        self._digests = digests
        self._work = folder / WORK / self._index_path.stem
        self._lock = ExitStack()
        self._index: ShardIndex | None = None
        self._failures: dict[str, Failure] = {}

    def look(self) -> None:
        """See what is done."""
        self._index = self._read_index()
        sources = known_sources.KnownSources(self._sources_path, self._digests)
        self.kept = {
            entry.key: entry
            for entry in self.entries
            if (clip := self.clips.get(entry.key)) is not None
            and clip.row == entry.row
            and sources.is_unchanged(clip.source, entry.source_sha256)
        }
        self.unlisted = sum(entry.key not in self.clips for entry in self.entries)
        there = {path.stem for path in self._work.glob(f"*{parts.SUFFIX}")}
        self.in_parts = {
            key
            for key in (there - set(self.kept)) & set(self.clips)
            if (part := self._part(key)) is not None and self._is_unchanged(part, self.clips[key])
        }

    @property
    def stored(self) -> int:
        """How many clips the shard that is there holds."""
        return len(self.entries)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Clips of the shard that is there."""
        return () if self._index is None else self._index.entries

    @property
    def is_complete(self) -> bool:
        """Whether the shard that is there holds its clips and no other, and no kill left its parts behind."""
        index = self._index
        return (
            index is not None
            and not index.failures
            and len(self.kept) == len(index.entries) == len(self.clips)
            and not pending_path(self._folder, self._description, self._number).exists()
            and not self._work.exists()
        )

    def begin(self) -> None:
        """Keep other processes away from this shard until `finish` or `close`, and see what is done.

        Raises:
            OutputError: another process works on it.
        """
        with output_errors(self._work):
            self._work.mkdir(parents=True, exist_ok=True)
        self._lock.enter_context(locked(self._work))
        end_replacement(self._folder, self._description, self._number)
        self.look()

    def close(self) -> None:
        """Let other processes work on this shard; what is done is kept."""
        self._lock.close()

    def missing(self) -> Iterator[dict[str, Any]]:
        """What a worker is asked for each clip that is not done."""
        # Ranges of a video together, so that what lies elsewhere is copied once.
        for key, clip in sorted(self.clips.items(), key=lambda each: _order(each[1])):
            if key not in self.kept and key not in self.in_parts:
                yield {
                    "clip": clip.to_json(),
                    "part": str(parts.part_path(self._work, key)),
                    "made_from": parts.made_from(self._header, clip),
                }

    def fail(self, key: str, reason: str) -> None:
        """Note that a clip failed."""
        row = self.clips[key].source
        self._failures[key] = Failure(
            key=key, source=row.name, path=row.place, start=row.start, end=row.end, reason=reason
        )

    def reason(self, key: str) -> str:
        """Why a clip failed."""
        return self._failures[key].reason

    def finish(self) -> None:
        """Put the shard together if it is not what it is to be, and remove the parts.

        A clip whose source changed since its part was written fails, and the shard is without it.

        Raises:
            OutputError: it cannot be written.
            DatasetError: what is in the old shard, or in a part, cannot be read.
        """
        while not self._is_as_it_was():
            try:
                self._replace()
            except _ChangedError as error:
                self.changed.append(error.key)
                self.fail(error.key, f"{error} changed after it was encoded. Encode it again.")
            else:
                self._index = self._read_index()
                break
        remove(self._work)
        self.close()

    def _read_index(self) -> ShardIndex | None:
        """The index, if there is one and the shard is there."""
        try:
            index = read_index(self._index_path)
        except DatasetError:
            return None
        if index is None or index.sha256 is None:
            return index
        whole = self._path.is_dir() or (self._path.is_file() and self._path.stat().st_size == index.bytes)
        return index if whole else None

    def _part(self, key: str) -> parts.ClipPart | None:
        """A part, if it is there and whole."""
        made_from = parts.made_from(self._header, self.clips[key])
        return parts.read_part(parts.part_path(self._work, key), key, made_from=made_from)

    def _is_unchanged(self, part: parts.ClipPart, clip: PlannedClip) -> bool:
        """Whether the source of a part is what it was; one that is gone, or cannot be read, is."""
        if identity.signature_of(clip.source.path) in (None, part.signature):
            return True
        try:
            return self._digests.of(clip.source.path).sha256 == part.record.facts["source_sha256"]
        except VideoError:
            return True

    def _is_as_it_was(self) -> bool:
        """Whether the shard that is there is what it is to be."""
        index = self._index
        if index is None or len(self.kept) != len(index.entries):
            return False
        done = len(self.kept) + len(self._failures) == len(self.clips)
        return done and {each.key: each for each in index.failures} == self._failures

    def _replace(self) -> None:
        """Write the shard, with what is done, and its index.

        Raises:
            _ChangedError: the source of a part changed since; nothing is replaced.
        """
        signatures: dict[str, Signature] = {}
        rows = {key: clip.row for key, clip in self.clips.items() if key not in self._failures}
        with ExitStack() as stack:
            old = None
            if any(key in self.kept for key in rows):
                old = stack.enter_context(self._description.shard_format.opened(self._path))

            def record_of(key: str) -> Record:
                row = self.clips[key].source
                if key in self.kept:
                    assert old is not None
                    if (signature := identity.signature_of(row.path)) is not None:
                        signatures[row.place] = signature
                    return old.read(key, self.kept[key].place)
                part = self._part(key)
                if part is None:
                    raise DatasetError(f"the part of clip {key} vanished from {self._work}. Start again.")
                if not self._is_unchanged(part, self.clips[key]):
                    raise _ChangedError(key, row.place)
                signatures[row.place] = part.signature
                return part.record

            failures = list(self._failures.values())
            write_shard(self._folder, self._description, self._number, rows, record_of, failures=failures)
        # After the index, because what these say is that its digests are of the files as they are.
        known_sources.write_signatures(self._sources_path, signatures)


def _order(clip: PlannedClip) -> tuple[str, float, str]:
    """In which order clips are encoded."""
    return clip.source.path, clip.source.start or 0.0, clip.key
