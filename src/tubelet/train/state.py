"""All that a training run knows, and its way to disk and back."""

import json
import warnings
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
from tubelet.json_text import read_json
from tubelet.train.network import Network

UNFINISHED = ".step-*.part"
"""Names of checkpoints that are being written, as a pattern."""

_KEPT = 2
"""Checkpoints that are kept: the newest, and the one before it."""


@dataclass(slots=True, kw_only=True)
class TrainState:
    """What changes while a run goes on.

    Attributes:
        network: the weights that are trained.
        optimizers: with what they remember of each weight.
        average: running average of the weights, by name; what is exported.
        step: steps done.
        seconds: time that they took, over all sessions.
        usual_gradient: running mean of the gradients' norm, by which a jump is told; zero at first.
        bad_steps: steps in a row that were left out.
        share: of the run that is done; below 1 the learning rate has not come down to zero yet.
        discriminator: of the adversarial stage; none in a run without one.
        judge: its optimiser.
    """

    network: Network
    optimizers: list[TorchOptimizer]
    average: dict[str, Tensor] = field(default_factory=dict)
    step: int = 0
    seconds: float = 0.0
    usual_gradient: float = 0.0
    bad_steps: int = 0
    share: float = 0.0
    discriminator: nn.Module | None = None
    judge: TorchOptimizer | None = None

    def __post_init__(self) -> None:
        if not self.average:
            self.average = {name: p.detach().clone() for name, p in self.network.named_parameters()}

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor, by a name that does not depend on the number of processes."""
        named = {f"weights.{name}": each.detach() for name, each in self.network.state_dict().items()}
        named |= {f"average.{name}": each for name, each in self.average.items()}
        for optimizer in self.optimizers:
            named |= _memory(optimizer, self.network, "memory")
        if self.discriminator is not None and self.judge is not None:
            named |= {
                f"judge.{name}": each.detach() for name, each in self.discriminator.state_dict().items()
            }
            named |= _memory(self.judge, self.discriminator, "judge_memory")
        return named

    @torch.no_grad()
    def use_average(self) -> None:
        """Let the network have the averaged weights."""
        for name, parameter in self.network.named_parameters():
            parameter.copy_(self.average[name])

    def numbers(self) -> dict[str, int | float]:
        """Everything else."""
        return {
            name: getattr(self, name) for name in ("step", "seconds", "usual_gradient", "bad_steps", "share")
        }


def save_state(state: TrainState, run: Path) -> Path:
    """Write a checkpoint beside the others and rename it, then drop the oldest; all processes call it.

    A checkpoint is a folder of safetensors files, written by torch.distributed.checkpoint so that any number
    of processes can read it, and a JSON file of numbers. Nothing in it is executed.

    Raises:
        OutputError: the disk is full or refuses it; what was there stays.
    """
    shared = dist.is_initialized()
    target = run / checkpoint_name(state.step)
    beside = run / UNFINISHED.replace("step-*", target.name)
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
    for optimizer in [*state.optimizers, *([state.judge] if state.judge else [])]:
        _remember_something(optimizer)
    wanted = state.tensors()
    _check_names(wanted, there)
    found = {name: tensor for name, tensor in wanted.items() if name in there}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one process loads alone is meant
        load(found, storage_reader=reader, no_dist=not dist.is_initialized())


def checkpoint_name(step: int) -> str:
    """The folder of the checkpoint after so many steps."""
    return f"step-{step:08d}"


def checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    return sorted(folder for folder in run.glob("step-*") if (folder / "numbers.json").is_file())


def read_average(checkpoint: Path, network: Network) -> None:
    """Give a network the averaged weights of a checkpoint, and its buffers.

    Raises:
        TrainingError: the checkpoint is damaged, or of another model.
    """
    state = TrainState(network=network, optimizers=[])
    load_state(state, checkpoint)
    state.use_average()


def _check_names(wanted: dict[str, Tensor], there: Container[str]) -> None:
    """A checkpoint has every weight; what an optimiser remembers may be missing, as before the first step."""
    if missing := [name for name in wanted if name not in there and "memory." not in name]:
        raise ValueError(f"it lacks {missing[0]} and {len(missing) - 1} more")


def read_numbers(checkpoint: Path) -> dict[str, int | float]:
    """The numbers of a checkpoint, by the names of `TrainState`.

    Raises:
        OSError, ValueError: the checkpoint is damaged.
    """
    numbers = read_json(checkpoint / "numbers.json")
    kinds: dict[str, Any] = {
        "step": int,
        "seconds": (int, float),
        "usual_gradient": (int, float),
        "bad_steps": int,
        "share": (int, float),
    }
    # Checkpoints of before do not say how much of the run was done; they pass for the end of one.
    numbers = {"share": 1.0} | numbers if isinstance(numbers, dict) else numbers
    if set(numbers) != set(kinds) or not all(isinstance(numbers[name], kind) for name, kind in kinds.items()):
        raise ValueError(f"its numbers are {numbers!r:.200}")
    return numbers


def _memory(optimizer: TorchOptimizer, network: nn.Module, prefix: str) -> dict[str, Tensor]:
    """What an optimiser remembers of each weight."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {
        f"{prefix}.{names[id(weight)]}.{key}": value
        for weight, memory in optimizer.state.items()
        for key, value in memory.items()
        if isinstance(value, Tensor)
    }


def _remember_something(optimizer: TorchOptimizer) -> None:
    """Let an optimiser make room for what it remembers, without moving a weight."""
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
