"""A training run from its first iteration to its last, whatever it trains: batches, figures, checkpoints."""

import logging
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import torch
import torch.distributed as dist
from torch import nn

from tubelet.errors import OptionError, TrainingError
from tubelet.files import locked, no_empty_folders, output_errors
from tubelet.files.leftovers import remove
from tubelet.files.marks import RUN_FILE
from tubelet.train.iteration import IterationFigures, iterate
from tubelet.train.journal import Journal
from tubelet.train.optimizers import discriminator_optimizer, make_optimizers
from tubelet.train.processes import Ranks, ranks, shard_weights, wrap_ddp
from tubelet.train.run_folder import End, check_free, prepare_folder
from tubelet.train.sinks import check_sinks
from tubelet.train.state import (
    UNFINISHED,
    TrainState,
    checkpoint_name,
    checkpoints,
    load_state,
    save_state,
)
from tubelet.train.task import Place, Task

_LOG = logging.getLogger("tubelet.train")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""What asks a run to stop."""

Progress = Callable[[float, int, IterationFigures], None]
"""Called after every iteration: with the fraction of the run that is done, their number, and its figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run is run; nothing here changes what it learns, but for its length.

    Attributes:
        folder: of the run: checkpoints, ``run.json``, ``log.jsonl`` and TensorBoard's files.
        time_limit: seconds of training over all sessions; instead of a number of iterations.
        resume: go on from the newest checkpoint; from the start if there is none yet. A later end than the
            run had extends it: the learning rate rises again to where it is at that fraction.
        shard: split the weights over the processes (FSDP2) instead of copying them to each (DDP).
        force: start again in a folder that holds a run.
        log_to: what curves and pictures go to, of `tubelet.train.sinks.SINKS`; TensorBoard for none, if it is
            installed.
        on_iteration: for showing progress.
        on_message: told what a user wants to know, such as that a run is extended.
    """

    folder: Path
    time_limit: float | None = None
    resume: bool = False
    shard: bool = False
    force: bool = False
    log_to: tuple[str, ...] | None = None
    on_iteration: Progress = lambda _fraction, _iteration, _figures: None
    on_message: Callable[[str], None] = lambda _text: None


def run_task(task: Task, options: RunOptions) -> TrainState:
    """Train; started by torchrun, all processes train one network together.

    The run ends after ``config.iterations`` or the time limit, and the learning rate is zero just then. On
    SIGTERM, SIGHUP or Ctrl-C it writes a checkpoint and stops early: `TrainState.progress` is below 1.

    Raises:
        OptionError: there is no end, the batch of a stage does not split, or the folder holds another run.
        TrainingError: gradients stayed bad, a checkpoint cannot be taken up, or another process ended.
        OutputError: another process works in the folder, or the disk is full or refuses something.
    """
    end = End.of(task.config, options.time_limit)
    check_sinks(options.log_to or ())
    folder = options.folder
    with ranks() as rank, _stop_asked() as stop_asked, _in_folder(folder, rank):
        goes_on = options.resume and (folder / RUN_FILE).exists()
        if rank.is_first and goes_on:
            note = prepare_folder(folder, task, end, resume=True, force=options.force)
            if note:
                options.on_message(note)
        elif rank.is_first:
            check_free(folder, resume=False, force=options.force)
        known = checkpoints(folder)[-1] if options.resume and checkpoints(folder) else None
        if known is None:
            _check_shares(task, rank, progress=0.0)
        # Making the start may take a minute, and a checkpoint or the first process overwrites it.
        fresh = known is None and rank.is_first
        state = _new_state(task, task.start() if fresh else task.build(), rank, shard=options.shard)
        if rank.is_first and not goes_on:
            # A start that is refused leaves no run that another start would have to go on with.
            prepare_folder(folder, task, end, resume=False, force=options.force)
        if known is not None:
            load_state(state, known)
            _check_shares(task, rank, progress=end.progress(state.iteration, state.seconds))
        journal = Journal(
            folder,
            first=state.iteration,
            writes=rank.is_first,
            log_to=options.log_to,
            config=asdict(task.config),
        )
        with journal:
            session = _Session(
                task=task, end=end, rank=rank, journal=journal, stop_asked=stop_asked, options=options
            )
            while not _run_stage(state, session):
                pass
    return state


def _check_shares(task: Task, rank: Ranks, *, progress: float) -> None:
    """Refuse now what a stage to come would refuse hours later: a batch that does not split evenly."""
    while progress < 1:
        stage = task.stage_at(progress)
        rank.share(stage.batch)
        progress = stage.until


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """What stays the same from a start of a run to its end or interruption."""

    task: Task
    end: End
    rank: Ranks
    journal: Journal
    stop_asked: Callable[[], bool]
    options: RunOptions


def _run_stage(state: TrainState, session: _Session) -> bool:
    """Do the iterations of one stage, and write a checkpoint; tell whether the run is done or must stop."""
    task, rank, folder = session.task, session.rank, session.options.folder
    progress = session.end.progress(state.iteration, state.seconds)
    stage = task.stage_at(progress)
    task.set_trainable(state.network, stage)
    model = wrap_ddp(state.network, rank, shard=session.options.shard)
    _LOG.debug("from iteration %d on: %s", state.iteration, stage)
    indices = rank.share(stage.batch)
    began, before, saved = time.monotonic(), state.seconds, state.seconds
    stopping = progress >= 1
    with task.batches(stage, first=state.iteration, indices=indices) as batches:
        while not stopping and progress < 1 and task.stage_at(progress) is stage:
            place = Place(iteration=state.iteration, indices=indices, progress=progress)
            with _quiet_views(shard=session.options.shard):
                figures = iterate(state, model, task, next(batches), place)
            seconds = before + time.monotonic() - began
            state.seconds, stopping = rank.agree(seconds, stop=session.stop_asked())
            progress = state.progress = session.end.progress(state.iteration, state.seconds)
            figures = figures._replace(losses=rank.mean(figures.losses))
            session.journal.iteration(state, figures, waited=batches.waited_seconds)
            session.options.on_iteration(min(progress, 1.0), state.iteration, figures)
            _check_patience(state, session, figures)
            if state.seconds - saved >= task.config.save_seconds and not state.bad_iterations:
                _save(state, session)
                saved = state.seconds
    if checkpoints(folder)[-1:] != [folder / checkpoint_name(state.iteration)]:
        _save(state, session)
    return stopping or progress >= 1


def _save(state: TrainState, session: _Session) -> None:
    """Write a checkpoint, and show what the weights give."""
    save_state(state, session.options.folder)
    session.journal.pictures(state, session.task)


def _check_patience(state: TrainState, session: _Session, figures: IterationFigures) -> None:
    """Give up after too many bad iterations in a row; the newest checkpoint is from before them."""
    if state.bad_iterations >= session.task.config.patience:
        raise TrainingError(
            f"{state.bad_iterations} iterations in a row had gradients that are not finite or jumped (the "
            f"last norm is {figures.gradient:g}, the usual one {state.usual_gradient:g}); the newest "
            f"checkpoint in {session.options.folder} is from before them. Train with a lower learning rate."
        )


def _new_state(task: Task, network: nn.Module, rank: Ranks, *, shard: bool) -> TrainState:
    """The state before the first iteration, in every process that of the first."""
    network.to(rank.device).train()
    if rank.count > 1:
        for tensor in network.state_dict().values():
            dist.broadcast(tensor, src=0)
    task.set_trainable(network, None)
    if shard and rank.count > 1:
        shard_weights(network, task.shard_units(network))
    config = task.config
    optimizers = make_optimizers(network, task.hidden_matrices(network), config.optimizer)
    state = TrainState(network=network, optimizers=optimizers)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        state.discriminator = task.discriminator()
    if state.discriminator is not None:
        if rank.count > 1:
            raise OptionError(
                f"an adversarial stage runs in one process, and there are {rank.count}. Start it alone."
            )
        state.discriminator.to(rank.device)
        state.discriminator_optimizer = discriminator_optimizer(state.discriminator, config.optimizer)
    return state


@contextmanager
def _quiet_views(*, shard: bool) -> Iterator[None]:
    """Leave out FSDP's warning that a module returns a view: nothing writes into latents and videos."""
    if not shard:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")
        yield


@contextmanager
def _in_folder(folder: Path, rank: Ranks) -> Iterator[None]:
    """Make the folder of a run, and let no other run write there; the first process does that for all.

    Raises:
        OutputError: another run writes there, or the disk is full or refuses something.
    """
    with ExitStack() as stack:
        stack.enter_context(output_errors(folder))
        if rank.is_first:
            stack.enter_context(no_empty_folders(folder))
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder))
            for part in folder.glob(UNFINISHED):
                remove(part)
        yield


@contextmanager
def _stop_asked() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether a signal asked the run to stop; a second one acts at once."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(number, frame)
        asked = True

    before = {number: signal.signal(number, ask) for number in STOP_SIGNALS}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
