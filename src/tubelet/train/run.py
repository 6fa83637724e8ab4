"""A training run from its first step to its last: data, steps, figures, checkpoints."""

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist

from tubelet import checkpoint
from tubelet.data.crops import Crops, open_crops
from tubelet.data.feed import Draw, Feed
from tubelet.errors import OptionError, TrainingError
from tubelet.files import locked, output_errors, replacing
from tubelet.files.leftovers import remove
from tubelet.json_text import read_json
from tubelet.losses.adversarial import SpaceTimeDiscriminator
from tubelet.losses.perceptual import LPIPS
from tubelet.losses.perceptual_weights import read_lpips
from tubelet.quantizers.config import QuantizerConfig, same_tokens
from tubelet.results import circumstances
from tubelet.tokenizers.config import ContinuousConfig
from tubelet.train.batches import to_video
from tubelet.train.config import Stage, TrainConfig
from tubelet.train.journal import LOG_FILE, Journal
from tubelet.train.narrow import narrow
from tubelet.train.network import Network, set_trainable
from tubelet.train.optimizers import make_optimizers
from tubelet.train.processes import Processes, processes, sharded, together
from tubelet.train.start import fitted_quantizer, start_from_crops
from tubelet.train.state import (
    UNFINISHED,
    TrainState,
    checkpoint_name,
    checkpoints,
    load_state,
    save_state,
)
from tubelet.train.step import Part, StepFigures, train_step

RUN_FILE = "run.json"
"""Says what a run is: its configuration and its data."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""What asks a run to stop."""

Progress = Callable[[float, int, StepFigures], None]
"""Called after every step with the share of the run that is done, the step's number and its figures."""


def train(
    config: TrainConfig,
    *,
    data: Path,
    folder: Path,
    time_limit: float | None = None,
    resume: bool = False,
    shard: bool = False,
    force: bool = False,
    on_step: Progress = lambda _share, _step, _figures: None,
) -> TrainState:
    """Train a tokenizer; started by torchrun, all processes train one together.

    The run ends after ``config.steps`` steps or `time_limit` seconds, and the learning rate is zero just
    then. On SIGTERM, SIGHUP or Ctrl-C it writes a checkpoint and stops early: `TrainState.share` is below
    1. Clips, channels and noise depend on the seed and
    the step only, so an interrupted run goes on as an unbroken one would, and any number of processes sees
    the same batches.

    Args:
        config: the run.
        data: a folder of prepared crops (`tubelet prepare`).
        folder: of the run: checkpoints, ``run.json``, ``log.jsonl`` and TensorBoard's files.
        time_limit: seconds of training over all sessions; instead of a number of steps.
        resume: go on from the newest checkpoint; from the start if there is none yet.
        shard: split the weights over the processes (FSDP2) instead of copying them to each (DDP).
        force: start anew in a folder that holds a run.
        on_step: for showing progress.

    Raises:
        OptionError: there is no end, or the data are too small, or the batch does not split.
        TrainingError: gradients stayed bad, or a checkpoint cannot be taken up.
        OutputError: another process works in the folder, or the disk is full or refuses something.
    """
    if (config.steps is None) == (time_limit is None):
        raise OptionError(
            f"steps is {config.steps} and the time limit is {time_limit}; a run has one end. Give one."
        )
    crops = open_crops(data)
    for stage in config.stages:
        _draw(stage).check(crops)
    with processes() as who, _stop_asked() as stop_asked, _in_folder(folder, who):
        if who.is_first:
            _prepare_folder(folder, config, crops, data, resume=resume, force=force)
        known = checkpoints(folder)[-1] if resume and checkpoints(folder) else None
        # Fitting the linear start takes a minute, and a checkpoint or the first process overwrites it.
        fresh = known is None and who.is_first
        network = _start(config, crops) if fresh else Network.build(config.model, config.quantizer)
        state = _new_state(network, config, who, shard=shard)
        if known is not None:
            load_state(state, known)
        with Journal(folder, first_step=state.step, writes=who.is_first) as journal:
            session = _Session(
                config=config,
                crops=crops,
                who=who,
                folder=folder,
                journal=journal,
                perceptual=_perceptual(config, who),
                time_limit=time_limit,
                shard=shard,
                stop_asked=stop_asked,
                on_step=on_step,
            )
            while not _run_stage(state, session):
                pass
    return state


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """What stays the same from a start of a run to its end or interruption."""

    config: TrainConfig
    crops: Crops
    who: Processes
    folder: Path
    journal: Journal
    perceptual: LPIPS | None
    time_limit: float | None
    shard: bool
    stop_asked: Callable[[], bool]
    on_step: Progress


def _run_stage(state: TrainState, session: _Session) -> bool:
    """Do the steps of one stage, and write a checkpoint; tell whether the run is done, or asked to stop."""
    config, who = session.config, session.who
    share = share_done(state, config, session.time_limit)
    stage = config.stage_at(share)
    set_trainable(state.network, encoder=stage.encoder, transform=config.transform)
    model = together(state.network, who, shard=session.shard)
    indices = who.share(stage.batch)
    began, before, saved = time.monotonic(), state.seconds, state.seconds
    stopping = share >= 1
    with Feed(session.crops, _draw(stage), seed=config.seed, first_step=state.step, indices=indices) as feed:
        while not stopping and share < 1 and config.stage_at(share) is stage:
            part = Part(video=to_video(next(feed), who.device), indices=indices, progress=share)
            figures = train_step(state, model, config, part, perceptual=session.perceptual)
            state.seconds, stopping = who.agree(before + time.monotonic() - began, stop=session.stop_asked())
            share = state.share = share_done(state, config, session.time_limit)
            figures = figures._replace(losses=who.mean(figures.losses))
            session.journal.step(state, figures, waited=feed.waited_seconds)
            session.on_step(min(share, 1.0), state.step, figures)
            _check_patience(state, session, figures)
            if state.seconds - saved >= config.save_seconds and not state.bad_steps:
                save_state(state, session.folder)
                session.journal.pictures(state, session.crops)
                saved = state.seconds
    if checkpoints(session.folder)[-1:] != [session.folder / checkpoint_name(state.step)]:
        save_state(state, session.folder)
        session.journal.pictures(state, session.crops)
    return stopping or share >= 1


def _check_patience(state: TrainState, session: _Session, figures: StepFigures) -> None:
    """Give up after too many bad steps in a row; the newest checkpoint is from before them."""
    if state.bad_steps >= session.config.patience:
        raise TrainingError(
            f"{state.bad_steps} steps in a row had gradients that are no numbers or jumped (the last norm is "
            f"{figures.gradient:g}, the usual one {state.usual_gradient:g}); the newest checkpoint in "
            f"{session.folder} is from before them. Train with a lower rate."
        )


def share_done(state: TrainState, config: TrainConfig, time_limit: float | None) -> float:
    """The share of a run that is done, by its time limit or else its steps."""
    if time_limit is not None:
        return state.seconds / time_limit
    assert config.steps is not None
    return state.step / config.steps


def _draw(stage: Stage) -> Draw:
    return Draw(batch=stage.batch, frames=stage.frames, side=stage.side)


def _new_state(network: Network, config: TrainConfig, who: Processes, *, shard: bool) -> TrainState:
    """The state before the first step, in every process that of the first."""
    network.to(who.device).train()
    if who.count > 1:
        for tensor in network.state_dict().values():
            dist.broadcast(tensor, src=0)
    set_trainable(network, encoder=True, transform=config.transform)
    if shard and who.count > 1:
        sharded(network)
    state = TrainState(network=network, optimizers=make_optimizers(network, config.optimizer))
    if any(stage.adversarial for stage in config.stages):
        if who.count > 1:
            raise OptionError(
                f"an adversarial stage runs in one process, and there are {who.count}. Start it alone."
            )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(config.seed)
            state.discriminator = SpaceTimeDiscriminator().to(who.device)
        state.judge = torch.optim.AdamW(
            state.discriminator.parameters(), lr=config.optimizer.rate, betas=(0.0, 0.99), weight_decay=0.0
        )
    return state


def _start(config: TrainConfig, crops: Crops) -> Network:
    """What a run starts from: a trained tokenizer, or the linear one with new networks around it."""
    if config.start is None:
        linear = None if config.linear is None else checkpoint.load(config.linear)
        tokenizer = start_from_crops(config.model, crops, seed=config.seed, linear=linear)
        quantizer = None
        if config.quantizer is not None:
            quantizer = fitted_quantizer(config.quantizer, tokenizer, crops, seed=config.seed)
        return Network(tokenizer, quantizer)
    trained, model, quantizer = _trained(config.start)
    channels = config.model.channels if config.quantizer is None else model.channels
    same = replace(model, name=config.model.name, channels=channels) == config.model
    if not same or not same_tokens(quantizer, config.quantizer):
        raise OptionError(
            f"start is {config.start}, a tokenizer of {model} and {quantizer}, and the run's model is "
            f"{config.model} and {config.quantizer}; a run goes on from the same model, or from one of "
            "more channels. Change the model's fields, or leave start out."
        )
    network = Network.build(config.model, config.quantizer)
    if config.model.channels == model.channels:
        network.load_state_dict(trained.state_dict())
    else:
        narrow(trained.tokenizer, network.tokenizer)
    return network


def _trained(name: str) -> tuple[Network, ContinuousConfig, QuantizerConfig | None]:
    """The network of a trained tokenizer of either kind, and its numbers."""
    if checkpoint.architecture(name) == "discrete":
        discrete = checkpoint.read_discrete(name)
        network = Network(discrete.tokenizer.backbone, discrete.tokenizer.quantizer)
        return network, discrete.config.backbone, discrete.config.quantizer
    known = checkpoint.read_checkpoint(name)
    return Network(known.tokenizer), known.config, None


def _perceptual(config: TrainConfig, who: Processes) -> LPIPS | None:
    if not config.losses.perceptual:
        return None
    assert config.perceptual is not None
    assert config.perceptual_sha256 is not None
    return read_lpips(Path(config.perceptual), sha256=config.perceptual_sha256).to(who.device)


def _prepare_folder(
    folder: Path, config: TrainConfig, crops: Crops, data: Path, *, resume: bool, force: bool
) -> None:
    """Make the folder of a run and say what it is; refuse another run's."""
    path = folder / RUN_FILE
    # Through JSON and back: tuples become lists on both sides of the comparison.
    wanted: dict[str, Any] = json.loads(json.dumps({"config": asdict(config), "data": crops.settings}))
    if path.exists() and resume:
        if changed := _differences(_known_config(path), wanted["config"]):
            raise OptionError(
                f"the run in {folder} has other numbers: {', '.join(changed)}. Resume with the same ones, or "
                "start another run."
            )
        return
    if not force and (path.exists() or (folder / LOG_FILE).exists() or checkpoints(folder)):
        raise OptionError(f"{folder} holds a run; --resume goes on with it, --force starts anew.")
    for old in checkpoints(folder):
        shutil.rmtree(old)
    (folder / LOG_FILE).unlink(missing_ok=True)
    clips = [clip.name for clip in crops.clips]
    with replacing(path, force=True) as beside:
        content = wanted | {"folder": str(data.resolve()), "clips": clips, "crops": len(crops)}
        content["circumstances"] = circumstances()
        beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _known_config(path: Path) -> dict[str, Any]:
    """The configuration of a run that is there already."""
    try:
        config = read_json(path)["config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is damaged: {error!r}. Start the run anew, with --force.") from error
    if not isinstance(config, dict):
        raise TrainingError(f"{path} is damaged: its config is {config!r:.80}. Start anew, with --force.")
    return config


def _differences(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> list[str]:
    """The fields in which two configurations differ, with both values."""
    found: list[str] = []
    for name in one.keys() | other.keys():
        a, b = one.get(name), other.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{prefix}{name}.")
        elif a != b:
            found.append(f"{prefix}{name} {a!r} there and {b!r} here")
    return sorted(found)


@contextmanager
def _in_folder(folder: Path, who: Processes) -> Iterator[None]:
    """Make the folder of a run, and let no other run write there; the first process does that for all.

    Raises:
        OutputError: another run writes there, or the disk is full or refuses something.
    """
    with ExitStack() as stack:
        stack.enter_context(output_errors(folder))
        if who.is_first:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder))
            for part in folder.glob(UNFINISHED):
                remove(part)
        yield


@contextmanager
def _stop_asked() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether a signal to stop came; a second one acts at once."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(number, frame)
        asked = True

    # What is ignored, as under nohup, stays ignored.
    numbers = [number for number in STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
