"""What a run trains: the seam between the loop, which knows no model, and what there is to learn."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn

from tubelet.train.config import LoopConfig


@runtime_checkable
class Stage(Protocol):
    """A part of a run; the stages of a task say more.

    Attributes:
        until: fraction of the run at which it ends; that of the last stage is 1.
        batch: items per iteration, over all processes.
    """

    @property
    def until(self) -> float: ...  # noqa: D102  see above

    @property
    def batch(self) -> int: ...  # noqa: D102  see above


@runtime_checkable
class Batches(Protocol):
    """An iterator over the batches of a stage, which are made ahead.

    Attributes:
        waited_seconds: time that was spent waiting for batches so far.
    """

    waited_seconds: float

    def __next__(self) -> Any: ...  # noqa: ANN401  a batch is whatever its task takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a run an iteration stands; with the seed, all that is random in it follows from this.

    Attributes:
        iteration: its number, from 0.
        indices: which items of the whole batch this process has.
        progress: fraction of the run that is done.
    """

    iteration: int
    indices: range
    progress: float


class Term(NamedTuple):
    """One loss of several.

    Attributes:
        weight: by which it counts.
        value: a scalar, before its weight.
    """

    weight: float
    value: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a task makes of a batch.

    Attributes:
        terms: the losses by name; the loop minimises their weighted sum.
        update: moves what no gradient moves; called once the weights have moved.
        discriminator_loss: gives the loss of the discriminator on the same batch; none where none is trained.
        figures: gives what else the log says of the iteration; called in the process that writes it.
    """

    terms: dict[str, Term]
    update: Callable[[], None] = lambda: None
    discriminator_loss: Callable[[], Tensor] | None = None
    figures: Callable[[], dict[str, Any]] = dict


@runtime_checkable
class Task(Protocol):
    """What is trained, on what, and by which losses; the loop asks it.

    A task holds nothing that an interrupted run would miss: what an iteration draws at random follows from
    the seed and its `Place`, so that a resumed run goes on as an unbroken one would, and any number of
    processes sees the same batches.
    """

    @property
    def config(self) -> LoopConfig:
        """All numbers of the run, a frozen dataclass; stored, and compared when the run is resumed."""
        ...

    def facts(self) -> dict[str, Any]:
        """What else ``run.json`` says, such as the data, in values that JSON holds."""
        ...

    def start(self) -> nn.Module:
        """The network before the first iteration; may take long."""
        ...

    def build(self) -> nn.Module:
        """A network of the same shapes with any weights, for a checkpoint to fill."""
        ...

    def discriminator(self) -> nn.Module | None:
        """A new discriminator; none for a run that trains none."""
        ...

    def hidden_matrices(self, network: Any) -> list[nn.Parameter]:  # noqa: ANN401  the task's own network
        """The matrices between hidden features, which Muon may move."""
        ...

    def shard_units(self, network: Any) -> list[nn.Module]:  # noqa: ANN401  the task's own network
        """The parts whose split weights are gathered together while they compute (FSDP)."""
        ...

    def stage_at(self, progress: float) -> Stage:
        """The stage in which a run is, by the fraction that is done."""
        ...

    def set_trainable(self, network: Any, stage: Any) -> None:  # noqa: ANN401  the task's own network and stage
        """Freeze what a stage does not train; without a stage, what no stage trains."""
        ...

    def batches(self, stage: Any, *, first: int, indices: range) -> AbstractContextManager[Batches]:  # noqa: ANN401
        """The batches of a stage from an iteration on, those items of them that `indices` names."""
        ...

    def outcome(
        self,
        network: Any,  # noqa: ANN401  the task's own network
        model: nn.Module,
        batch: Any,  # noqa: ANN401  what `batches` gave
        place: Place,
        discriminator: nn.Module | None,
    ) -> Outcome:
        """Compute the losses of a batch.

        Args:
            network: the weights that are trained.
            model: `network`, or what stands for it among several processes; it is what must be called.
            batch: what `batches` gave.
            place: of the iteration.
            discriminator: where there is one; its weights do not move by these losses.
        """
        ...

    def pictures(self, network: Any) -> dict[str, Tensor]:  # noqa: ANN401  the task's own network
        """What the weights as they are give, as ``3 H W`` or ``b 3 H W`` in [0, 1]; all processes call it."""
        ...
