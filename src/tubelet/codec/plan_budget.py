"""From what a user asks for to what decides chunk after chunk, and to the quantiser's step."""

import math
from collections.abc import Callable
from typing import NamedTuple

from tubelet.codec.allocate import Allocated, Allocator, WeighedLatent
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


class Opening(NamedTuple):
    """What the first chunk of a clip says of how coarsely it is to be quantised.

    Attributes:
        quality: at which a file of it alone about keeps its budget.
        ratio: what chunks take, over what is estimated.
    """

    quality: Quality
    ratio: float


class Shares(NamedTuple):
    """What a first pass found.

    Attributes:
        costs: what each chunk takes at one price for all.
        total: what all of them are allowed together.
        opening: of the clip; none where channels are counted.
    """

    costs: list[float]
    total: float
    opening: Opening | None


class Planner:
    """Plans how the latent of a clip is stored.

    Args:
        tokenizer: whose latent; it has one part.
        facts: of the clip.
        budget: what is asked for.
        channels: leading channels that a position may have; all by default.
        step: the quantiser's coarseness where the budget counts channels; else it follows from the budget.

    Raises:
        OptionError: the tokenizer's latent has no part that a budget decides, or not so many channels.

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
        self._allocators = Allocators(tokenizer, channels=channels)
        self._allocators.check(budget)
        self.chunk_steps = chunk_steps(tokenizer.check_channels(channels), tokenizer.grouping, facts)
        if isinstance(budget, Bitrate):
            self.chunk_steps = max(1, min(self.chunk_steps, int(_SECONDS * facts.rate / tokenizer.stride.t)))
        self._facts = facts
        self._frames_of_step = tokenizer.stride.t
        self._budget = budget
        self._step = step
        self.classes = self._allocators.classes

    def opening(self, first: WeighedLatent, facts: ChunkFacts, sizes_at: SizesAt) -> Opening | None:
        """What the first chunk of the clip says; none where channels are counted.

        Args:
            first: all steps of it.
            facts: what it is.
            sizes_at: what a file of it takes.
        """
        match self._budget:
            case MeanChannels():
                return None
            case Quality():
                return Opening(self._budget, 1.0)
            case Bitrate(bits_per_second=bits):
                # The first step has a single frame; the step of the quantiser is that of all chunks.
                seconds = float(first.latent.shape[2] * self._frames_of_step / self._facts.rate)
                return self._found(first, bits * seconds, sizes_at)
            case _:
                return self._found(first, self.allowed(facts), sizes_at)

    def one_pass(self, opening: Opening | None) -> Decided:
        """Plan from what the first chunk of the clip says."""
        budget = self._budget
        buyer, step = self._buyer(opening)
        if isinstance(budget, Quality):
            return Decided(step, ConstantSpending(buyer.allocator))
        # Of a bitrate nothing is kept for later, so that it holds over every chunk, and over any of them.
        carried = 0.0 if isinstance(budget, Bitrate) else math.inf
        return Decided(step, AllowanceSpending(buyer, self.allowed, carried=carried))

    def two_pass(self, shares: Shares) -> Decided:
        """Plan with what a first pass found; bitrates, whose seconds stand for themselves, as in one pass."""
        if not isinstance(self._budget, MeanChannels | BitsPerPixel):
            return self.one_pass(shares.opening)
        buyer, step = self._buyer(shares.opening)
        return Decided(step, PlannedSpending(buyer, shares.costs, shares.total))

    def at_one_price(
        self, opening: Opening | None, first: WeighedLatent, facts: ChunkFacts, sizes_at: SizesAt
    ) -> Allocator:
        """What allocates at one price, at which the first chunk keeps the budget; see `opening`."""
        buyer, _ = self._buyer(opening)
        if buyer.counts:
            buyer.buy(first, self.allowed(facts), sizes_at(self._step))
            return self._allocators.at_price(buyer.price, step=self._step)
        return buyer.allocator

    def _buyer(self, opening: Opening | None) -> tuple[Buyer, float]:
        """What buys, and the quantiser's coarseness."""
        if opening is None:
            unit = CHANNEL_BITS * price_of_step(self._step)
            price = _FIRST_PRICE * unit
            allocator = self._allocators.at_price(price, step=self._step)
            return Buyer(allocator, price, FLOOR * unit, counts=True), self._step
        quality = opening.quality
        price = price_of_step(quality.step)
        allocator = self._allocators.at_quality(quality)
        return Buyer(allocator, price, FLOOR * price, ratio=opening.ratio), quality.step

    def _found(self, first: WeighedLatent, allowed: float, sizes_at: SizesAt) -> Opening:
        """About the best quality at which a file of the first chunk keeps its budget."""
        start = _FIRST_QUALITY / _LEVELS
        low, high = (level / _LEVELS for level in QUALITIES)
        estimates: dict[float, float] = {}

        def allocated(setting: float) -> tuple[Sizes, Allocated]:
            quality = Quality(level=_LEVELS * setting)
            return sizes_at(quality.step), self._allocators.at_quality(quality).allocate(*first)

        def bits_at(setting: float) -> tuple[float, tuple[Sizes, Allocated] | None]:
            result = None
            if setting not in estimates:
                sizes, done = result = allocated(setting)
                estimates[setting] = sizes.estimate(done)
            return ratio * estimates[setting], result

        ratio = guess = sizes_at(Quality(level=_FIRST_QUALITY).step).ratio
        found = largest_within(bits_at, allowed, start=start, low=low, high=high, near=_NEAR)
        sizes, done = found.result or allocated(found.setting)
        ratio = sizes.exact(done).bits / estimates[found.setting]
        if abs(ratio / guess - 1) >= 1 - _NEAR:
            # Quality grows slowly with bits: at another one the ratio is about the same.
            found = largest_within(bits_at, allowed, start=found.setting, low=low, high=high, near=_NEAR)
        return Opening(Quality(level=_LEVELS * found.setting), ratio)

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
