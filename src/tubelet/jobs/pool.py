"""Jobs done by several processes of this machine."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import Empty, Queue

from tubelet.errors import OutputError
from tubelet.jobs.plan import Job, Worker
from tubelet.jobs.process import EndedError, Process


def run_here(jobs: Sequence[Job], worker: Worker, on_done: Callable[[Job], None]) -> None:
    """Do jobs in this process, one after the other.

    Args:
        jobs: in the order in which they are done.
        worker: what does them.
        on_done: called with each when it is done.

    Raises:
        OutputError: a part cannot be written.
    """
    for job in jobs:
        worker.do(job)
        on_done(job)


def run_in_processes(
    jobs: Sequence[Job],
    module: str,
    arguments: Sequence[str],
    *,
    workers: int,
    threads: int,
    on_done: Callable[[Job], None],
) -> None:
    """Do jobs in fresh processes, each of which takes the next one when it is done with its last.

    Whatever ends this early ends them too; what they have done is kept.

    Args:
        jobs: in the order in which they are begun, so that those that need the same stand together.
        module: what the processes run; it calls `tubelet.jobs.serving.serve` with `do_jobs`.
        arguments: what that is told.
        workers: how many processes.
        threads: of each.
        on_done: called with each job when it is done, in the thread that called this.

    Raises:
        OutputError: a part cannot be written, or a process was ended from outside.
    """
    waiting: Queue[Job] = Queue()
    for job in jobs:
        waiting.put(job)
    finished: Queue[Job | Exception] = Queue()
    with ExitStack() as stack:
        processes = [Process(module, arguments, threads=threads) for _ in range(min(workers, len(jobs)))]
        for process in processes:
            stack.callback(process.close)
        with ThreadPoolExecutor(max(1, len(processes))) as leaders:
            # Before the leaders are waited for: they wait for their processes.
            try:
                for process in processes:
                    leaders.submit(_lead, process, waiting, finished)
                for _ in jobs:
                    done = finished.get()
                    if isinstance(done, Exception):
                        raise done
                    on_done(done)
            finally:
                for process in processes:
                    process.kill()


def _lead(process: Process, waiting: "Queue[Job]", finished: "Queue[Job | Exception]") -> None:
    """Give a process one job after the other until none is left."""
    try:
        process.answer()
        while (job := _next(waiting)) is not None:
            answer = process.ask(job.to_json())
            finished.put(OutputError(answer["no_output"]) if "no_output" in answer else job)
    except EndedError as error:
        text = f"a job was not done: {error}. What is done is kept: go on with fewer --workers."
        finished.put(OutputError(text))
    except Exception as error:  # noqa: BLE001  raised in the thread that leads
        finished.put(error)


def _next(waiting: "Queue[Job]") -> Job | None:
    """The next job; none if there is none left."""
    try:
        return waiting.get_nowait()
    except Empty:
        return None
