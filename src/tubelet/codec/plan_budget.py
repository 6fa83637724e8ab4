"""From what a user asks for to what decides chunk after chunk, and to the quantiser's step."""

import math
from collections.abc import Callable
from typing import NamedTuple

from tubelet.codec.allocate import Allocated, Allocator
from tubelet.codec.budget import (
    CHANNEL_BITS,
    FLOOR,
    QUALITIES,
    Allocators,
    Bitrate,
    BitsPerPixel,
    Budget,
    ClipFacts,
    MeanChannels,
    Quality,
    price_of_step,
)
from tubelet.codec.chunking import LARGEST_CHUNK
from tubelet.codec.search import largest_within
from tubelet.codec.spending import (
    AllowanceSpending,
    Buyer,
    ChunkFacts,
    ConstantSpending,
    PlannedSpending,
    Sizes,
    Spending,
)
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.grouping import Grouping
from tubelet.types import Latent

_CHUNK_VALUES = 1 << 23
"""Values of the latent of a chunk, about: it is held while its price is looked for."""

_SECONDS = 1.0
"""Of a chunk at most where a bitrate holds over any two seconds."""

_FIRST_PRICE = 16.0
"""Of a channel, in those of the quantiser's step, where the search for one begins."""

_FIRST_QUALITY = 30.0
"""Where the search for a quality begins."""

_LEVELS = 3.0
"""Levels of quality by which bits grow by about a half: what the search takes for one."""

_NEAR = 0.92
"""The share of what the opening may take from which on its quality is good enough."""

SizesAt = Callable[[float], Sizes]
"""What a file of the opening alone would take, by the quantiser's coarseness."""


class Decided(NamedTuple):
    """How a file is going to be made.

    Attributes:
        step: the quantiser's coarseness.
        spending: what decides the chunks.
    """

    step: float
    spending: Spending


class Shares(NamedTuple):
    """What a first pass found.

    Attributes:
        costs: what each chunk takes at one price for all.
        total: what all of them are allowed together.
    """

    costs: list[float]
    total: float


class Planner:
    """Plans how the latent of a clip is stored.

    Args:
        tokenizer: whose latent; it has one part.
        facts: of the clip.
        budget: what is asked for.
        channels: leading channels that a position may have; all by default.
        step: the quantiser's coarseness where the budget counts channels; else it follows from the budget.

    Attributes:
        chunk_steps: steps of a chunk; each is decided as a whole.
        classes: how many channels a position may have.
    """

    def __init__(
        self,
        tokenizer: ContinuousTokenizer,
        facts: ClipFacts,
        budget: Budget,
        *,
        channels: int | None,
        step: float,
    ) -> None:
        self.chunk_steps = chunk_steps(tokenizer.check_channels(channels), tokenizer.grouping, facts)
        if isinstance(budget, Bitrate):
            self.chunk_steps = max(1, min(self.chunk_steps, int(_SECONDS * facts.rate / tokenizer.stride.t)))
        self._facts = facts
        self._budget = budget
        self._step = step
        self._allocators = Allocators(tokenizer, channels=channels)
        self.classes = self._allocators.classes

    def one_pass(self, opening: Latent, opened: ChunkFacts, sizes_at: SizesAt) -> Decided:
        """Plan from the first steps of the clip.

        Args:
            opening: these steps.
            opened: what they are.
            sizes_at: what a file of them takes.
        """
        budget = self._budget
        buyer, step = self._buyer(opening, opened, sizes_at)
        if isinstance(budget, Quality):
            return Decided(step, ConstantSpending(buyer.allocator))
        # Of a bitrate nothing is kept for later, so that it holds over every chunk, and over any of them.
        carried = 0.0 if isinstance(budget, Bitrate) else math.inf
        return Decided(step, AllowanceSpending(buyer, self.allowed, carried=carried))

    def two_pass(self, opening: Latent, opened: ChunkFacts, sizes_at: SizesAt, shares: Shares) -> Decided:
        """Plan with what a first pass found; bitrates, whose seconds stand for themselves, as in one pass."""
        if not isinstance(self._budget, MeanChannels | BitsPerPixel):
            return self.one_pass(opening, opened, sizes_at)
        buyer, step = self._buyer(opening, opened, sizes_at)
        return Decided(step, PlannedSpending(buyer, shares.costs, shares.total))

    def at_one_price(self, opening: Latent, opened: ChunkFacts, sizes_at: SizesAt) -> Allocator:
        """What allocates at one price, at which the opening keeps the budget."""
        buyer, _ = self._buyer(opening, opened, sizes_at)
        if buyer.counts:
            buyer.buy(opening, self.allowed(opened), sizes_at(self._step))
            return self._allocators.at_price(buyer.price, step=self._step)
        return buyer.allocator

    def _buyer(self, opening: Latent, opened: ChunkFacts, sizes_at: SizesAt) -> tuple[Buyer, float]:
        """What buys, and the quantiser's coarseness."""
        if isinstance(self._budget, MeanChannels):
            unit = CHANNEL_BITS * price_of_step(self._step)
            first = _FIRST_PRICE * unit
            allocator = self._allocators.at_price(first, step=self._step)
            return Buyer(allocator, first, FLOOR * unit, counts=True), self._step
        quality, ratio = self._budget, 1.0
        if not isinstance(quality, Quality):
            quality, ratio = self._quality(opening, self.allowed(opened), sizes_at)
        price = price_of_step(quality.step)
        return Buyer(self._allocators.at_quality(quality), price, FLOOR * price, ratio=ratio), quality.step

    def _quality(self, opening: Latent, allowed: float, sizes_at: SizesAt) -> tuple[Quality, float]:
        """About the best at which a file of the opening keeps its budget; bits over those estimated there."""
        ratio, start = 1.0, _FIRST_QUALITY / _LEVELS
        low, high = (level / _LEVELS for level in QUALITIES)

        def bits_at(setting: float) -> tuple[float, tuple[Quality, Allocated]]:
            quality = Quality(level=_LEVELS * setting)
            done = self._allocators.at_quality(quality).allocate(opening)
            return ratio * sizes_at(quality.step).estimate(done), (quality, done)

        found = largest_within(bits_at, allowed, start=start, low=low, high=high, near=_NEAR)
        quality, done = found.result
        ratio = sizes_at(quality.step).exact(done).bits / found.value
        if abs(ratio - 1) >= 1 - _NEAR:
            # Quality grows slowly with bits: at another one the ratio is about the same.
            found = largest_within(bits_at, allowed, start=found.setting, low=low, high=high, near=_NEAR)
            quality, _ = found.result
        return quality, ratio

    def allowed(self, chunk: ChunkFacts) -> float:
        """Channels or bits that a chunk is allowed."""
        match self._budget:
            case MeanChannels(channels=channels):
                return channels * chunk.positions
            case BitsPerPixel(bits=bits):
                return bits * self._facts.height * self._facts.width * chunk.frames
            case Bitrate(bits_per_second=bits):
                return bits * chunk.seconds
            case _:
                return math.inf


def chunk_steps(channels: int, grouping: Grouping, facts: ClipFacts) -> int:
    """Steps of a chunk that is decided as a whole."""
    rows, columns = grouping.cells(facts.height, facts.width)
    return max(1, min(LARGEST_CHUNK, _CHUNK_VALUES // (channels * rows * columns)))
