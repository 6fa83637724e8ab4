"""Work file by file: what is done is left alone, what fails is named, and the rest is done."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tubelet.errors import OptionError, OutputError, VideoError
from tubelet.files import locked, output_errors, replacing
from tubelet.files.leftovers import sweep
from tubelet.jobs.failures import FAILURES, OnError, reason_of
from tubelet.jobs.files.done import DoneFile, DoneFiles, digest_of
from tubelet.jobs.files.plan import FileClip
from tubelet.jobs.identity import Digests, signature_of
from tubelet.jobs.remote import LocalCopies
from tubelet.jobs.sources import local_copies
from tubelet.video.ranges import AnyVideo


@dataclass(frozen=True, slots=True)
class FilesReport:
    """What became of clips; each is in one of the three.

    Attributes:
        made: figures of each file that was made, by its path.
        kept: the same of those that were done before.
        failed: why, by the name of each clip that gave no file.
    """

    made: dict[Path, Mapping[str, Any]] = field(default_factory=dict)
    kept: dict[Path, Mapping[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def make_files(
    clips: Sequence[FileClip],
    folder: Path,
    make: Callable[[AnyVideo, Path], Mapping[str, Any]],
    *,
    made_from: Mapping[str, Any],
    on_error: OnError = "skip",
    force: bool = False,
    on_clip: Callable[[FileClip, FilesReport], None] = lambda _clip, _report: None,
) -> FilesReport:
    """Make a file of each clip; goes on where an earlier run ended, however that ended.

    Args:
        clips: as `plan_files` gave them.
        folder: that the files go into; made if it is missing.
        make: makes one file, which may be replaced, of a video, and gives its figures, as JSON holds them.
        made_from: all that decides a file beside its clip, as JSON holds it: tokenizer, settings.
        on_error: whether a clip that fails is skipped, or ends the work.
        force: whether all files are made, whatever is there.
        on_clip: called after each clip, with what is done so far.

    Raises:
        OutputError: a file is there that is not to be replaced (said before any work), another process works
            in the folder, or the disk is full or refuses something.
        OptionError: that is why every clip failed.
        VideoError: every clip failed; or one did, and `on_error` is ``stop``.
    """
    report = FilesReport()
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; several results go into a folder. Name a new one.")
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder), local_copies([clip.row for clip in clips]) as copies:
        digests = Digests(copies)
        done = DoneFiles(folder, digests)
        wanted = [(clip, _wanted(clip, made_from)) for clip in clips]
        before = {} if force else {clip.target: done.of(clip, of) for clip, of in wanted}
        for parent in {clip.target.parent for clip in clips}:
            sweep(parent)
        errors: list[Exception] = []
        for clip, of in wanted:
            kept = before.get(clip.target)
            if kept is not None:
                report.kept[clip.target] = kept.figures
            else:
                try:
                    found = _make_one(clip, of, make, digests, copies, done)
                    report.made[clip.target] = found.figures
                except OutputError:
                    raise
                except FAILURES as error:
                    if on_error == "stop":
                        raise VideoError(f"{clip.row.shown}: {reason_of(error)}") from error
                    errors.append(error)
                    report.failed[clip.row.shown] = reason_of(error)
            on_clip(clip, report)
    if len(errors) == len(clips):
        _raise_all(errors, report)
    return report


def _wanted(clip: FileClip, made_from: Mapping[str, Any]) -> dict[str, Any]:
    """All that decides a file."""
    row = clip.row
    return {**made_from, "start": row.start, "end": row.end, "caption": row.caption}


def _make_one(
    clip: FileClip,
    made_from: Mapping[str, Any],
    make: Callable[[AnyVideo, Path], Mapping[str, Any]],
    digests: Digests,
    copies: LocalCopies,
    done: DoneFiles,
) -> DoneFile:
    """Make a file, and note that it is done.

    Raises:
        TubeletError: it cannot be made.
    """
    row = clip.row
    row.check()
    source = digests.of(row.path)
    with output_errors(clip.target):
        clip.target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(clip.target, force=True) as beside:
        with copies.opened(row.video) as video:
            figures = make(video, beside)
        if signature_of(row.path) != source.signature:
            raise VideoError(f"{row.place} changed while it was read. Start again.")
        found = DoneFile(
            sha256=digest_of(beside),
            made_from=made_from,
            path=row.place,
            source_sha256=source.sha256,
            signature=source.signature,
            written=time.time_ns(),
            figures=figures,
        )
        # Noted before the file has its name: a kill between the two leaves a file that is missing.
        done.note(clip, found)
    return found


def _raise_all(errors: Sequence[Exception], report: FilesReport) -> None:
    """Raise why there is no file at all."""
    for error in errors:
        if isinstance(error, OptionError):
            raise error  # what is wrong with the options is so for all
    first = next(iter(report.failed.items()))
    raise VideoError(f"none of the {len(errors)} clips gives a file; the first, {first[0]}: {first[1]}")
