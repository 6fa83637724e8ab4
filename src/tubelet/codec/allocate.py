"""A latent, one step after the other, to symbols and how many channels each position stores of them."""

from copy import copy as shallow_copy
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from tubelet.codec.contrast import Weights
from tubelet.codec.costs import Costs, up_to_each
from tubelet.codec.detail import detail_weights
from tubelet.codec.fill import Step, filled_step
from tubelet.codec.prices import Choice, PerClass, StepTable
from tubelet.codec.rounding import StepSymbols, nearer_to_zero
from tubelet.quantizers.scalar import STEP_UNIT, ScalarQuantizer, Symbols
from tubelet.tokenizers.allocation import CLASSES
from tubelet.types import Latent

StepWeights = Float64[np.ndarray, "h w"]
"""How much the squared error of each position of a step counts."""


def classes_of(channels: int) -> tuple[int, ...]:
    """The numbers of channels that a position may have, from none to all."""
    return (*(count for count in CLASSES if count < channels), channels)


class WeighedLatent(NamedTuple):
    """Consecutive steps of a part, and how much their errors count.

    Attributes:
        latent: all channels.
        weights: of the squared error of each position; none where all count alike.
    """

    latent: Latent
    weights: Weights | None = None


class Allocated(NamedTuple):
    """The steps of a chunk as a file stores them.

    Attributes:
        symbols: zero beyond a position's count.
        counts: how many leading channels of each position are stored; none at all: it repeats the step before
            (see `tubelet.codec.fill`).
        costs: what each step takes, as far as it was known, in the units of `Costs`.
        errors: squared error of the latent of each step, in those of `pixel_units`, all channels alike.
    """

    symbols: Symbols
    counts: Int32[np.ndarray, "t h w"]
    costs: Float64[np.ndarray, " t"]
    errors: Float64[np.ndarray, " t"]


@final
class Allocator:
    """Quantises a part of a latent and decides how many channels each position is worth, chunk by chunk.

    Each step is decided from itself and from what was stored before it. The allocator holds what the decoder
    will: a position may repeat the step before, which costs the map's bits alone, where the error of that is
    worth less than the bits of anything else. Errors of fine detail count less (`tubelet.codec.detail`).

    Args:
        quantizer: of all channels of the part.
        units: by how much one of each channel changes pixels (`StepModel.pixel_units`).
        costs: what each class of counts takes; they learn from what is stored.
        price: error that one unit of cost must take away.
    """

    def __init__(
        self, quantizer: ScalarQuantizer, *, units: Float32[np.ndarray, " c"], costs: Costs, price: float
    ) -> None:
        self.classes = classes_of(len(units))
        self._quantizer = quantizer
        self._power = np.square(units)[:, None, None]
        self._counted = self._power * detail_weights(len(units)).astype(np.float32)[:, None, None]
        self._steps = np.array(quantizer.steps) * STEP_UNIT
        self._costs = costs
        self._price = price

    def allocate(self, latent: Latent, weights: Weights | None = None) -> Allocated:
        """Take all steps of the next chunk of a clip, with all channels.

        Args:
            latent: of the chunk.
            weights: of the squared error of each position, in what is chosen; none: all count alike.

        Raises:
            LatentError: a value is NaN, infinite, or too large for the quantiser.
        """
        nearest = self._quantizer.quantize(latent)
        scaled = self._quantizer.scaled_latent(latent).numpy()
        values = latent[0].to("cpu").float().numpy()
        of_step = np.ones(nearest.shape[1:]) if weights is None else weights
        done: list[_Done] = []
        for index in range(nearest.shape[1]):
            counted = of_step[index]
            symbols = self._rounded(scaled[:, index], nearest[:, index], counted)
            done.append(self._step(values[:, index], symbols, counted, done[-1] if done else None))
        symbols = np.stack([each.symbols for each in done], axis=1)
        counts = np.stack([np.array(self.classes)[each.choice] for each in done]).astype(np.int32)
        channel = np.arange(len(symbols))[:, None, None, None]
        return Allocated(
            symbols=np.where(channel < counts, symbols, 0),
            counts=counts,
            costs=np.array([each.cost for each in done], dtype=np.float64),
            errors=np.array([each.error for each in done], dtype=np.float64),
        )

    def at(self, price: float) -> "Allocator":
        """The same at another price from now on; this one stays as it is."""
        other = shallow_copy(self)
        other._costs, other._price = self._costs.copy(), price
        return other

    def _rounded(
        self, scaled: Float32[np.ndarray, "c h w"], nearest: StepSymbols, weights: StepWeights
    ) -> StepSymbols:
        """One step rounded as it is best at the price, where symbols have one."""
        bits = self._costs.symbol_bits()
        if bits is None:
            return nearest
        worth = self._price / (self._counted[:, 0, 0] * np.square(self._steps))
        return nearer_to_zero(scaled, nearest, bits=bits, worth=worth, weights=weights)

    def _step(
        self,
        latent: Float32[np.ndarray, "c h w"],
        symbols: StepSymbols,
        weights: StepWeights,
        before: "_Done | None",
    ) -> "_Done":
        """Decide one step."""
        values = self._quantizer.dequantize(symbols[:, None])[0, :, 0].numpy()
        last = None if before is None else before.choice
        held = None if before is None else before.held
        table = StepTable(self._errors(latent, values, held), self._costs.of_step(symbols, last))
        choice = StepTable(weights * table.errors, table.costs).cheapest(self._price)
        self._costs.learn(symbols, choice, last)
        counts: Int64[np.ndarray, " h w"] = np.array(self.classes)[choice]
        stored = filled_step(Step(values, counts), held)
        error = float((self._power * np.square(stored.values - latent)).sum(dtype=np.float64))
        return _Done(symbols, choice, stored, table.cost(choice), error)

    def _errors(
        self,
        latent: Float32[np.ndarray, "c h w"],
        values: Float32[np.ndarray, "c h w"],
        held: Step | None,
    ) -> PerClass:
        """What each class errs, as it counts: what is rounded of its channels, and what it leaves out."""
        energies = up_to_each(self._counted * np.square(latent), self.classes)
        errors = energies[-1:] - energies
        errors += up_to_each(self._counted * np.square(values - latent), self.classes)
        if held is not None:
            errors[0] = (self._counted * np.square(held.values - latent)).sum(axis=0, dtype=np.float64)
        return errors


class _Done(NamedTuple):
    """What was decided of a step, and the step as the decoder has it."""

    symbols: StepSymbols
    choice: Choice
    held: Step
    cost: float
    error: float
