"""Chunks that keep a budget: one price for all steps of a chunk, so that bits go where they matter most."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from tubelet.bitstream.chunk import EncodedChunk
from tubelet.codec.allocate import Allocated, Allocator, WeighedLatent
from tubelet.codec.search import largest_within
from tubelet.errors import OptionError

_NEAR = 0.985
"""The share of what a chunk may take from which on an estimate is good enough."""

_ENOUGH = 0.97
"""The share from which on a choice that was coded is taken; the next chunk may have what it leaves."""

_ROUNDS = 5
"""Searches for one chunk after the first, each with a better estimate."""

_SAFER = 1.01
"""By how much more an estimate grows that was too low."""

_HIGHEST = 40.0
"""Logarithm of the highest price: nothing is worth it."""


class ChunkFacts(NamedTuple):
    """What of a chunk says how much it may take.

    Attributes:
        positions: of the latent, in all steps.
        frames: of the clip that it completes.
        seconds: that these are shown.
    """

    positions: int
    frames: int
    seconds: float


@runtime_checkable
class Sizes(Protocol):
    """What a choice takes in the file, in bits."""

    @property
    def ratio(self) -> float:
        """What choices take over what is estimated, before one was measured."""
        ...

    def estimate(self, done: Allocated) -> float:
        """About, and fast."""
        ...

    def exact(self, done: Allocated) -> "Measured":
        """To the bit."""
        ...


class Measured(NamedTuple):
    """What a choice takes in the file.

    Attributes:
        bits: of it, and what comes with it.
        encoded: the chunk as it was coded for that.
    """

    bits: float
    encoded: EncodedChunk


class Spent(NamedTuple):
    """What a chunk stores.

    Attributes:
        done: its symbols.
        encoded: as they are coded, where that is known already.
    """

    done: Allocated
    encoded: EncodedChunk | None


@runtime_checkable
class Spending(Protocol):
    """Decides chunk after chunk."""

    def begin(self, bits: float) -> None:
        """Take note of what the file takes beside its chunks."""
        ...

    def spend(self, content: WeighedLatent, facts: ChunkFacts, sizes: Sizes) -> Spent:
        """Decide a chunk.

        Args:
            content: all steps of it.
            facts: what it is.
            sizes: what a choice takes in the file.
        """
        ...


@dataclass(slots=True)
class ConstantSpending:
    """The same price always: constant quality.

    Attributes:
        allocator: knows the price, and what was stored so far.
    """

    allocator: Allocator

    def begin(self, bits: float) -> None:
        """Do nothing: nothing is counted."""

    def spend(self, content: WeighedLatent, facts: ChunkFacts, sizes: Sizes) -> Spent:
        """Decide a chunk."""
        return Spent(self.allocator.allocate(*content), None)


@dataclass(slots=True)
class Buyer:
    """Buys as much as a chunk may take.

    Attributes:
        allocator: knows what was stored so far.
        price: of the chunk before, where the next search begins.
        floor: the least price: below it there is little to buy but the quantiser's noise.
        counts: whether channels are counted, and not bits.
        ratio: what chunks took, over what was estimated.
    """

    allocator: Allocator
    price: float
    floor: float
    counts: bool = False
    ratio: float = 1.0

    def buy(self, content: WeighedLatent, allowed: float, sizes: Sizes) -> tuple[Spent, float]:
        """Decide a chunk; say what it takes.

        Raises:
            OptionError: even a chunk that stores nothing takes more than it may.
        """
        tried: dict[float, float] = {}
        bought = self._bought(content, allowed, sizes, tried)
        for _ in range(_ROUNDS):
            self.ratio *= bought.value / max(bought.estimate, 1e-9)
            if bought.estimate == bought.value or self._enough(bought, allowed):
                break
            self.ratio *= _SAFER if bought.value > allowed else 1.0
            self.price = bought.price
            again = self._bought(content, allowed, sizes, tried)
            if bought.value > allowed or bought.value < again.value <= allowed:
                bought = again
        if bought.value > max(allowed, 1e-9):
            raise OptionError(
                f"the budget leaves {max(allowed, 0):.0f} bits for a chunk of {content.latent.shape[2]} "
                f"latent steps, which takes {bought.value:.0f} if it stores nothing. Allow more."
            )
        self.price, self.allocator = bought.price, bought.allocator
        return Spent(bought.done, bought.encoded), bought.value

    def _enough(self, bought: "_Bought", allowed: float) -> bool:
        """Whether another search is not worth its time; every one codes the chunk."""
        return bought.value <= allowed and (bought.value >= _ENOUGH * allowed or bought.price <= self.floor)

    def _bought(
        self, content: WeighedLatent, allowed: float, sizes: Sizes, tried: dict[float, float]
    ) -> "_Bought":
        """The best that is estimated to stay within what is allowed, and what it takes.

        Args:
            content: of the chunk.
            allowed: what it may take.
            sizes: what a choice takes in the file.
            tried: estimates by the logarithm of the price; new ones are added.
        """

        def allocated(setting: float) -> tuple[Allocated, Allocator]:
            allocator = self.allocator.at(2.0**-setting)
            return allocator.allocate(*content), allocator

        def at(setting: float) -> tuple[float, tuple[Allocated, Allocator] | None]:
            result = None
            if setting not in tried:
                result = allocated(setting)
                done, _ = result
                tried[setting] = float(done.counts.sum()) if self.counts else sizes.estimate(done)
            return max(tried[setting] * (1.0 if self.counts else self.ratio), 1e-9), result

        found = largest_within(
            at,
            allowed,
            start=-math.log2(self.price),
            low=-_HIGHEST,
            high=-math.log2(self.floor),
            near=_NEAR,
        )
        done, allocator = found.result or allocated(found.setting)
        price = 2.0**-found.setting
        if self.counts:
            value = float(done.counts.sum())
            return _Bought(done, None, allocator, price, value, value)
        bits, encoded = sizes.exact(done)
        return _Bought(done, encoded, allocator, price, found.value, bits)


class _Bought(NamedTuple):
    """A choice as it is coded, what knows of it, its price, and what it was thought to take and takes."""

    done: Allocated
    encoded: EncodedChunk | None
    allocator: Allocator
    price: float
    estimate: float
    value: float


@dataclass(slots=True)
class AllowanceSpending:
    """At most what each chunk is allowed, and what those before it left.

    At the end of every chunk no more was spent than all so far were allowed, wherever the clip ends.

    Attributes:
        buyer: decides.
        allowance: what a chunk is allowed.
        left: what was allowed and not taken so far; negative at first.
        carried: how much of that is kept at most.
    """

    buyer: Buyer
    allowance: Callable[[ChunkFacts], float]
    left: float = 0.0
    carried: float = math.inf

    def begin(self, bits: float) -> None:
        """Take it from what is left, unless channels are counted."""
        self.left -= 0.0 if self.buyer.counts else bits

    def spend(self, content: WeighedLatent, facts: ChunkFacts, sizes: Sizes) -> Spent:
        """Decide a chunk.

        Raises:
            OptionError: even a chunk that stores nothing takes more than is left.
        """
        allowed = self.left + self.allowance(facts)
        spent, taken = self.buyer.buy(content, allowed, sizes)
        self.left = min(allowed - taken, self.carried)
        return spent


@dataclass(slots=True)
class PlannedSpending:
    """A total that is shared out by what a first pass found that each chunk needs.

    Attributes:
        buyer: decides.
        shares: of the chunks, in any unit.
        left: what may still be taken.
    """

    buyer: Buyer
    shares: list[float]
    left: float
    _chunk: int = field(default=0)

    def begin(self, bits: float) -> None:
        """Take it from what is left, unless channels are counted."""
        self.left -= 0.0 if self.buyer.counts else bits

    def spend(self, content: WeighedLatent, facts: ChunkFacts, sizes: Sizes) -> Spent:
        """Decide a chunk.

        Raises:
            OptionError: even a chunk that stores nothing takes more than its share.
        """
        ahead = math.fsum(self.shares[self._chunk :])
        share = self.shares[self._chunk] / ahead if ahead > 0 else 1.0
        spent, taken = self.buyer.buy(content, self.left * share, sizes)
        self.left -= taken
        self._chunk += 1
        return spent
