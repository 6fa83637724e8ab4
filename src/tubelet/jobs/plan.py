"""What there is to do, piece by piece, and what of it is done."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tubelet.jobs.parts import read_part


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work. It is data, so that any process of any machine can be given it.

    Attributes:
        target: where its part is written.
        made_from: all that decides the part, as JSON holds it: what identifies the input, settings, versions.
            A part made from something else is not this job's, whatever it is called.
        work: what a worker needs beyond that, as JSON holds it, such as where the input lies.
    """

    target: Path
    made_from: Mapping[str, Any]
    work: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Everything, for another process."""
        return {"target": str(self.target), "made_from": dict(self.made_from), "work": dict(self.work)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Job":
        """What `to_json` gave."""
        return cls(target=Path(content["target"]), made_from=content["made_from"], work=content["work"])


@runtime_checkable
class Worker(Protocol):
    """What does jobs, and holds what several of them need, such as networks."""

    def do(self, job: Job) -> None:
        """Do a job, and write its part, whatever comes of it.

        Raises:
            OutputError: the part cannot be written.
        """
        ...


def is_done(job: Job) -> bool:
    """Whether the part of a job is there; one that holds an error is not, for the reason may be gone."""
    part = read_part(job.target, made_from=job.made_from)
    return part is not None and "error" not in part


def missing(jobs: Iterable[Job]) -> list[Job]:
    """The jobs that are not done, in their order."""
    return [job for job in jobs if not is_done(job)]
