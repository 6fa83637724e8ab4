"""A learned prior as a model of symbols: for encoder and decoder alike, and the same integers everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from tubelet.bitstream.modelled import ModelTables
from tubelet.bitstream.part_header import PartHeader
from tubelet.bitstream.symbol_model import CodingTable, Exchange
from tubelet.errors import OptionError
from tubelet.priors.config import PriorConfig
from tubelet.priors.group_step import GroupStep
from tubelet.priors.numbers import LARGEST_STEP, LEAST_STEP, STEP_UNIT
from tubelet.priors.passes import pass_map
from tubelet.priors.planes import Layout, StepView, seen_counts
from tubelet.priors.predictor import Expected, GroupPredictor, StepPlanes
from tubelet.priors.tables import (
    CLOSED_SCALES,
    OPEN_TABLES,
    REACH,
    Choice,
    choose_closed,
    choose_open,
    closed_tables,
    open_tables,
)

LARGEST_CLASSES = 9
"""Permitted counts of a map at most: all powers of two up to 64, none, and all channels."""

MAP = "map"


@final
class ContextPrior:
    """A prior of the symbols of one tokenizer.

    Args:
        config: its numbers.
        weights: its arrays, by the names of `weight_shapes`.
        sha256: fingerprint of both.
        kind: the floating-point format that whole numbers are computed in; float32 but for tests.

    Raises:
        CheckpointError: sums could leave what float32 holds exactly, or the tables are damaged.
    """

    def __init__(
        self,
        config: PriorConfig,
        weights: Mapping[str, NDArray[np.integer]],
        *,
        sha256: str,
        kind: type[np.floating] = np.float32,
    ) -> None:
        self.config = config
        self.sha256 = sha256
        shapes = [config.group_shape(group) for group in range(len(config.groups))]
        self.predictors = [
            GroupPredictor(
                shape, _of_part(weights, f"group_{n}"), where=f"group {n} of {config.name}", kind=kind
            )
            for n, shape in enumerate(shapes)
        ]
        self.map_predictor = GroupPredictor(
            config.map_shape(), _of_part(weights, MAP), where=f"the map of {config.name}", kind=kind
        )
        tables: list[CodingTable] = []
        if not config.bases:
            firsts, sizes = weights["open_firsts"], weights["open_sizes"]
            tables += open_tables(firsts, sizes, weights["open_frequencies"], config.name)
        self.first_tables: dict[int, int] = {}
        for base in sorted({*range(2, LARGEST_CLASSES + 1), *config.bases}):
            self.first_tables[base] = len(tables)
            tables += closed_tables(weights["closed"], base)
        self.tables = ModelTables(tables)

    def for_part(self, *, steps: Sequence[int] = (), bases: Sequence[int] = ()) -> "PartPrior":
        """The model of the symbols of a part of a file.

        Args:
            steps: quantiser step of each channel of a latent that is stored, in units of 2^-20.
            bases: of each digit of tokens; one of the two is given.

        Raises:
            OptionError: the prior is for something else.
        """
        config = self.config
        if tuple(bases) != config.bases[: len(bases)] or not 0 < len(steps or bases) <= config.ends[-1]:
            raise OptionError(
                f"{config.name} is a prior for {config.ends[-1]} channels of {config.tokenizer} with bases "
                f"{config.bases}; asked for are {len(steps)} steps and bases {tuple(bases)}."
            )
        if bool(steps) == bool(config.bases):
            raise OptionError(
                f"{config.name} is for {'digits' if config.bases else 'a latent'}; give its numbers."
            )
        return PartPrior(self, channels=len(steps or bases), step_class=step_class(steps, config.steps))

    def model_of(self, part: PartHeader) -> "PartPrior | None":
        """The model of a part of a file; none of one that it cannot be for."""
        if len(part.counts) > LARGEST_CLASSES or self.config.part not in ("", part.name):
            return None
        try:
            return self.for_part(steps=part.steps, bases=[base for token in part.bases for base in token])
        except OptionError:
            return None


def weight_shapes(config: PriorConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Kind and shape of every array of a prior, by name."""
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {"closed": ("int32", (CLOSED_SCALES, 2 * REACH + 1))}
    if not config.bases:
        shapes["open_firsts"] = shapes["open_sizes"] = ("int32", (OPEN_TABLES,))
        shapes["open_frequencies"] = ("int32", (config.entries,))
    parts = {f"group_{group}": config.group_shape(group) for group in range(len(config.groups))}
    for part, shape in (parts | {MAP: config.map_shape()}).items():
        shapes |= {f"{part}.{name}": described for name, described in shape.weights().items()}
    return shapes


def step_class(steps: Sequence[int], usual: Sequence[int]) -> int:
    """Which of `STEPS` classes of coarseness the quantiser steps of a file's channels have, in the mean.

    The nearest of four per doubling: (step / usual)^8 >= 2^(2k - 1) for class k, by whole numbers.
    """
    if not steps:
        return -LEAST_STEP
    classes = [_class_of(step, own) for step, own in zip(steps, usual, strict=False)]
    return (2 * sum(classes) + len(classes)) // (2 * len(classes)) - LEAST_STEP


def _class_of(step: int, usual: int) -> int:
    power, own = step ** (2 * STEP_UNIT), usual ** (2 * STEP_UNIT)
    return sum(
        (power << 2 * -LEAST_STEP) * 2 >= own << 2 * (k - LEAST_STEP)
        for k in range(LEAST_STEP + 1, LARGEST_STEP + 1)
    ) + (LEAST_STEP)


@final
@dataclass(frozen=True, eq=False)
class PartPrior:
    """A prior for the first channels of a part at one coarseness; a `SymbolModel`.

    Attributes:
        prior: whose.
        channels: how many.
        step_class: of the quantiser's step.
    """

    prior: ContextPrior
    channels: int
    step_class: int

    @property
    def name(self) -> str:
        """What the header of a file calls it."""
        return self.prior.config.name

    @property
    def sha256(self) -> str:
        """Digest of all that its answers depend on."""
        return self.prior.sha256

    @property
    def tables(self) -> Sequence[CodingTable]:
        """All tables that it codes with."""
        return self.prior.tables

    @property
    def groups(self) -> Sequence[tuple[int, int]]:
        """Channels of each group, those of the part."""
        return [
            (start, min(stop, self.channels))
            for start, stop in self.prior.config.groups
            if start < self.channels
        ]

    def code_counts(self, shape: tuple[int, int, int], classes: int, exchange: Exchange) -> NDArray[np.int32]:
        """Code the map of counts; see `SymbolModel`.

        Raises:
            OptionError: there are more classes than a prior knows.
        """
        if not 2 <= classes <= LARGEST_CLASSES:
            raise OptionError(
                f"a map has {classes} counts to choose from; a prior knows 2 to {LARGEST_CLASSES}."
            )
        values = np.zeros((1, *shape), np.int32)
        codec = _Codec(
            predictor=self.prior.map_predictor, passes=4, step_class=self.step_class, bases=(classes,)
        )
        none = np.zeros((0, *shape), np.int32)
        nothing = np.zeros_like(seen_counts(None, shape))
        self._code(codec, values, none, nothing, None, exchange)
        return (values[0] + (classes - 1)) // 2

    def code_group(
        self, group: int, lower: NDArray[np.int32], counts: NDArray[np.int32] | None, exchange: Exchange
    ) -> NDArray[np.int32]:
        """Code a group of channels; see `SymbolModel`."""
        start, stop = self.groups[group]
        config = self.prior.config
        shape = (lower.shape[1], lower.shape[2], lower.shape[3])
        values = np.zeros((stop - start, *shape), np.int32)
        bases = config.bases[start:stop]
        codec = _Codec(
            predictor=self.prior.predictors[group],
            passes=config.passes[group],
            step_class=self.step_class,
            bases=bases,
        )
        below, present = lower, None
        if counts is not None:
            present = _present(counts, start, stop)
        if bases:
            below = _centred(lower, config.bases[:start], counts)
        self._code(codec, values, below, seen_counts(counts, shape), present, exchange)
        if not bases:
            return values
        digits = (values + _column(bases) - 1) // 2
        return digits if present is None else digits * present

    def _code(
        self,
        codec: "_Codec",
        values: NDArray[np.int32],
        lower: NDArray[np.int32],
        counts: NDArray[np.int16],
        present: NDArray[np.bool_] | None,
        exchange: Exchange,
    ) -> None:
        """Code step after step into `values` (``g t h w``)."""
        steps, rows, columns = values.shape[1:]
        own = codec.predictor.shape.own
        layout = Layout(rows, columns)
        turns = pass_map(codec.passes, rows, columns)
        everywhere = np.ones((rows, columns), np.bool_)
        # Before the first step there is nothing, which takes no memory.
        before = np.broadcast_to(np.int32(0), (len(lower) + own, rows, columns))
        before_view, counts_before = StepView.nothing(len(before), rows, columns), np.zeros_like(counts[0])
        for step in range(steps):
            needed = everywhere if present is None else np.logical_or.reduce(present[:, step], axis=0)
            whole = np.zeros((own, rows, columns), np.int32)
            seen = StepView.unseen(len(before), rows, columns)
            seen.see(0, lower[:, step], before[: len(lower)])
            if needed.any():
                known = StepPlanes(
                    seen.leading(len(lower)), before_view, counts[step], counts_before, codec.step_class
                )
                at_work = GroupStep(codec.predictor, layout, known, needed)
                past = before[len(lower) :]
                for turn in range(codec.passes):
                    chosen = turns == turn
                    if (asked := chosen & needed).any():
                        expected = at_work.expect(turn, asked)
                        self._exchange(codec, values, step, asked, expected, present, exchange)
                        whole[: len(values)] = values[:, step]
                    if turn + 1 < codec.passes and chosen.any():
                        # Where nothing is stored there is a zero, which differs from the step before.
                        at_work.put(chosen, whole[:, chosen].T, past[:, chosen].T)
                del known, at_work  # as large as what is seen of this step
            if step + 1 < steps:
                seen.see(len(lower), whole, before[len(lower) :])
                before_view, counts_before = seen, counts[step]
                before = np.concatenate([lower[:, step], whole])

    def _exchange(
        self,
        codec: "_Codec",
        values: NDArray[np.int32],
        step: int,
        chosen: NDArray[np.bool_],
        expected: Expected,
        present: NDArray[np.bool_] | None,
        exchange: Exchange,
    ) -> None:
        """Code the symbols of a pass into `values`."""
        mask = np.zeros(values.shape, np.bool_)
        mask[:, step] = chosen
        if present is not None:
            mask[:, step] &= present[:, step]
        places = np.flatnonzero(mask)
        if not places.size:
            return
        wanted = mask[:, step][:, chosen]
        choice = codec.choose(expected, self.prior.first_tables)
        coded = exchange(
            places, choice.offsets.T[: len(values)][wanted], choice.tables.T[: len(values)][wanted]
        )
        if codec.bases:
            channel = np.nonzero(wanted)[0]
            coded = 2 * coded - (np.array(codec.bases, np.int32)[channel] - 1)
        values.reshape(-1)[places] = coded


@dataclass(frozen=True, slots=True, kw_only=True)
class _Codec:
    """What codes a group, or the map.

    Attributes:
        predictor: its network.
        passes: in which its positions are coded.
        step_class: of the quantiser's step.
        bases: of its digits; none of a latent.
    """

    predictor: GroupPredictor
    passes: int
    step_class: int
    bases: tuple[int, ...]

    def choose(self, expected: Expected, first_tables: Mapping[int, int]) -> Choice:
        """Offsets and tables of symbols, ``positions channels``."""
        if not self.bases:
            return choose_open(expected)
        choices = [
            choose_closed(Expected(expected.mean[:, n], expected.scale[:, n]), base, first_tables[base])
            for n, base in enumerate(self.bases)
        ]
        return Choice(*(np.stack(each, axis=1) for each in zip(*choices, strict=True)))


def _present(counts: NDArray[np.int32], start: int, stop: int) -> NDArray[np.bool_]:
    """Which positions have a symbol of channels, ``c t h w``."""
    return counts > np.arange(start, stop, dtype=np.int32).reshape(-1, 1, 1, 1)


def _centred(
    digits: NDArray[np.int32], bases: tuple[int, ...], counts: NDArray[np.int32] | None
) -> NDArray[np.int32]:
    """Digits d as 2 d - (base - 1), 0 where there are none."""
    values = 2 * digits - (_column(bases) - 1)
    return values if counts is None else values * _present(counts, 0, len(bases))


def _column(bases: tuple[int, ...]) -> NDArray[np.int32]:
    return np.array(bases, np.int32).reshape(-1, 1, 1, 1)


def _of_part(weights: Mapping[str, NDArray[np.integer]], part: str) -> dict[str, NDArray[np.integer]]:
    """The arrays of one network, by the names that it gives them."""
    return {name[len(part) + 1 :]: array for name, array in weights.items() if name.startswith(f"{part}.")}
