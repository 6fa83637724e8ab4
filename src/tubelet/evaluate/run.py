"""An evaluation: every clip of a folder through every system, measured by one protocol.

It can be interrupted at any time and goes on from the parts that are there. Twice the same command gives the
same figures on one machine, except times and what is said of the run itself.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tubelet.cores import cores
from tubelet.data.clips import find_clips
from tubelet.errors import OptionError, OutputError, VideoError
from tubelet.evaluate import keep
from tubelet.evaluate.clips import identity
from tubelet.evaluate.evaluation import GPU_WORKERS, Evaluation
from tubelet.evaluate.gather import gather, package_versions
from tubelet.evaluate.latents import diagnose
from tubelet.evaluate.results_file import RESULTS
from tubelet.evaluate.tags import Tags, find_manifest, read_tags
from tubelet.evaluate.worker import Worker
from tubelet.files import locked, output_errors
from tubelet.files.leftovers import sweep
from tubelet.files.names import real_path, text_name
from tubelet.jobs import parts
from tubelet.jobs.plan import Job, missing
from tubelet.jobs.pool import run_here, run_in_processes
from tubelet.jobs.remote import LocalCopies
from tubelet.jobs.rows import Row
from tubelet.jobs.sources import local_copies
from tubelet.json_text import read_json
from tubelet.results import circumstances, write_results
from tubelet.video.ranges import AnyVideo, VideoRange, path_of, range_text

_LOG = logging.getLogger("tubelet.evaluate")


def evaluate(
    evaluation: Evaluation, *, on_part: Callable[[int, int], None] = lambda _done, _all: None
) -> Path:
    """Evaluate, and write ``results.json``; give its path.

    A clip that cannot be read, or that a system cannot take, has an error in the results instead of figures.

    Args:
        evaluation: what.
        on_part: called with the number of parts that are there, and of all.

    Raises:
        OptionError: there are no clips, two have one name, or a text names no system.
        VideoError: a clip failed, and `on_error` is ``stop``.
        CheckpointError: a tokenizer, or weights of a measure, cannot be read.
        OutputError: the folder holds another evaluation, another process works there, or the disk is full or
            refuses something.
    """
    clips = _clips(evaluation)
    manifest = evaluation.manifest or find_manifest(evaluation.data)
    tags = {} if manifest is None else read_tags(manifest)
    worker = Worker(evaluation.settings)
    folder = evaluation.folder
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; results go into a folder. Name a new one.")
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _check_is_mine(evaluation)
        for below in (parts.FOLDER, keep.FOLDER):
            sweep(folder / below)
        with worker.copies, local_copies(evaluation.rows or ()) as copies:
            return _evaluate(evaluation, worker, clips, copies, tags, on_part)


def _evaluate(
    evaluation: Evaluation,
    worker: Worker,
    clips: Mapping[AnyVideo, str],
    copies: LocalCopies,
    tags: Tags,
    on_part: Callable[[int, int], None],
) -> Path:
    """Evaluate in a folder that no other process writes to."""
    identities = {video: _identity(video, name, copies) for video, name in clips.items()}
    facts = {text: worker.system(text).facts() for text in evaluation.systems}
    jobs = _plan(evaluation, identities, facts)
    workers = _workers(evaluation, len(jobs))
    threads = _work(evaluation, worker, jobs, workers, on_part)
    results = gather(evaluation, jobs, identities, facts, tags)
    results["run"] = {"workers": workers, "threads": threads, "device": evaluation.device}
    if evaluation.latents:
        for text in evaluation.systems:
            results["systems"][text] |= diagnose(
                worker.system(text), list(clips), evaluation.protocol, copies
            )
    if evaluation.keep:
        results["videos"] = keep.keep_videos(evaluation, results, jobs, worker)
    target = evaluation.folder / RESULTS
    write_results(target, protocol=evaluation.line, figures=results, force=True)
    return target


def _clips(evaluation: Evaluation) -> dict[AnyVideo, str]:
    """The clips and their names; videos that an evaluation kept in its folder are none."""
    kept = real_path(evaluation.folder)
    if evaluation.rows is None:
        folder = evaluation.data
        named: list[tuple[AnyVideo, str]] = [
            (path, text_name(path.relative_to(folder).as_posix())) for path in find_clips(folder)
        ]
    else:
        named = [(row.video, f"{row.name}{range_text(row.start, row.end)}") for row in evaluation.rows]
    clips = {video: name for video, name in named if not real_path(path_of(video)).is_relative_to(kept)}
    name, often = Counter(clips.values()).most_common(1)[0] if clips else ("", 1)
    if often > 1:
        raise OptionError(f"{often} clips are called {name}. Give the folder above them, or a list.")
    if not clips:
        raise OptionError(
            f"all clips in {evaluation.data} are results in {evaluation.folder}. Name another folder."
        )
    return clips


def _identity(video: AnyVideo, name: str, copies: LocalCopies) -> dict[str, Any]:
    """Who a clip is, wherever it lies; the digest of one that cannot be copied is empty."""
    try:
        with copies.opened(video) as here:
            return identity(here, name)
    except VideoError:
        return identity(video, name)


def _plan(
    evaluation: Evaluation, identities: Mapping[AnyVideo, dict[str, Any]], facts: dict[str, dict[str, Any]]
) -> list[Job]:
    """A job for every clip and system; those of a system together, so that each process opens it once."""
    around = circumstances()
    rows: dict[AnyVideo, Row] = {row.video: row for row in evaluation.rows or ()}

    def work_of(video: AnyVideo) -> dict[str, Any]:
        """Where a clip lies, for another process."""
        times = {"range": [video.start, video.end]} if isinstance(video, VideoRange) else {}
        row = rows.get(video)
        fault = {} if row is None or row.fault is None else {"fault": row.fault}
        return {"clip": str(path_of(video)) if row is None else row.path} | times | fault

    versions = around["versions"] | package_versions() | {"commit": around["commit"]}
    return [
        Job(
            target=parts.part_path(evaluation.folder, clip["name"], text),
            made_from=evaluation.decides | {"clip": clip, "system": about, "versions": versions},
            work=work_of(video) | {"system": text},
        )
        for text, about in facts.items()
        for video, clip in identities.items()
    ]


def _work(
    evaluation: Evaluation,
    worker: Worker,
    jobs: Sequence[Job],
    workers: int,
    on_part: Callable[[int, int], None],
) -> int:
    """Do what is not done yet; give the threads of each process."""
    left = missing(jobs)
    done = len(jobs) - len(left)
    on_part(done, len(jobs))
    _LOG.debug("%d of %d parts are there; %d processes do the rest", done, len(jobs), workers)

    def on_done(job: Job) -> None:
        nonlocal done
        done += 1
        on_part(done, len(jobs))
        if evaluation.on_error == "stop":
            _raise_failure(job)

    if workers == 1:
        run_here(left, worker, on_done)
        return torch.get_num_threads()
    threads = max(1, cores() // workers)
    arguments = [json.dumps(evaluation.settings.to_json()), str(threads)]
    run_in_processes(
        left, "tubelet.evaluate.worker", arguments, workers=workers, threads=threads, on_done=on_done
    )
    return threads


def _raise_failure(job: Job) -> None:
    """Raise if a clip gave no figures.

    Raises:
        VideoError: it did not.
    """
    part = parts.read_part(job.target, made_from=job.made_from) or {}
    if "error" in part:
        raise VideoError(f"{job.made_from['clip']['name']} with {job.work['system']}: {part['error']}")


def _check_is_mine(evaluation: Evaluation) -> None:
    """Raise if figures of another evaluation are in the folder.

    Raises:
        OutputError: they are.
    """
    target = evaluation.folder / RESULTS
    if not target.exists() or evaluation.force:
        return
    try:
        before = read_json(target)
        line, data = before["figures"]["protocol"]["line"], before["figures"]["data"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{target} holds no evaluation ({error!r}). Name another folder.") from error
    mine = evaluation.title
    if (line, data) != (evaluation.protocol.line, mine):
        raise OutputError(
            f"{target} holds figures of {data} by {line.partition(':')[0]}; those of {mine} by "
            f"{evaluation.protocol.name} v{evaluation.protocol.version} never stand beside them. "
            "Name another folder, or replace them with --force."
        )


def _workers(evaluation: Evaluation, jobs: int) -> int:
    usual = cores() if evaluation.device == "cpu" else min(cores(), GPU_WORKERS)
    return max(1, min(evaluation.workers or usual, jobs))
