"""An evaluation: every clip of a folder through every system, measured by one protocol.

It can be interrupted at any time and goes on from the parts that are there. Twice the same command gives the
same figures on one machine, but for times and what is said of the run itself.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tubelet.data.clips import find_clips
from tubelet.errors import OptionError, OutputError
from tubelet.evaluate import keep, parts
from tubelet.evaluate.clips import identity
from tubelet.evaluate.cores import cores
from tubelet.evaluate.job import Job, do, opened, prepare_process
from tubelet.evaluate.latents import diagnose
from tubelet.evaluate.measures import MEASURES, describe
from tubelet.evaluate.parts import FORMAT, part_path, read_part
from tubelet.evaluate.protocols import Protocol
from tubelet.evaluate.sets import SETS, ClipFeatures, from_part
from tubelet.evaluate.summary import LEVEL, RESAMPLES, summarise
from tubelet.evaluate.systems.system import System
from tubelet.evaluate.systems.system_specs import check_texts
from tubelet.evaluate.tags import Tags, find_manifest, read_tags
from tubelet.evaluate.weights import Weights, networks
from tubelet.files import locked, output_errors
from tubelet.files.leftovers import sweep
from tubelet.json_text import read_json
from tubelet.results import circumstances, version_of, write_results

RESULTS = "results.json"
"""The file of an evaluation's figures, in its folder; docs/results-format.md describes it."""

GPU_WORKERS = 4
"""Processes that share a GPU, unless somebody says otherwise: each has its own networks there."""

_EXTRAS = ("opencv-python-headless", "imageio-ffmpeg", "diffusers", "einops", "safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What is to be evaluated.

    Attributes:
        data: folder of clips.
        systems: texts (see `tubelet.evaluate.systems.system_specs`), each once.
        protocol: how.
        folder: of the results; made if it is missing.
        manifest: what is known of the clips; the one in `data`, if there is one, for none.
        measures: more measures than the protocol has, such as ``vmaf``.
        weights: of the networks that further measures need.
        latents: whether latents and tokens of all clips together are described.
        drift: whether reconstructions are reconstructed again and again, ten times as much work.
        keep: how many of the worst clips are kept as videos.
        seed: of the samples that intervals are drawn from.
        device: where networks compute: ``cpu``, ``cuda`` or ``cuda:N``. Codecs, and measures without a
            network, stay on the CPU.
        workers: processes at work; for none as many as cores, and on a GPU not more than `GPU_WORKERS`.
        force: whether another evaluation in `folder` is replaced.
    """

    data: Path
    systems: tuple[str, ...]
    protocol: Protocol
    folder: Path
    manifest: Path | None = None
    measures: tuple[str, ...] = ()
    weights: tuple[Weights, ...] = ()
    latents: bool = False
    drift: bool = False
    keep: int = 0
    seed: int = 0
    device: str = "cpu"
    workers: int | None = None
    force: bool = False

    def __post_init__(self) -> None:
        check_texts(self.systems)
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"workers is {self.workers}; at least 1 process works.")
        if self.keep < 0:
            raise OptionError(f"{self.keep} videos are to be kept; it is 0 or more.")
        if unknown := [name for name in self.measures if name not in MEASURES]:
            raise OptionError(f"there is no measure {unknown[0]!r}; there are {', '.join(MEASURES)}.")


def evaluate(
    evaluation: Evaluation, *, on_part: Callable[[int, int], None] = lambda _done, _all: None
) -> Path:
    """Evaluate, and write ``results.json``; give its path.

    A clip that cannot be read, or that a system cannot take, has an error in the results instead of figures.

    Args:
        evaluation: what.
        on_part: called with the number of parts that are there, and of all.

    Raises:
        OptionError: there are no clips, or a text names no system.
        CheckpointError: a tokenizer, or weights of a measure, cannot be read.
        OutputError: the folder holds another evaluation, another process works there, or the disk is full or
            refuses something.
    """
    opened.cache_clear()
    networks.cache_clear()
    clips = _clips(evaluation)
    manifest = evaluation.manifest or find_manifest(evaluation.data)
    tags = {} if manifest is None else read_tags(manifest)
    networks(evaluation.weights, evaluation.device)
    folder = evaluation.folder
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; results go into a folder. Name a new one.")
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _check_is_mine(evaluation)
        for below in (parts.FOLDER, keep.FOLDER):
            sweep(folder / below)
        return _evaluate(evaluation, clips, tags, on_part)


def _evaluate(
    evaluation: Evaluation, clips: Sequence[Path], tags: Tags, on_part: Callable[[int, int], None]
) -> Path:
    """Evaluate in a folder that no other process writes to."""
    identities = {path: identity(path, evaluation.data) for path in clips}
    facts = {text: _opened(evaluation, text).facts() for text in evaluation.systems}
    around = circumstances()
    versions = around["versions"] | _versions() | {"commit": around["commit"]}
    jobs = [
        _job(evaluation, path, text, {"clip": identities[path], "system": facts[text], "versions": versions})
        for text in evaluation.systems
        for path in clips
    ]
    threads = _work(evaluation, jobs, on_part)
    results = _gather(evaluation, jobs, identities, facts, tags)
    workers = _workers(evaluation, len(jobs))
    results["run"] = {"workers": workers, "threads": threads, "device": evaluation.device}
    if evaluation.latents:
        for text in evaluation.systems:
            results["systems"][text] |= diagnose(_opened(evaluation, text), clips, evaluation.protocol)
    if evaluation.keep:
        results["videos"] = keep.keep_videos(evaluation.folder, results, jobs, count=evaluation.keep)
    target = evaluation.folder / RESULTS
    write_results(target, protocol=_line(evaluation), figures=results, force=True)
    return target


def _clips(evaluation: Evaluation) -> list[Path]:
    """The clips of the folder; videos that an evaluation kept there are none."""
    kept = evaluation.folder.resolve()
    clips = [path for path in find_clips(evaluation.data) if not path.resolve().is_relative_to(kept)]
    if not clips:
        raise OptionError(
            f"all clips in {evaluation.data} are results in {evaluation.folder}. Name another folder."
        )
    return clips


def _job(evaluation: Evaluation, path: Path, text: str, made_from: dict[str, Any]) -> Job:
    measures = tuple(dict.fromkeys((*evaluation.protocol.measures, *evaluation.measures)))
    return Job(
        clip=path,
        system=text,
        protocol=evaluation.protocol,
        measures=measures,
        weights=evaluation.weights,
        drift=evaluation.drift,
        device=evaluation.device,
        target=part_path(evaluation.folder, clip=made_from["clip"]["name"], system=text),
        made_from={
            "format": FORMAT,
            "protocol": evaluation.protocol.to_json(),
            "measures": list(measures),
            "drift": evaluation.drift,
            "device": evaluation.device,
            "weights": {each.network: each.sha256 for each in evaluation.weights},
            **made_from,
        },
    )


def _work(evaluation: Evaluation, jobs: Sequence[Job], on_part: Callable[[int, int], None]) -> int:
    """Do what is not done yet; give the threads of each process."""
    missing = [job for job in jobs if not _is_done(job)]
    done = len(jobs) - len(missing)
    on_part(done, len(jobs))
    workers = _workers(evaluation, len(jobs))
    if workers == 1:
        for job in missing:
            do(job)
            done += 1
            on_part(done, len(jobs))
        return torch.get_num_threads()
    threads = max(1, cores() // workers)
    if missing:
        _in_processes(missing, workers, threads, lambda more: on_part(done + more, len(jobs)))
    return threads


def _in_processes(jobs: Sequence[Job], workers: int, threads: int, on_more: Callable[[int], None]) -> None:
    """Do jobs in fresh processes; whatever ends this early ends them too."""
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=prepare_process,
        initargs=(threads,),
    )
    try:
        # In the order of the systems, so that every process opens each only once.
        for number, future in enumerate(as_completed([pool.submit(do, job) for job in jobs])):
            future.result()
            on_more(number + 1)
    except BaseException as error:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        pool.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise OutputError(
                f"one of {workers} processes was ended from outside, as a system does that is out of memory. "
                "What was measured is kept: go on with fewer --workers."
            ) from error
        raise
    pool.shutdown()


def _is_done(job: Job) -> bool:
    part = read_part(job.target, made_from=job.made_from)
    # What failed is tried again: the reason may be gone.
    return part is not None and "error" not in part


def _gather(
    evaluation: Evaluation,
    jobs: Sequence[Job],
    identities: dict[Path, dict[str, Any]],
    facts: dict[str, dict[str, Any]],
    tags: Tags,
) -> dict[str, Any]:
    """The content of the results, from the parts."""
    clips = {
        each["name"]: {"bytes": each["bytes"], "sha256": each["sha256"], "tags": _tags_of(tags, each["name"])}
        for each in identities.values()
    }
    systems: dict[str, dict[str, Any]] = {text: {"facts": each, "clips": {}} for text, each in facts.items()}
    sets = _sets(evaluation)
    features: dict[str, dict[str, dict[str, ClipFeatures]]] = {
        text: {measure: {} for measure in sets} for text in facts
    }
    for job in jobs:
        part = read_part(job.target, made_from=job.made_from)
        if part is None:
            raise OutputError(f"{job.target} is gone or was changed meanwhile. Run the same command again.")
        name = job.made_from["clip"]["name"]
        del part["made_from"]
        clips[name] |= part.pop("clip", {})
        for measure, found in from_part(part.pop("features", {})).items():
            features[job.system][measure][name] = found
        systems[job.system]["clips"][name] = _with_numbers(part)
    named = {name: clip["tags"] for name, clip in clips.items()}
    for text, system in systems.items():
        system["summary"] = summarise(system["clips"], named, seed=evaluation.seed, features=features[text])
    good = [part for system in systems.values() for part in system["clips"].values() if "error" not in part]
    names = dict.fromkeys(name for part in good for name in [*part["figures"], *part["absent"]])
    return {
        "format": FORMAT,
        "protocol": evaluation.protocol.to_json(),
        "data": evaluation.data.resolve().name,
        "intervals": {
            "way": "bootstrap over clips",
            "level": LEVEL,
            "resamples": RESAMPLES,
            "seed": evaluation.seed,
        },
        "measures": describe(list(names | dict.fromkeys(sets))),
        "weights": {each.network: each.sha256 for each in evaluation.weights},
        "versions": _versions(),
        "clips": clips,
        "systems": systems,
    }


def _sets(evaluation: Evaluation) -> tuple[str, ...]:
    """Names of the measures of sets whose weights there are."""
    given = {each.network for each in evaluation.weights}
    return tuple(name for name, measure in SETS.items() if measure.network in given)


def _line(evaluation: Evaluation) -> str:
    """The protocol in one line, with what measures of sets do to clips."""
    return " ".join(
        [evaluation.protocol.line, *(f"{name}: {SETS[name].says}." for name in _sets(evaluation))]
    )


def _tags_of(tags: Tags, name: str) -> dict[str, str]:
    """By the path below the folder, or by the name of the file alone."""
    return tags.get(name, tags.get(Path(name).name, {}))


def _with_numbers(part: dict[str, Any]) -> dict[str, Any]:
    """A part whose infinities are numbers again."""
    if "error" in part:
        return part
    drift = part.get("drift_psnr_db", {})
    part |= {"drift_psnr_db": {number: float(value) for number, value in drift.items()}} if drift else {}
    part["figures"] = {name: float(value) for name, value in part["figures"].items()}
    part["curves"] = {name: [float(value) for value in curve] for name, curve in part["curves"].items()}
    return part


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
    mine = evaluation.data.resolve().name
    if (line, data) != (evaluation.protocol.line, mine):
        raise OutputError(
            f"{target} holds figures of {data} by {line.partition(':')[0]}; those of {mine} by "
            f"{evaluation.protocol.name} v{evaluation.protocol.version} never stand beside them. "
            "Name another folder, or replace them with --force."
        )


def _opened(evaluation: Evaluation, text: str) -> System:
    return opened(text, evaluation.protocol.at_once, evaluation.device)


def _workers(evaluation: Evaluation, jobs: int) -> int:
    usual = cores() if evaluation.device == "cpu" else min(cores(), GPU_WORKERS)
    return max(1, min(evaluation.workers or usual, jobs))


def _versions() -> dict[str, str | None]:
    """Packages that decide figures, beyond those that all results name."""
    return {name: version_of(name) for name in _EXTRAS}
