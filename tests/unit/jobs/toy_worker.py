"""A worker that squares numbers, to see what a pool does with one."""

import os
import signal

from tubelet.errors import OutputError
from tubelet.jobs.parts import write_part
from tubelet.jobs.plan import Job
from tubelet.jobs.serving import do_jobs, serve


class ToyWorker:
    """Counts what it was asked to do."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def do(self, job: Job) -> None:
        """Write the square of a number, or do what else the job says."""
        match job.work.get("do"):
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "fill":
                raise OutputError("the disk is full")
            case "fail":
                write_part(job.target, {"made_from": job.made_from, "error": "it failed"})
            case _:
                number = job.work["number"]
                self.done.append(number)
                write_part(job.target, {"made_from": job.made_from, "square": number**2})


if __name__ == "__main__":
    serve(lambda lines: do_jobs(ToyWorker(), lines))
