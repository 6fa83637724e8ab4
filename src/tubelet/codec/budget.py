"""Budgets: what a user asks for, and the allocator that keeps it.

Price and quantiser step belong together: where bits are spent best, a bit less takes as much error away by a
finer step as by more channels. A bit on a finely rounded variable quarters its error of step² / 12, so the
price is 2 ln 2 / 12 of step² (decision 0036 has what was measured), and `Quality` goes along this line.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import log, prod

import numpy as np

from tubelet.codec.allocate import USUAL_CHUNK, Allocator, ChunkRule, classes_of
from tubelet.codec.costs import ChannelCosts, Costs, TableCosts
from tubelet.codec.rules import ConstantError, ConstantPrice, PriceRule, WithinAllowance
from tubelet.codec.survey import Survey, search
from tubelet.codec.symbols import BASE_STEP
from tubelet.errors import OptionError
from tubelet.quantizers.scalar import STEP_UNIT, ScalarQuantizer
from tubelet.tokenizers.clip import only_part
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Latent

PRICE_OF_STEP = 2 * log(2) / 12
"""Squared error that a bit must take away, over the square of the quantiser's step in units of pixels."""

CHANNEL_BITS = 2.0
"""What a channel costs, about, where its price is compared with that of bits."""

QUALITIES = (1.0, 63.0)
"""Least and greatest quality."""

_UNIT_QUALITY, _OCTAVE = 36.0, 9.0
"""The quality of the usual step of 1, and by how much quality grows as the step halves."""

_WINDOW_SECONDS = 2
"""A bitrate holds over any so many seconds."""

_FLOOR = 1 / 8
"""The least price of a bit, in those that belong to the step: below there is little to buy but noise."""

_FINER = 4.5
"""By how much finer in quality than the opening suggests the step is chosen: what follows may be easier."""

_SURVEYED = 8
"""Qualities that are tried on the opening of a clip."""

_PRICE_POWERS = (-12.0, 12.0)
"""Powers of two that the inverse of the price of a channel may be."""


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

    def error(self, stride: tuple[int, int, int]) -> float:
        """Squared error of a position, in units of pixels in [-1, 1]."""
        return 4 * 10 ** (-self.db / 10) * 3 * prod(stride)


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

    def finer(self, levels: float) -> "Quality":
        """One that is greater by some levels, or the greatest."""
        return Quality(level=min(self.level + levels, QUALITIES[1]))


Budget = MeanChannels | BitsPerPixel | Bitrate | TargetPSNR | Quality
"""What may be asked for."""


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
    """Makes allocators for the only part of a tokenizer.

    Args:
        tokenizer: whose latents.
        facts: of the clip.
        channels: leading channels that a position may have; all by default.
        chunk: when chunks are full.
        costs: what makes `Costs` of the quantiser's step of each channel; adaptive tables by default.

    Raises:
        OptionError: the tokenizer has several parts, or not so many channels.
    """

    def __init__(
        self,
        tokenizer: ContinuousTokenizer,
        facts: ClipFacts,
        *,
        channels: int | None = None,
        chunk: ChunkRule = USUAL_CHUNK,
        costs: Callable[[ScalarQuantizer], Costs] | None = None,
    ) -> None:
        part = only_part(tokenizer.parts)
        kept = tokenizer.check_channels(channels)
        self._stride = part.stride
        self._grouping = tokenizer.grouping
        self._coding_units = tokenizer.model.coding_units()[part.name][:kept]
        self._units = tokenizer.model.pixel_units()[part.name][:kept].detach().to("cpu").float().numpy()
        self._facts = facts
        self._chunk = chunk
        self._costs = costs or self._tables

    def quantizer(self, step: float) -> ScalarQuantizer:
        """The quantiser of a coarseness."""
        return ScalarQuantizer.scaled(BASE_STEP / self._coding_units, step)

    def at_quality(self, quality: Quality) -> Allocator:
        """One of constant quality."""
        return self._coding(ConstantPrice(price_of_step(quality.step)), step=quality.step)

    def one_pass(self, budget: Budget, opening: Latent, *, step: float = 1.0) -> Allocator:
        """One that keeps a budget from the first step on, whatever comes.

        Args:
            budget: what is asked for.
            opening: the first steps, from which the quantiser's step follows; more of them are better. They
                are pushed to the allocator too.
            step: the quantiser's coarseness where the budget counts channels.
        """
        match budget:
            case Quality():
                return self.at_quality(budget)
            case MeanChannels(channels=channels):
                cells = prod(self._cells())
                floor = _FLOOR * CHANNEL_BITS * price_of_step(step)
                return self._counting(WithinAllowance(lambda _: channels * cells, floor=floor), step=step)
            case BitsPerPixel() | Bitrate():
                step = self._surveyed(budget, opening).finer(_FINER).step
                rule = WithinAllowance(self._allowance(budget), floor=_FLOOR * price_of_step(step))
                if isinstance(budget, Bitrate):
                    window = max(1, int(_WINDOW_SECONDS * self._facts.rate / self._stride.t))
                    rule = WithinAllowance(self._allowance(budget), window=window)
                return self._coding(rule, step=step)
            case TargetPSNR():
                step = self._surveyed(budget, opening).finer(_FINER).step
                rule = ConstantError(budget.error(self._stride) * prod(self._cells()))
                return self._coding(rule, step=step)

    def two_pass(
        self,
        budget: MeanChannels | BitsPerPixel | Bitrate,
        runs: Callable[[], Iterable[Latent]],
        *,
        step: float = 1.0,
    ) -> Allocator:
        """One at a constant price, the best that keeps a budget over a clip that can be gone through again.

        A `Bitrate` is then kept over the clip, not over any two seconds of it.

        Args:
            budget: what is asked for.
            runs: gives all steps of the clip, a run at a time; called three times.
            step: the quantiser's coarseness where the budget counts channels.
        """
        cells = prod(self._cells())
        if isinstance(budget, MeanChannels):
            channels = budget.channels
            found = search(
                lambda power: self._counting(ConstantPrice(2.0**-power), step=step),
                runs,
                most=lambda steps: channels * cells * steps,
                cells=cells,
                between=_PRICE_POWERS,
            )
            return self._counting(ConstantPrice(2.0**-found.setting, total=found.most), step=step)
        allowance = self._allowance(budget)
        found = search(
            lambda level: self.at_quality(Quality(level=level)),
            runs,
            most=lambda steps: sum(map(allowance, range(steps))),
            cells=cells,
            between=QUALITIES,
        )
        quality = Quality(level=found.setting)
        rule = ConstantPrice(price_of_step(quality.step), total=found.most)
        return self._coding(rule, step=quality.step)

    def _surveyed(self, budget: BitsPerPixel | Bitrate | TargetPSNR, opening: Latent) -> Quality:
        """The quality at which the opening takes what it is allowed, or errs as is asked for."""
        qualities = [float(level) for level in np.linspace(*QUALITIES, _SURVEYED)]
        survey = Survey({level: self.at_quality(Quality(level=level)) for level in qualities})
        survey.push(opening)
        if isinstance(budget, TargetPSNR):
            return Quality(level=survey.at_error(budget.error(self._stride) * survey.positions))
        allowed = sum(map(self._allowance(budget), range(opening.shape[2])))
        return Quality(level=survey.at_cost(allowed))

    def _allowance(self, budget: BitsPerPixel | Bitrate) -> Callable[[int], float]:
        """Bits that a step may take, by its number."""
        if isinstance(budget, BitsPerPixel):
            each = budget.bits * self._facts.height * self._facts.width
        else:
            each = budget.bits_per_second / float(self._facts.rate)
        return lambda step: each * self._grouping.frames_in(step)

    def _cells(self) -> tuple[int, int]:
        return self._grouping.cells(self._facts.height, self._facts.width)

    def _counting(self, rule: PriceRule, *, step: float) -> Allocator:
        return self._allocator(self.quantizer(step), ChannelCosts(classes_of(len(self._units))), rule)

    def _coding(self, rule: PriceRule, *, step: float) -> Allocator:
        quantizer = self.quantizer(step)
        return self._allocator(quantizer, self._costs(quantizer), rule)

    def _allocator(self, quantizer: ScalarQuantizer, costs: Costs, rule: PriceRule) -> Allocator:
        return Allocator(quantizer, units=self._units, costs=costs, rule=rule, chunk=self._chunk)

    def _tables(self, quantizer: ScalarQuantizer) -> TableCosts:
        return TableCosts(classes_of(len(self._units)), np.array(quantizer.steps) * STEP_UNIT)


def _check(name: str, value: float, unit: str) -> None:
    if not 0 < value < float("inf"):
        raise OptionError(f"{name} is {value}; it must be a positive number of {unit}.")
