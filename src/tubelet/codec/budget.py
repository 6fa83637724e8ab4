"""Budgets: what a user asks for, and the allocator that keeps it.

Price and quantiser step belong together: where bits are spent best, a bit less takes as much error away by a
finer step as by more channels. A bit on a finely rounded variable quarters its error of step² / 12, so the
price is 2 ln 2 / 12 of step² (decision 0036 has what was measured), and `Quality` goes along this line.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from math import log

import numpy as np

from tubelet.codec.allocate import Allocator, classes_of
from tubelet.codec.costs import ChannelCosts, Costs, TableCosts
from tubelet.codec.decided_part import decided_part
from tubelet.codec.symbols import BASE_STEP
from tubelet.errors import OptionError
from tubelet.quantizers.scalar import STEP_UNIT, ScalarQuantizer
from tubelet.tokenizers.continuous import ContinuousTokenizer

PRICE_OF_STEP = 2 * log(2) / 12
"""Squared error that a bit must take away, over the square of the quantiser's step in units of pixels."""

CHANNEL_BITS = 2.0
"""What a channel costs, about, where its price is compared with that of bits."""

QUALITIES = (1.0, 63.0)
"""Least and greatest quality."""

_UNIT_QUALITY, _OCTAVE = 36.0, 9.0
"""The quality of the usual step of 1, and by how much quality grows as the step halves."""

FLOOR = 1 / 8
"""The least price of a bit, in those that belong to the step: below there is little to buy but noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanChannels:
    """At most so many channels per position in the mean, wherever the clip ends.

    Attributes:
        channels: above 0.
    """

    channels: float

    def __post_init__(self) -> None:
        """Check the range."""
        _check("budget", self.channels, "channels per position")


@dataclass(frozen=True, slots=True, kw_only=True)
class BitsPerPixel:
    """At most so many bits for each pixel of each frame, wherever the clip ends.

    Attributes:
        bits: above 0.
    """

    bits: float

    def __post_init__(self) -> None:
        """Check the range."""
        _check("bits per pixel", self.bits, "bits")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitrate:
    """At most so many bits per second, over any two seconds and from the begin on.

    Attributes:
        bits_per_second: above 0.
    """

    bits_per_second: float

    def __post_init__(self) -> None:
        """Check the range."""
        _check("bitrate", self.bits_per_second, "bits per second")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPSNR:
    """As few bits as give this peak signal-to-noise ratio over the clip.

    Attributes:
        db: of 8-bit RGB, in dB.
    """

    db: float

    def __post_init__(self) -> None:
        """Check the range."""
        _check("psnr", self.db, "dB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """A constant quality, with as many bits as it takes.

    Attributes:
        level: from 1, coarse, to 63, fine.
    """

    level: float

    def __post_init__(self) -> None:
        """Check the range."""
        low, high = QUALITIES
        if not low <= self.level <= high:
            raise OptionError(f"quality is {self.level}; it must lie between {low:.0f} and {high:.0f}.")

    @property
    def step(self) -> float:
        """The coarseness of the quantiser that belongs to it (`LatentQuantizer.of`); 1 is the usual one."""
        return 2 ** ((_UNIT_QUALITY - self.level) / _OCTAVE)


Budget = MeanChannels | BitsPerPixel | Bitrate | TargetPSNR | Quality
"""What may be asked for."""


_KINDS = (MeanChannels, BitsPerPixel, Bitrate, TargetPSNR, Quality)


def budget_to_json(budget: Budget) -> dict[str, float]:
    """A budget as JSON holds it: its only field, whose name no other kind has."""
    return asdict(budget)


def json_to_budget(content: Mapping[str, float]) -> Budget:
    """Undo `budget_to_json`.

    Raises:
        OptionError: it is no budget, or its value has no meaning.
    """
    for kind in _KINDS:
        if set(kind.__dataclass_fields__) == set(content):
            return kind(**content)
    raise OptionError(f"a budget is {dict(content)!r:.80}, and no kind of budget has such fields.")


def as_budget(asked: "Budget | int | float") -> Budget:
    """A plain number is a mean number of channels."""
    return MeanChannels(channels=float(asked)) if isinstance(asked, int | float) else asked


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFacts:
    """What of a clip says how much it may take.

    Attributes:
        height: rows of pixels.
        width: columns of pixels.
        rate: frames per second.
    """

    height: int
    width: int
    rate: Fraction


def price_of_step(step: float) -> float:
    """Squared error that a bit must take away at a coarseness of the quantiser."""
    return PRICE_OF_STEP * (BASE_STEP * step) ** 2


class Allocators:
    """Makes allocators for the part of a tokenizer that a budget decides.

    Args:
        tokenizer: whose latents.
        channels: leading channels that a position may have; all by default.
        costs: what makes `Costs` of the quantiser's step of each channel; adaptive tables by default.

    Raises:
        OptionError: the tokenizer has several such parts, or not so many channels.
    """

    def __init__(
        self,
        tokenizer: ContinuousTokenizer,
        *,
        channels: int | None = None,
        costs: Callable[[ScalarQuantizer], Costs] | None = None,
    ) -> None:
        part = decided_part(tokenizer.parts)
        kept = tokenizer.check_channels(channels)
        self._coding_units = tokenizer.model.coding_units()[part.name][:kept]
        self._units = tokenizer.model.pixel_units()[part.name][:kept].detach().to("cpu").float().numpy()
        self._costs = costs or self._tables

    @property
    def classes(self) -> tuple[int, ...]:
        """How many channels a position may have."""
        return classes_of(len(self._units))

    def check(self, budget: Budget) -> None:
        """Raise unless a position can have what a budget asks for.

        Raises:
            OptionError: it asks for more channels than there are.
        """
        most = len(self._units)
        if isinstance(budget, MeanChannels) and budget.channels > most:
            raise OptionError(
                f"budget is {budget.channels:g} channels per position, and a position has {most} at most. "
                f"Give up to {most}, or no budget, which keeps all."
            )

    def quantizer(self, step: float) -> ScalarQuantizer:
        """The quantiser of a coarseness."""
        return ScalarQuantizer.scaled(BASE_STEP / self._coding_units, step)

    def at_price(self, price: float, *, step: float) -> Allocator:
        """One whose channels cost one each, at a constant price."""
        return self._allocator(self.quantizer(step), ChannelCosts(self.classes), price)

    def at_quality(self, quality: Quality) -> Allocator:
        """One of constant quality."""
        quantizer = self.quantizer(quality.step)
        return self._allocator(quantizer, self._costs(quantizer), price_of_step(quality.step))

    def _allocator(self, quantizer: ScalarQuantizer, costs: Costs, price: float) -> Allocator:
        return Allocator(quantizer, units=self._units, costs=costs, price=price)

    def _tables(self, quantizer: ScalarQuantizer) -> TableCosts:
        return TableCosts(self.classes, np.array(quantizer.steps) * STEP_UNIT)


def _check(name: str, value: float, unit: str) -> None:
    if not 0 < value < float("inf"):
        raise OptionError(f"{name} is {value}; it must be a positive number of {unit}.")
