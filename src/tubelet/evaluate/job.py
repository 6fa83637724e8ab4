"""One clip through one system: reconstructed, measured, and written down. Runs in any process."""

import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from tubelet.errors import TubeletError
from tubelet.evaluate.clips import open_clip, windows
from tubelet.evaluate.measures import Measured, Measurement, mean_of
from tubelet.evaluate.parts import other_parts, write_part
from tubelet.evaluate.protocols import Protocol
from tubelet.evaluate.sets import FeatureRuns
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Reconstruction, Setting, System
from tubelet.evaluate.weights import Weights, networks
from tubelet.metrics.drift import drift

PASSES = (1, 2, 5, 10)
"""After how many reconstructions of a reconstruction drift is measured."""

_FAILURES = (TubeletError, OSError, RuntimeError, ValueError, ArithmeticError, MemoryError)
"""What one clip may raise without ending the evaluation of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One clip and one system.

    Attributes:
        clip: its file.
        system: the system's text.
        protocol: how they meet.
        measures: names of all measures that need no weights.
        drift: whether the clip is also reconstructed again and again.
        weights: of the networks that others need.
        device: where networks compute.
        target: where the part is written.
        made_from: what the part says that it was made from.
    """

    clip: Path
    system: str
    protocol: Protocol
    measures: tuple[str, ...]
    weights: tuple[Weights, ...]
    drift: bool
    device: str
    target: Path
    made_from: dict[str, Any]


def prepare_process(threads: int) -> None:
    """Make a fresh process ready: its share of the cores, and its end left to the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    with suppress(ImportError):
        import cv2  # noqa: PLC0415  an extra

        cv2.setNumThreads(threads)


def _end_with_parent() -> None:
    """Wait for the end of the process that started this one, however that comes, and end this one too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def do(job: Job) -> None:
    """Measure, and write the part, whatever comes out."""
    try:
        found = measure(job)
    except _FAILURES as error:
        found = {"error": f"{type(error).__name__}: {error}"}
    write_part(job.target, {"made_from": job.made_from} | found)


def measure(job: Job) -> dict[str, Any]:
    """Reconstruct a clip and measure it.

    Raises:
        TubeletError: it cannot be read, or the system cannot take it.
    """
    system = opened(job.system, job.protocol.at_once, job.device)
    clip = open_clip(job.clip, job.protocol)
    measured: list[Measured] = []
    costs: list[Reconstruction] = []
    pixels = 0
    given = networks(job.weights, job.device)
    runs = FeatureRuns(given.features, known=_known_features(job) if given.features else {})
    for part in windows(clip.frames, job.protocol):
        back = system.reconstruct(part, clip.rate)
        measurement = Measurement(job.measures, grid=system.grid, networks=given.distances)
        measurement.update(part, back.frames)
        runs.update(part, back.frames)
        measured.append(measurement.compute())
        costs.append(back)
        pixels += part.size // 3
    whole = mean_of(measured)
    length, height, width = clip.frames.shape[:3]
    again: dict[str, dict[str, float]] = {}
    if job.drift:
        psnrs = drift(lambda frames: system.reconstruct(frames, clip.rate).frames, clip.frames, passes=PASSES)
        again["drift_psnr_db"] = {str(number): psnr for number, psnr in zip(PASSES, psnrs, strict=True)}
    return again | {
        "clip": {
            "frames": length,
            "height": height,
            "width": width,
            "rate": f"{clip.rate.numerator}/{clip.rate.denominator}",
            "warnings": list(clip.warnings),
            "damage": list(clip.damage),
        },
        "figures": whole.figures,
        "curves": {name: [round(value, 4) for value in curve] for name, curve in whole.curves.items()},
        "absent": whole.absent | runs.absent(),
        "features": runs.to_part(),
        "squared_error": list(whole.error),
        "pixels": pixels,
        "rate": _rate(costs, pixels),
        "seconds_encode": sum(each.seconds_encode for each in costs),
        "seconds_decode": sum(each.seconds_decode for each in costs),
    }


def _known_features(job: Job) -> dict[str, list[list[float]]]:
    """Features of the clip itself, if another system's part has them: networks look at a clip once."""
    for part in other_parts(job.target, made_from=job.made_from):
        if part.get("features"):
            return {name: sides["reference"] for name, sides in part["features"].items()}
    return {}


@lru_cache(maxsize=1)
def opened(text: str, at_once: bool, device: str) -> System:  # noqa: FBT001  a cache looks at positions
    """The system that this process works with; kept until another one's turn comes."""
    return open_system(text, Setting(at_once=at_once, device=device))


def _rate(costs: list[Reconstruction], pixels: int) -> dict[str, int | float]:
    """What a clip takes, in all and per pixel; what a system does not have is not there."""
    found: dict[str, int | float] = {}
    units = {
        "bytes_on_disk": (8, "bits_per_pixel"),
        "nominal_bits": (1, "nominal_bits_per_pixel"),
        "entropy_bits": (1, "entropy_bits_per_pixel"),
        "numbers": (1, "numbers_per_pixel"),
    }
    for name, (factor, per_pixel) in units.items():
        values = [getattr(each, name) for each in costs]
        if None not in values:
            found[name] = sum(values)
            found[per_pixel] = factor * sum(values) / pixels
    return found
