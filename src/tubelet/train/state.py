"""All that a training run knows, and its way to disk and back."""

import json
import logging
import warnings
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.optim.optimizer import Optimizer as TorchOptimizer

from tubelet.errors import TrainingError
from tubelet.files import output_errors
from tubelet.files.disk import make_durable
from tubelet.files.leftovers import remove
from tubelet.files.names import utf8_path
from tubelet.files.replace import replace_folder
from tubelet.json_text import of_kind, read_json

_LOG = logging.getLogger("tubelet.train")

UNFINISHED = ".iteration-*.part"
"""Names of checkpoints that are being written, as a pattern."""

_NUMBERS: dict[str, type | tuple[type, ...]] = {
    "iteration": int,
    "seconds": (int, float),
    "progress": (int, float),
    "usual_gradient": (int, float),
    "bad_iterations": int,
}
"""What a checkpoint holds beside tensors, and of which kinds."""

_KEPT = 2
"""Checkpoints that are kept: the newest, and the one before it."""


@dataclass(slots=True, kw_only=True)
class TrainState:
    """What changes while a run goes on.

    Attributes:
        network: the weights that are trained.
        optimizers: with what they remember of each weight.
        ema: running average of the weights, by name; what is exported.
        iteration: iterations done.
        seconds: time that they took, over all sessions.
        progress: fraction of the run that is done; below 1 the learning rate has not come down to zero yet.
        usual_gradient: running mean of the gradients' norm, by which a jump is told; zero at first.
        bad_iterations: iterations in a row that moved nothing.
        discriminator: of an adversarial stage; none in a run without one.
        discriminator_optimizer: moves its weights.
    """

    network: nn.Module
    optimizers: list[TorchOptimizer]
    ema: dict[str, Tensor] = field(default_factory=dict)
    iteration: int = 0
    seconds: float = 0.0
    progress: float = 0.0
    usual_gradient: float = 0.0
    bad_iterations: int = 0
    discriminator: nn.Module | None = None
    discriminator_optimizer: TorchOptimizer | None = None

    def __post_init__(self) -> None:
        if not self.ema:
            self.ema = {name: p.detach().clone() for name, p in self.network.named_parameters()}

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return next(iter(self.ema.values())).device

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor, by a name that does not depend on the number of processes."""
        named = {f"weights.{name}": each.detach() for name, each in self.network.state_dict().items()}
        named |= {f"ema.{name}": each for name, each in self.ema.items()}
        for optimizer in self.optimizers:
            named |= _optimizer_state(optimizer, self.network, "optimizer")
        if self.discriminator is not None and self.discriminator_optimizer is not None:
            known = self.discriminator.state_dict().items()
            named |= {f"discriminator.{name}": each.detach() for name, each in known}
            named |= _optimizer_state(
                self.discriminator_optimizer, self.discriminator, "discriminator_optimizer"
            )
        return named

    @torch.no_grad()
    def use_ema(self) -> None:
        """Let the network have the averaged weights."""
        for name, parameter in self.network.named_parameters():
            parameter.copy_(self.ema[name])

    def numbers(self) -> dict[str, int | float]:
        """Everything else."""
        return {name: getattr(self, name) for name in _NUMBERS}


def save_state(state: TrainState, run: Path) -> Path:
    """Write a checkpoint beside the others and rename it, then drop the oldest; all processes call it.

    A checkpoint is a folder of safetensors files, written by torch.distributed.checkpoint so that any number
    of processes can read it, and a JSON file of numbers. Nothing in it is executed.

    Raises:
        OutputError: the disk is full or refuses it; what was there stays.
    """
    shared = dist.is_initialized()
    target = run / checkpoint_name(state.iteration)
    beside = run / UNFINISHED.replace("iteration-*", target.name)
    try:
        with output_errors(target), _plain_errors():
            if _first():
                remove(beside)
                beside.mkdir(parents=True)
            _wait()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that one process saves alone is meant
                writer = HuggingFaceStorageWriter(str(beside), save_distributed=shared)
                save(state.tensors(), storage_writer=writer, no_dist=not shared)
            if _first():
                (beside / "numbers.json").write_text(json.dumps(state.numbers()) + "\n", encoding="utf-8")
                make_durable(beside)
                replace_folder(beside, target)
                for old in checkpoints(run)[:-_KEPT]:
                    remove(old)
    except BaseException:
        remove(beside)
        raise
    _wait()
    _LOG.debug("wrote %s", target)
    return target


def load_state(state: TrainState, checkpoint: Path) -> None:
    """Take up a run where a checkpoint left it; `state` is one that was just made for the same run.

    Raises:
        TrainingError: the checkpoint is damaged, or of another run.
    """
    try:
        numbers = read_numbers(checkpoint)
        with utf8_path(checkpoint) as readable:
            _load_tensors(state, readable)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        RuntimeError,
        SafetensorError,
        CheckpointException,
    ) as error:
        raise TrainingError(
            f"the checkpoint {checkpoint} cannot be taken up: {error}. Remove that folder to go on from the "
            "one before it, or start anew with --force."
        ) from error
    for name, value in numbers.items():
        setattr(state, name, value)


def _load_tensors(state: TrainState, checkpoint: Path) -> None:
    """Fill the tensors of a state with those of a checkpoint."""
    reader = HuggingFaceStorageReader(str(checkpoint))
    there = reader.read_metadata().state_dict_metadata
    for optimizer in _all_optimizers(state):
        _allocate(optimizer)
    wanted = state.tensors()
    _check_names(wanted, there)
    found = {name: tensor for name, tensor in wanted.items() if name in there}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one process loads alone is meant
        load(found, storage_reader=reader, no_dist=not dist.is_initialized())


def checkpoint_name(iteration: int) -> str:
    """The folder of the checkpoint after so many iterations."""
    return f"iteration-{iteration:08d}"


def checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    return sorted(folder for folder in run.glob("iteration-*") if (folder / "numbers.json").is_file())


def read_ema(checkpoint: Path, network: nn.Module) -> None:
    """Give a network the averaged weights of a checkpoint, and its buffers.

    Raises:
        TrainingError: the checkpoint is damaged, or of another model.
    """
    state = TrainState(network=network, optimizers=[])
    load_state(state, checkpoint)
    state.use_ema()


def _check_names(wanted: dict[str, Tensor], there: Container[str]) -> None:
    """A checkpoint has every weight; the state of an optimiser may be missing, as at the start."""
    if missing := [name for name in wanted if name not in there and "optimizer." not in name]:
        raise ValueError(f"it lacks {missing[0]} and {len(missing) - 1} more")


def read_numbers(checkpoint: Path) -> dict[str, int | float]:
    """The numbers of a checkpoint, by the names of `TrainState`.

    Raises:
        TrainingError: the checkpoint is damaged.
    """
    path = checkpoint / "numbers.json"
    try:
        found = of_kind(read_json(path), dict, "content")
        numbers = {name: of_kind(found[name], kind, name) for name, kind in _NUMBERS.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{path} is damaged: {error!r:.200}. Remove its folder to go on from the one before it, or start "
            "anew with --force."
        ) from error
    return numbers


def _all_optimizers(state: TrainState) -> list[TorchOptimizer]:
    further = state.discriminator_optimizer
    return state.optimizers if further is None else [*state.optimizers, further]


def _optimizer_state(optimizer: TorchOptimizer, network: nn.Module, prefix: str) -> dict[str, Tensor]:
    """What an optimiser keeps for each weight."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {
        f"{prefix}.{names[id(weight)]}.{key}": value
        for weight, kept in optimizer.state.items()
        for key, value in kept.items()
        if isinstance(value, Tensor)
    }


def _allocate(optimizer: TorchOptimizer) -> None:
    """Let an optimiser make its state for every weight, without moving one."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
        for weight in group["params"]:
            weight.grad = torch.zeros_like(weight)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Let an error of the disk be what it is, which torch wraps."""
    try:
        yield
    except CheckpointException as error:
        for failure, _ in error.failures.values():
            if isinstance(failure, OSError):
                raise failure from error
        raise


def _first() -> bool:
    return not dist.is_initialized() or dist.get_rank() == 0


def _wait() -> None:
    if dist.is_initialized():
        dist.barrier()
