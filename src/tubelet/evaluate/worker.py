"""What measures clips: one clip through one system, reconstructed, measured, and written down, job by job.

As a program it is one process of an evaluation: `python -m tubelet.evaluate.worker SETTINGS THREADS`.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tubelet.errors import VideoError
from tubelet.evaluate.clips import open_clip, windows
from tubelet.evaluate.measurement import Measured, Measurement, mean_of
from tubelet.evaluate.protocols import Protocol
from tubelet.evaluate.sets import FeatureRuns
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Reconstruction, Setting, System
from tubelet.evaluate.weights import Weights, networks
from tubelet.jobs.failures import FAILURES
from tubelet.jobs.parts import parts_beside, write_part
from tubelet.jobs.plan import Job
from tubelet.jobs.remote import LocalCopies
from tubelet.jobs.serving import do_jobs, serve, use_threads
from tubelet.metrics.drift import drift
from tubelet.video.ranges import AnyVideo, VideoRange

PASSES = (1, 2, 5, 10)
"""After how many reconstructions of a reconstruction drift is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How clips are measured, the same for all jobs of an evaluation.

    Attributes:
        protocol: how clips and systems meet.
        measures: names of all measures that need no weights.
        weights: of the networks that others need.
        drift: whether clips are also reconstructed again and again.
        device: where networks compute.
    """

    protocol: Protocol
    measures: tuple[str, ...]
    weights: tuple[Weights, ...]
    drift: bool
    device: str

    def to_json(self) -> dict[str, Any]:
        """Everything, for another process."""
        return {
            "protocol": self.protocol.to_json(),
            "measures": list(self.measures),
            "weights": [each.to_json() for each in self.weights],
            "drift": self.drift,
            "device": self.device,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Settings":
        """What `to_json` gave."""
        return cls(
            protocol=Protocol.from_json(content["protocol"]),
            measures=tuple(content["measures"]),
            weights=tuple(Weights.from_json(each) for each in content["weights"]),
            drift=content["drift"],
            device=content["device"],
        )


class Worker:
    """Measures clips. Holds the networks of measures, and the system that was asked for last.

    Attributes:
        copies: of clips that lie elsewhere.

    Raises:
        CheckpointError: weights of a measure cannot be read.
        OptionError: there is no such device here.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._networks = networks(settings.weights, settings.device)
        self._opened: tuple[str, System] | None = None
        self.copies = LocalCopies()

    def system(self, text: str) -> System:
        """A system, kept until another one is asked for.

        Raises:
            OptionError: the text has no meaning, an extra is not installed, or there is no such device here.
            CheckpointError: there is no such tokenizer, or it is damaged.
        """
        if self._opened is None or self._opened[0] != text:
            # Two large systems need not fit into memory together.
            self._opened = None
            setting = Setting(at_once=self._settings.protocol.at_once, device=self._settings.device)
            self._opened = text, open_system(text, setting)
        return self._opened[1]

    def do(self, job: Job) -> None:
        """Measure, and write the part, whatever comes out.

        Args:
            job: its ``work`` names a clip's path, its fault if it has one, and a system's text.

        Raises:
            OutputError: the part cannot be written.
        """
        try:
            found = self._measure(job)
        except FAILURES as error:
            found = {"error": f"{type(error).__name__}: {error}"}
        write_part(job.target, {"made_from": job.made_from} | found)

    def _measure(self, job: Job) -> dict[str, Any]:
        """Reconstruct a clip and measure it.

        Raises:
            TubeletError: it cannot be read, or the system cannot take it.
        """
        if "fault" in job.work:
            raise VideoError(job.work["fault"])
        settings, given = self._settings, self._networks
        system = self.system(job.work["system"])
        with self.copies.naming():
            clip = open_clip(video_of(job, self.copies), settings.protocol)
        measured: list[Measured] = []
        costs: list[Reconstruction] = []
        pixels = 0
        runs = FeatureRuns(given.features, known=_known_features(job) if given.features else {})
        for part in windows(clip.frames, settings.protocol):
            back = system.reconstruct(part, clip.rate)
            measurement = Measurement(settings.measures, grid=system.grid, networks=given.distances)
            measurement.update(part, back.frames)
            runs.update(part, back.frames)
            measured.append(measurement.compute())
            costs.append(back)
            pixels += part.size // 3
        whole = mean_of(measured)
        length, height, width = clip.frames.shape[:3]
        again: dict[str, dict[str, float]] = {}
        if settings.drift:
            psnrs = drift(
                lambda frames: system.reconstruct(frames, clip.rate).frames, clip.frames, passes=PASSES
            )
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


def video_of(job: Job, copies: LocalCopies) -> AnyVideo:
    """The clip of a job, as a local file.

    Raises:
        VideoError: it lies elsewhere and cannot be copied.
    """
    path, times = copies.path(job.work["clip"]), job.work.get("range")
    return path if times is None else VideoRange(path, *times)


def _known_features(job: Job) -> dict[str, list[list[float]]]:
    """Features of the clip itself, if another system's part has them: networks look at a clip once."""
    for part in parts_beside(job.target, made_from=job.made_from, apart_from="system"):
        if part.get("features"):
            return {name: sides["reference"] for name, sides in part["features"].items()}
    return {}


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


def main() -> None:
    """Do the jobs that come in."""
    settings, threads = Settings.from_json(json.loads(sys.argv[1])), int(sys.argv[2])
    use_threads(threads)
    worker = Worker(settings)
    serve(lambda lines: do_jobs(worker, lines))


if __name__ == "__main__":
    main()
