"""What is done of work file by file: a line for each file, in the folder that they go into."""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tubelet.errors import OutputError, VideoError
from tubelet.files import output_errors
from tubelet.files.signature import Signature
from tubelet.jobs.files.plan import FileClip
from tubelet.jobs.identity import Digests
from tubelet.json_text import text_to_json

JOURNAL = ".tubelet-done.jsonl"
"""Says of each file what it was made of; without it what is there is nobody's, and not replaced unasked."""


class DoneFile(NamedTuple):
    """A file that is done.

    Attributes:
        sha256: digest of its bytes.
        made_from: settings, tokenizer, range and caption.
        path: of its source.
        source_sha256: digest of that.
        signature: what the system said of that.
        written: nanoseconds, when this was noted.
        figures: what is known of the file.
    """

    sha256: str
    made_from: Mapping[str, Any]
    path: str
    source_sha256: str
    signature: Signature
    written: int
    figures: Mapping[str, Any]


class DoneFiles:
    """The files of a folder that are done.

    Args:
        folder: that they lie in.
        digests: of sources.
    """

    def __init__(self, folder: Path, digests: Digests) -> None:
        self._folder = folder
        self._path = folder / JOURNAL
        self._digests = digests
        # All that were made, for the last one may not have got its name.
        self._done: dict[str, list[DoneFile]] = {}
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError):
            text = ""
        # What follows the last end of line was cut off by a kill, and so may any line be by a crash.
        for line in text.split("\n"):
            try:
                content = text_to_json(line)
                fields = {name: content[name] for name in DoneFile._fields}
                fields["signature"] = Signature(*map(int, fields["signature"]))
                self._done.setdefault(content["file"], []).append(DoneFile(**fields))
            except (KeyError, TypeError, ValueError):
                continue
        self._is_torn = bool(text) and not text.endswith("\n")

    def of(self, clip: FileClip, made_from: Mapping[str, Any]) -> DoneFile | None:
        """The file of a clip, if it is done; none if it is to be made, in the place of one that is not.

        Raises:
            OutputError: a file is there that is not to be replaced: it was made otherwise, of another source,
                or by somebody else.
        """
        target = clip.target
        if not os.path.lexists(target):
            return None
        other = "Name another folder, or replace it with --force."
        sha256 = digest_of(target)
        made = self._done.get(self._name(target), ())
        done = next((each for each in reversed(made) if each.sha256 == sha256), None)
        if done is None:
            raise OutputError(f"{target} exists, and is none that this command made. {other}")
        if json.loads(json.dumps(made_from)) != done.made_from:
            differences = _differences(done.made_from, made_from)
            raise OutputError(f"{target} was made with other settings: {differences}. {other}")
        if done.path == clip.row.place:
            same = self._digests.is_unchanged(
                clip.row.path, done.source_sha256, known=done.signature, written=done.written
            )
            return done if same else None
        with suppress(VideoError):
            if self._digests.of(clip.row.path).sha256 == done.source_sha256:
                return done
        raise OutputError(f"{target} was made of {done.path}, not of {clip.row.shown}. {other}")

    def note(self, clip: FileClip, done: DoneFile) -> None:
        """Write down that a file is done.

        Raises:
            OutputError: it cannot be written.
        """
        line = json.dumps({"file": self._name(clip.target)} | done._asdict())
        with output_errors(self._path), self._path.open("a", encoding="utf-8") as journal:
            journal.write(("\n" if self._is_torn else "") + line + "\n")
        self._is_torn = False

    def _name(self, target: Path) -> str:
        return target.relative_to(self._folder).as_posix()


def digest_of(path: Path) -> str:
    """SHA-256 of a file that was written; empty if it cannot be read.

    A link, pipe or folder is none.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """In which settings two files differ, in words."""
    plain = json.loads(json.dumps(other))
    found = [
        f"its {name} is {one[name]!s:.40}, not {plain[name]!s:.40}"
        for name in one
        if name in plain and one[name] != plain[name]
    ]
    return "; ".join(found) or "it holds something else"
