"""Encoding a data set: what is done already, the rest by several processes, shard by shard."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, final

from tubelet.cores import cores
from tubelet.data.shards.description import (
    DESCRIPTION,
    ERRORS,
    SHARDS,
    Description,
    read_description,
    write_description,
)
from tubelet.data.shards.errors_file import write_errors
from tubelet.data.shards.losses import summed
from tubelet.data.shards.parquet import shard_packages
from tubelet.devices import find_device
from tubelet.errors import OutputError, VideoError
from tubelet.files import locked, output_errors
from tubelet.files.leftovers import OWN, sweep
from tubelet.files.lock import LOCK_FILE
from tubelet.jobs import identity
from tubelet.jobs.bulk import known_sources
from tubelet.jobs.bulk.bulk import ALL, BulkEncoding, BulkReport
from tubelet.jobs.bulk.encode_batch import batches_of
from tubelet.jobs.bulk.estimate import shards_for
from tubelet.jobs.bulk.plan import PlannedClip
from tubelet.jobs.bulk.processes import Answered, answered
from tubelet.jobs.bulk.ray_engine import answered_by_ray
from tubelet.jobs.bulk.settings import describe, read_checkpoint
from tubelet.jobs.bulk.shard_work import WORK, ShardWork
from tubelet.jobs.remote import copies_folder

_LOG = logging.getLogger("tubelet.jobs")

THREADS = 1
"""Threads of each process: always as many, so that no sum is added up in another order."""

_OWN = {DESCRIPTION, ERRORS, SHARDS, WORK, known_sources.FOLDER, LOCK_FILE}


class Prospect(NamedTuple):
    """What a run would do.

    Attributes:
        description: of the data set.
        report: what is done before the work.
    """

    description: Description
    report: BulkReport


def prospect(bulk: BulkEncoding) -> Prospect:
    """What `encode_dataset` would do, without writing anything.

    Raises:
        TubeletError: as `encode_dataset`, as far as it is seen before the work.
    """
    description = _description(bulk)
    works = _works(bulk, description)
    return Prospect(description, _looked(bulk, works))


def encode_dataset(
    bulk: BulkEncoding, *, on_progress: Callable[[BulkReport], None] = lambda _: None
) -> BulkReport:
    """Encode clips into a data set; goes on where an earlier run ended, however that ended.

    The bytes of the shards depend on the clips and the settings, and on nothing else: neither on the number
    of processes nor on what was interrupted when.

    Args:
        bulk: what, where to, and how.
        on_progress: called at the beginning and after each clip, with what is done so far.

    Raises:
        OptionError: a setting means nothing to this tokenizer.
        CheckpointError: the tokenizer is unknown or damaged.
        DatasetError: the data set in the folder is damaged.
        OutputError: the folder holds something else, a data set of other settings or of none of these clips;
            another process works there; or the disk is full or refuses something.
        VideoError: a clip failed, and `on_error` is ``stop``.
    """
    description = _description(bulk)
    was_there = bulk.folder.exists()
    with output_errors(bulk.folder):
        for name in (SHARDS, WORK):
            (bulk.folder / name).mkdir(parents=True, exist_ok=True)
    try:
        with _alone(bulk):
            # What processes that live are writing is locked, and stays.
            for place in (bulk.folder, bulk.folder / SHARDS):
                sweep(place)
            description = _settled(bulk, description)
            works = _works(bulk, description)
            run = _Run(bulk, works, _looked(bulk, works), on_progress)
            _LOG.debug("%d shards in %s; done before: %s", len(works), bulk.folder, run.report)
            try:
                run.work(description)
            finally:
                run.close()
                write_errors(bulk.folder, description)
                _tidy(bulk)
            run.report.losses = summed(entry for work in works for entry in work.entries)
    finally:
        if not was_there:
            with suppress(OSError):
                bulk.folder.rmdir()
    return run.report


@final
class _Run:
    """The work on shards, and what is done of it.

    Args:
        bulk: what is asked for.
        works: the shards, in their order, looked at.
        report: what is done before.
        on_progress: is called with what is done.
    """

    def __init__(
        self,
        bulk: BulkEncoding,
        works: list[ShardWork],
        report: BulkReport,
        on_progress: Callable[[BulkReport], None],
    ) -> None:
        self.report = report
        self._bulk = bulk
        self._works = works
        self._on_progress = on_progress
        self._left: dict[int, int] = {}

    def work(self, description: Description) -> None:
        """Encode what is missing, and put shards together as they are complete.

        Raises:
            TubeletError: as `encode_dataset`.
        """
        bulk, settings = self._bulk, self._bulk.settings
        self._on_progress(self.report)

        with ExitStack() as stack:
            remote = any(clip.source.url is not None for clip in bulk.clips)
            copies = str(stack.enter_context(copies_folder())) if remote else ""
            setup = [json.dumps(settings.to_json()), description.tokenizer["sha256"], str(THREADS), copies]
            for request, answer in self._answers(setup):
                self._take(self._works[request["number"]], request, answer)
        for work in self._works:
            self._count_changed(work)

    def _answers(self, setup: list[str]) -> Iterator[Answered]:
        """What comes of the requests, by the engine that is asked for."""
        bulk = self._bulk
        if bulk.engine == "ray":
            gpus = 0.0 if bulk.settings.device == "cpu" else 1.0
            return answered_by_ray(
                self._requests(), setup, workers=bulk.workers, address=bulk.address, gpus=gpus
            )
        workers = bulk.workers or cores()
        return answered(self._requests(), "tubelet.jobs.bulk.worker", setup, workers=workers, threads=THREADS)

    def close(self) -> None:
        """Let other processes work on the shards."""
        for work in self._works:
            work.close()

    def _requests(self) -> Iterator[dict[str, Any]]:
        """What workers are asked for, shard by shard."""
        for number, work in enumerate(self._works):
            if work.is_complete:
                continue
            work.begin()
            requests = list(work.missing())
            if not requests:
                work.finish()
                continue
            self._left[number] = len(requests)
            numbered = [request | {"number": number} for request in requests]
            keys = [request["clip"]["key"] for request in requests]
            for chosen in batches_of(keys, self._bulk.settings.batch):
                several = [numbered[place] for place in chosen]
                yield several[0] if len(several) == 1 else {"batch": several}

    def _take(self, work: ShardWork, request: dict[str, Any], answer: dict[str, Any]) -> None:
        """Note what came of a request; put the shard together if it was its last."""
        report, clip = self.report, PlannedClip.from_json(request["clip"])
        if (reason := answer.get("failed")) is not None:
            self._count_failed(clip, reason)
            work.fail(clip.key, reason)
        else:
            report.encoded += 1
            report.frames += answer["frames"]
            report.pixels += answer["pixels"]
        self._left[request["number"]] -= 1
        if not self._left[request["number"]]:
            work.finish()
        self._on_progress(report)

    def _count_failed(self, clip: PlannedClip, reason: str) -> None:
        """Count a clip that gives no record.

        Raises:
            VideoError: it failed, and `on_error` is ``stop``.
        """
        if self._bulk.on_error == "stop":
            raise VideoError(f"{clip.source.shown}: {reason}")
        self.report.failed += 1
        self.report.first_failed = self.report.first_failed or f"{clip.source.shown}: {reason}"

    def _count_changed(self, work: ShardWork) -> None:
        """Count clips as failed that were done, and whose source changed before their shard was whole.

        Raises:
            VideoError: as `_count_failed`.
        """
        for key in work.changed:
            if key in work.in_parts:
                self.report.kept -= 1
            else:
                self.report.encoded -= 1
            self._count_failed(work.clips[key], work.reason(key))
        if work.changed:
            self._on_progress(self.report)


def _description(bulk: BulkEncoding) -> Description:
    """What the data set is, or is going to be.

    Raises:
        OutputError: the folder holds something else, or a data set of other settings.
        OptionError: the processes of this machine are to compute on a device that it has not.
    """
    if bulk.engine == "local":
        find_device(bulk.settings.device)
    # Where actors are is a GPU, perhaps; here nothing is computed but the size of a few clips.
    checkpoint, folder = read_checkpoint(replace(bulk.settings, device="cpu")), bulk.folder
    wanted = describe(bulk.settings, checkpoint, shards=1)
    if bulk.settings.format == "parquet":
        shard_packages()
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; a data set is a folder. Name a new one.")
    names = {each.name for each in folder.iterdir()} if folder.is_dir() else set()
    if DESCRIPTION in names:
        return _same(folder, wanted)
    if others := sorted(name for name in names - _OWN if not OWN.fullmatch(name)):
        raise OutputError(
            f"{folder} holds other files ({others[0]}{', …' if len(others) > 1 else ''}); a data set gets a "
            "folder of its own. Name a new one."
        )
    count = shards_for(bulk.clips, checkpoint, bulk.settings, shard_bytes=bulk.shard_bytes)
    return describe(bulk.settings, checkpoint, shards=count)


def _same(folder: Path, wanted: Description) -> Description:
    """The description of a data set that is there.

    Raises:
        OutputError: it is of other settings.
    """
    found = read_description(folder)
    if differences := list(found.differences(wanted)):
        raise OutputError(
            f"{folder} holds another data set: {'; '.join(differences)}. Name another folder, or give the "
            "same settings."
        )
    return found


def _settled(bulk: BulkEncoding, description: Description) -> Description:
    """The description as it is on the disk; another process may have been quicker."""
    if not (bulk.folder / DESCRIPTION).exists():
        with suppress(OutputError):
            write_description(bulk.folder, description, force=False)
    return _same(bulk.folder, description)


def _works(bulk: BulkEncoding, description: Description) -> list[ShardWork]:
    """The shards that this run makes."""
    clips: dict[int, list[PlannedClip]] = {}
    for clip in bulk.clips:
        clips.setdefault(description.shard_of(clip.key), []).append(clip)
    digests = identity.Digests()
    return [
        ShardWork(bulk.folder, description, number, clips.get(number, ()), digests)
        for number in range(bulk.share.index, description.shards, bulk.share.count)
    ]


def _looked(bulk: BulkEncoding, works: list[ShardWork]) -> BulkReport:
    """What is done before the work.

    Raises:
        OutputError: there are clips, and not one of them is listed.
    """
    report = BulkReport(shards=len(works))
    there = 0
    for work in works:
        work.look()
        report.clips += len(work.clips)
        report.kept += len(work.kept) + len(work.in_parts)
        report.dropped += work.unlisted
        there += work.stored
    if there and report.dropped == there and report.clips:
        raise OutputError(
            f"{bulk.folder} holds {there} clips, and none of them is listed here; clips that are not listed "
            "are dropped. Give all sources together, or name another folder."
        )
    return report


def _tidy(bulk: BulkEncoding) -> None:
    """Remove folders without anything in them, and the settings of a data set of which there is nothing else.

    They would bind a run that is given others, after one that could not begin.
    """
    work, shards = bulk.folder / WORK, bulk.folder / SHARDS
    with suppress(OSError):
        # A folder that holds something, or in which another process works, is not removed, nor what follows.
        for folder in (*work.iterdir(), work):
            folder.rmdir()
        if bulk.share == ALL:
            shards.rmdir()
            (bulk.folder / DESCRIPTION).unlink()


@contextmanager
def _alone(bulk: BulkEncoding) -> Iterator[None]:
    """Keep out other processes that make the same shards.

    Raises:
        OutputError: there is one.
    """
    if bulk.share.count == 1:
        with locked(bulk.folder):
            yield
        return
    place = bulk.folder / WORK / f"share-{bulk.share.index}-of-{bulk.share.count}"
    with output_errors(place):
        place.mkdir(exist_ok=True)
    try:
        with locked(place):
            yield
    finally:
        with suppress(OSError):
            place.rmdir()
