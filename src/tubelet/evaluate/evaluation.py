"""What is to be evaluated."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tubelet.errors import OptionError
from tubelet.evaluate.measures import CLIP_MEASURES, SET_MEASURES
from tubelet.evaluate.protocols import Protocol
from tubelet.evaluate.results_file import FORMAT
from tubelet.evaluate.systems.system_specs import check_texts
from tubelet.evaluate.weights import Weights
from tubelet.evaluate.worker import Settings
from tubelet.files.names import real_path
from tubelet.jobs.failures import OnError
from tubelet.jobs.rows import Row

GPU_WORKERS = 4
"""Processes that share a GPU, unless somebody says otherwise: each has its own networks there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What is to be evaluated.

    Attributes:
        data: folder of clips; where `rows` says which they are, what that is of.
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
        rows: the clips; all in the folder `data` for none.
        on_error: whether a clip that fails is left out of the figures, or ends the work.
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
    rows: tuple[Row, ...] | None = None
    on_error: OnError = "skip"

    def __post_init__(self) -> None:
        check_texts(self.systems)
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"workers is {self.workers}; at least 1 process works.")
        if self.keep < 0:
            raise OptionError(f"{self.keep} videos are to be kept; it is 0 or more.")
        if unknown := [name for name in self.measures if name not in CLIP_MEASURES]:
            raise OptionError(f"there is no measure {unknown[0]!r}; there are {', '.join(CLIP_MEASURES)}.")

    @property
    def title(self) -> str:
        """What is evaluated, in a word."""
        return real_path(self.data).name

    @property
    def settings(self) -> Settings:
        """What every worker must know."""
        return Settings(
            protocol=self.protocol,
            measures=tuple(dict.fromkeys((*self.protocol.measures, *self.measures))),
            weights=self.weights,
            drift=self.drift,
            device=self.device,
        )

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of the measures of sets whose weights there are."""
        given = {each.network for each in self.weights}
        return tuple(name for name, measure in SET_MEASURES.items() if measure.network in given)

    @property
    def line(self) -> str:
        """The protocol in one line, with what measures of sets do to clips."""
        return " ".join([self.protocol.line, *(f"{name}: {SET_MEASURES[name].says}." for name in self.sets)])

    @property
    def decides(self) -> dict[str, Any]:
        """What of it decides the figures of a clip, as a part says it."""
        settings = self.settings
        return {
            "format": FORMAT,
            "protocol": self.protocol.to_json(),
            "measures": list(settings.measures),
            "drift": self.drift,
            "device": self.device,
            "weights": {each.network: each.sha256 for each in self.weights},
        }
