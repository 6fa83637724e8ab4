"""What a position costs with each class of counts: channels, or bits as a coder will take them."""

import math
from copy import copy as shallow_copy
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float, Float64, Int

from tubelet.codec.prices import Choice, PerClass
from tubelet.codec.rounding import StepSymbols

LARGEST = 64
"""Magnitude of a symbol from which on all have one table entry; what goes beyond is charged by its length."""

_SOFTNESS = 64.0
"""Symbols that the first guess of a channel's table counts for."""

_KEPT = 0.9
"""Share of what was counted that the next step keeps: about ten steps are remembered."""


@runtime_checkable
class Costs(Protocol):
    """What each class of counts takes at each position; a context model may answer as well as a table."""

    def of_step(self, symbols: StepSymbols, before: Choice | None) -> PerClass:
        """What each class takes at each position of a step, if it is stored there.

        Args:
            symbols: the step.
            before: the classes of the step before it in the chunk; none at the begin of a chunk.
        """
        ...

    def symbol_bits(self) -> Float64[np.ndarray, "c s"] | None:
        """Bits of the symbols of each channel from -n to n; none where symbols cost nothing."""
        ...

    def learn(self, symbols: StepSymbols, choice: Choice, before: Choice | None) -> None:
        """Take note of what was stored of a step."""
        ...

    def copy(self) -> "Costs":
        """The same, to go on from differently."""
        ...


@final
class ChannelCosts:
    """A channel costs one: for budgets that count channels.

    Args:
        classes: numbers of channels that a position may have, increasing.
    """

    def __init__(self, classes: tuple[int, ...]) -> None:
        self._classes = np.array(classes, dtype=np.float64)

    def of_step(self, symbols: StepSymbols, before: Choice | None) -> PerClass:
        """The number of channels of each class."""
        shape = (len(self._classes), *symbols.shape[1:])
        return np.broadcast_to(self._classes[:, None, None], shape)

    def symbol_bits(self) -> None:
        """None: whatever a channel holds, it costs the same."""

    def learn(self, symbols: StepSymbols, choice: Choice, before: Choice | None) -> None:
        """Do nothing: channels always cost the same."""

    def copy(self) -> "ChannelCosts":
        """Itself: it knows nothing that changes."""
        return self


@final
class TableCosts:
    """Bits by one adaptive table for each channel, and for the class given the class before.

    The first tables are those of a Laplace distribution of unit variance, as latents roughly have it; every
    step brings its counts, and what is long ago fades. It is an estimate for choosing, not the coder.

    Args:
        classes: numbers of channels that a position may have, from none to all, increasing.
        steps: the quantiser's step of each channel, in standard deviations.
    """

    def __init__(self, classes: tuple[int, ...], steps: Float64[np.ndarray, " c"]) -> None:
        self._classes = classes
        self._counts = _SOFTNESS * np.stack([_laplace(step) for step in steps])
        self._maps = np.ones((len(classes) + 1, len(classes)))
        # No channel at all is as likely as any: one bit is the most that a step of nothing takes at first.
        self._maps[:, 0] = len(classes) - 1
        self._first_maps = self._maps / len(classes)

    def of_step(self, symbols: StepSymbols, before: Choice | None) -> PerClass:
        """Bits of the class, and of the symbols of its channels."""
        bits = self.symbol_bits()
        sizes = np.abs(symbols)
        each = np.take_along_axis(bits[:, :, None], _entries(symbols).reshape(len(bits), -1, 1), axis=1)
        each = each.reshape(symbols.shape)
        if sizes.max(initial=0) > LARGEST:
            each += 2 * np.log2(np.maximum(sizes - LARGEST, 0) + 1.0)
        return up_to_each(each, self._classes) + self._map_bits(before, symbols.shape[1:])

    def symbol_bits(self) -> Float64[np.ndarray, "c s"]:
        """By the tables as they are now."""
        return np.log2(self._counts.sum(axis=1, keepdims=True)) - np.log2(self._counts)

    def learn(self, symbols: StepSymbols, choice: Choice, before: Choice | None) -> None:
        """Count the symbols that were stored, and the classes."""
        counts = np.array(self._classes)[choice]
        stored = np.arange(len(symbols))[:, None, None] < counts
        width = self._counts.shape[1]
        places = (_entries(symbols) + width * np.arange(len(symbols))[:, None, None])[stored]
        seen = np.bincount(places, minlength=self._counts.size).reshape(self._counts.shape)
        first = _SOFTNESS * (1 - _KEPT) * self._counts / self._counts.sum(axis=1, keepdims=True)
        self._counts = _KEPT * self._counts + first + seen
        context = np.full(choice.shape, len(self._classes)) if before is None else before
        pairs = np.bincount((context * len(self._classes) + choice).ravel(), minlength=self._maps.size)
        self._maps = _KEPT * self._maps + self._first_maps * (1 - _KEPT) + pairs.reshape(self._maps.shape)

    def copy(self) -> "TableCosts":
        """The same tables, to go on from differently."""
        # Tables are replaced, never changed.
        return shallow_copy(self)

    def _map_bits(self, before: Choice | None, shape: tuple[int, ...]) -> PerClass:
        bits = np.log2(self._maps.sum(axis=1, keepdims=True)) - np.log2(self._maps)
        context = np.full(shape, len(self._classes)) if before is None else before
        return np.moveaxis(bits[context], -1, 0)


def up_to_each(values: Float[np.ndarray, "c h w"], classes: tuple[int, ...]) -> PerClass:
    """The sum over the channels that each class has; the first class has none."""
    between = np.add.reduceat(values, classes[:-1], axis=0, dtype=np.float64)
    return np.concatenate([np.zeros_like(between[:1]), between.cumsum(axis=0)])


def _entries(symbols: StepSymbols) -> Int[np.ndarray, "c h w"]:
    """Which entry of its channel's table each symbol has."""
    return np.clip(symbols, -LARGEST, LARGEST).astype(np.int64) + LARGEST


def _laplace(step: float) -> Float64[np.ndarray, " s"]:
    """How likely each entry is if the channel has a Laplace distribution of unit variance."""
    decay = math.exp(-math.sqrt(2) * step)
    sizes = np.abs(np.arange(-LARGEST, LARGEST + 1)).astype(np.float64)
    zero = 1 - math.exp(-math.sqrt(2) * step / 2)
    likely = np.where(sizes == 0, zero, (1 - zero) / 2 * (1 - decay) * decay ** np.maximum(sizes - 1, 0))
    likely = likely + 1e-6
    return likely / likely.sum()
