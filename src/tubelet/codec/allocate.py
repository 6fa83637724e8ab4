"""A latent, one step after the other, to symbols and how many channels each position stores of them."""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from tubelet.codec.chunking import CHUNK_SYMBOLS, LARGEST_CHUNK
from tubelet.codec.costs import Costs, up_to_each
from tubelet.codec.fill import Step, filled_step
from tubelet.codec.prices import Choice, PerClass, StepTable
from tubelet.codec.rules import PriceRule
from tubelet.quantizers.scalar import ScalarQuantizer, Symbols
from tubelet.tokenizers.allocation import CLASSES
from tubelet.types import Latent


def classes_of(channels: int) -> tuple[int, ...]:
    """The numbers of channels that a position may have, from none to all."""
    return (*(count for count in CLASSES if count < channels), channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRule:
    """When a chunk is full, so that the next step begins another and repeats nothing of this one.

    Attributes:
        steps: that it has.
        symbols: or so many that are stored.
    """

    steps: int = LARGEST_CHUNK
    symbols: int = CHUNK_SYMBOLS


USUAL_CHUNK = ChunkRule()
"""As long as chunks get."""


class Allocated(NamedTuple):
    """Consecutive steps as a file stores them.

    Attributes:
        symbols: zero beyond a position's count.
        counts: how many leading channels of each position are stored; none at all: it repeats the step before
            (see `tubelet.codec.fill`).
        begins: which steps begin a chunk.
        costs: what each step takes, as far as it was known, in the units of `Costs`.
        errors: squared error of the latent of each step, in those of `pixel_units`.
    """

    symbols: Symbols
    counts: Int32[np.ndarray, "t h w"]
    begins: Bool[np.ndarray, " t"]
    costs: Float64[np.ndarray, " t"]
    errors: Float64[np.ndarray, " t"]


@final
class Allocator:
    """Quantises a part of a latent and decides how many channels each position is worth, step by step.

    Each step is decided from itself and from what was stored before it. So the result does not depend on how
    steps are pushed, memory is that of two steps, and what is decided can be written at once. The allocator
    holds what the decoder will: a position may repeat the step before, which costs the map's bits alone,
    where the error of that is worth less than the bits of anything else.

    Args:
        quantizer: of all channels of the part.
        units: by how much one of each channel changes pixels (`StepModel.pixel_units`).
        costs: what each class of counts takes.
        rule: the price of each step.
        chunk: when chunks are full.
    """

    def __init__(
        self,
        quantizer: ScalarQuantizer,
        *,
        units: Float32[np.ndarray, " c"],
        costs: Costs,
        rule: PriceRule,
        chunk: ChunkRule = USUAL_CHUNK,
    ) -> None:
        self.classes = classes_of(len(units))
        self.quantizer = quantizer
        self._power = np.square(units)[:, None, None]
        self._costs = costs
        self._rule = rule
        self._chunk = chunk
        self._held: Step | None = None
        """The step before as the decoder has it; none where a chunk begins."""
        self._before: Choice | None = None
        """Its classes."""
        self._steps = 0
        self._symbols = 0
        """What the chunk has so far."""

    def push(self, latent: Latent) -> Allocated:
        """Take consecutive steps of one clip, any number of them, with all channels.

        Raises:
            LatentError: a value is NaN, infinite, or too large for the quantiser.
        """
        symbols = self.quantizer.quantize(latent)
        values = latent[0].to("cpu").float().numpy()
        done = [self._step(values[:, index], symbols[:, index]) for index in range(symbols.shape[1])]
        counts = np.empty((0, *symbols.shape[2:]), dtype=np.int32)
        if done:
            counts = np.stack([each.counts for each in done]).astype(np.int32)
        channel = np.arange(len(symbols))[:, None, None, None]
        return Allocated(
            symbols=np.where(channel < counts, symbols, 0),
            counts=counts,
            begins=np.array([each.begins for each in done], dtype=bool),
            costs=np.array([each.cost for each in done], dtype=np.float64),
            errors=np.array([each.error for each in done], dtype=np.float64),
        )

    def correct(self, *, cost: float = 0.0, error: float = 0.0) -> None:
        """Say that the steps so far took, or their frames erred, by so much more than was estimated."""
        self._rule.correct(cost=cost, error=error)

    def copy(self) -> "Allocator":
        """The same, to go on from differently: what it holds is shared, as nothing of that changes."""
        same = object.__new__(Allocator)
        same.__dict__ |= self.__dict__
        same._costs, same._rule = self._costs.copy(), self._rule.copy()
        return same

    def _step(self, latent: Float32[np.ndarray, "c h w"], symbols: Int32[np.ndarray, "c h w"]) -> "_Done":
        """Decide one step, and be one step on."""
        if self._steps >= self._chunk.steps or self._symbols >= self._chunk.symbols:
            self._held, self._before, self._steps, self._symbols = None, None, 0, 0
        begins = self._held is None
        values = self.quantizer.dequantize(symbols[:, None])[0, :, 0].numpy()
        table = StepTable(self._errors(latent, values), self._costs.of_step(symbols, self._before))
        choice = table.cheapest(self._rule.price(table))
        cost, error = table.cost(choice), table.error(choice)
        self._rule.paid(cost=cost, error=error)
        self._costs.learn(symbols, choice, self._before)
        counts: Int64[np.ndarray, " h w"] = np.array(self.classes)[choice]
        self._held = filled_step(Step(values, counts), self._held)
        self._before = choice
        self._steps += 1
        self._symbols += int(counts.sum())
        return _Done(counts, begins, cost, error)

    def _errors(self, latent: Float32[np.ndarray, "c h w"], values: Float32[np.ndarray, "c h w"]) -> PerClass:
        """Squared error of each class: what is rounded of its channels, and what it leaves out."""
        energies = up_to_each(self._power * np.square(latent), self.classes)
        errors = energies[-1:] - energies
        errors += up_to_each(self._power * np.square(values - latent), self.classes)
        if self._held is not None:
            errors[0] = (self._power * np.square(self._held.values - latent)).sum(axis=0, dtype=np.float64)
        return errors


class _Done(NamedTuple):
    """What was decided of a step."""

    counts: Int64[np.ndarray, " h w"]
    begins: bool
    cost: float
    error: float
