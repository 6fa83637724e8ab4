"""The network of one group of channels, in whole numbers: what to expect of each symbol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tubelet.priors.exact import (
    Floats,
    Rows,
    check_exact,
    clipped,
    half,
    powers,
    row_biases,
    row_sums,
    shifted,
)
from tubelet.priors.numbers import (
    COUNT_CLASSES,
    LARGEST_HIDDEN,
    LARGEST_INPUT,
    LARGEST_LINEAR,
    LINEAR_UNIT,
    STEPS,
)
from tubelet.priors.passes import OUTPUTS, linear_lower, pass_taps
from tubelet.priors.planes import Layout, Plane, StepView

Weights = Mapping[str, NDArray[np.integer]]

BLOCK = 1 << 12
"""Positions that are worked on at a time: what is computed of them fits into a few megabytes."""

_FEW = 0.6
"""The share of the positions below which sums are computed at those alone that are needed."""


class Expected(NamedTuple):
    """What is expected of symbols, ``positions channels``.

    Attributes:
        mean: in parts of a symbol, `MEAN_UNIT` of them.
        scale: a class from 0 to `SCALES` - 1.
    """

    mean: NDArray[np.int32]
    scale: NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupShape:
    """The sizes of a group's network.

    Attributes:
        lower: channels below the group.
        own: channels of the group.
        passes: in which its positions are coded, 2 or 4.
        hidden: features of each hidden layer.
    """

    lower: int
    own: int
    passes: int
    hidden: int

    def weights(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Kind and shape of every array that the network is stored as, by name."""
        known, classes, near = self.lower + self.own, len(COUNT_CLASSES), self.passes
        wide, narrow = 2 * self.lower + known + classes, self.lower + 2 * known + classes
        shapes: dict[str, tuple[str, tuple[int, ...]]] = {
            "wide": ("int16", (9, wide, self.hidden)),
            "narrow": ("int16", (narrow, self.hidden)),
            "averages": ("int16", (self.lower + known, self.hidden)),
            "step": ("int32", (STEPS, self.hidden)),
            "turn": ("int32", (self.passes, self.hidden)),
            "first_shift": ("uint8", (self.hidden,)),
            "second": ("int16", (self.hidden, self.hidden)),
            "second_bias": ("int32", (self.hidden,)),
            "second_shift": ("uint8", (self.hidden,)),
            "last": ("int16", (2 * self.hidden, OUTPUTS * self.own)),
            "last_bias": ("int32", (STEPS, OUTPUTS * self.own)),
            "last_shift": ("uint8", (OUTPUTS * self.own,)),
            "linear_before": ("int16", (self.passes, 9, self.own)),
            "linear_near": ("int16", (self.passes, 9, self.own)),
            "linear_lower": ("int16", (9, linear_lower(self.lower), self.own)),
            "linear_shift": ("uint8", (self.own,)),
        }
        for number in range(1, near):
            taps = int(pass_taps(self.passes, number).sum())
            shapes[f"near_{number}"] = ("int16", (taps, 3 * self.own, self.hidden))
        return shapes


class StepPlanes(NamedTuple):
    """What is known of a step before its group is coded.

    Attributes:
        here: of the lower channels.
        before: of the step before, lower channels and the group's own.
        counts: ``rows columns k``.
        counts_before: the same of the step before.
        step_class: of the quantiser's step, from 0.
    """

    here: StepView
    before: StepView
    counts: NDArray[np.int16]
    counts_before: NDArray[np.int16]
    step_class: int

    def rows(self, rows: slice) -> "StepPlanes":
        """Some rows of it."""
        return StepPlanes(
            self.here.rows(rows),
            self.before.rows(rows),
            self.counts[rows],
            self.counts_before[rows],
            self.step_class,
        )


class GroupPredictor:
    """A group's network; every sum in it is a whole number that its format holds exactly.

    Args:
        shape: its sizes.
        weights: by the names of `GroupShape.weights`.
        where: names the group in errors.
        kind: the floating-point format, float32 but for tests.

    Raises:
        CheckpointError: sums could leave what float32 holds exactly.
    """

    def __init__(
        self, shape: GroupShape, weights: Weights, *, where: str, kind: type[np.floating] = np.float32
    ) -> None:
        self.shape = shape
        self._kind = kind
        self._check(weights, where)
        float_of = {name: np.ascontiguousarray(array, kind) for name, array in weights.items()}
        self._weights = float_of
        biases = weights["step"].astype(np.int64) + half(weights["first_shift"])
        self._step = biases.astype(kind)
        self._first_factor = powers(weights["first_shift"], kind)
        self._second_factor = powers(weights["second_shift"], kind)
        self._second_bias = (weights["second_bias"] + half(weights["second_shift"])).astype(kind)
        self._last_factor = powers(weights["last_shift"], kind)
        self._last_bias = (weights["last_bias"] + half(weights["last_shift"])).astype(kind)
        self._linear_factor = powers(weights["linear_shift"], kind)
        self._linear_half = half(weights["linear_shift"]).astype(kind)
        self._taps = [_known_taps(shape.passes, each) for each in range(shape.passes)]

    @property
    def kind(self) -> type[np.floating]:
        """The floating-point format of its sums."""
        return self._kind

    def first_sums(self, layout: Layout, known: StepPlanes, needed: NDArray[np.bool_]) -> Plane:
        """What the first layer sums up of all that is known before the group.

        Some rows at a time, with the ones above and below: the planes are much larger than the sums.

        Args:
            layout: of the step.
            known: of the step.
            needed: at which positions, ``rows columns``.

        Returns:
            Sums at these positions in raster order, ``positions hidden``.
        """
        strip = max(1, BLOCK // (layout.columns + 2))
        parts = [np.empty((0, self.shape.hidden), self._kind)]
        for first in range(0, layout.rows, strip):
            rows = slice(first, min(first + strip, layout.rows))
            if not needed[rows].any():
                continue
            seen = slice(max(first - 1, 0), min(rows.stop + 1, layout.rows))
            here = np.zeros((seen.stop - seen.start, layout.columns), np.bool_)
            here[first - seen.start : rows.stop - seen.start] = needed[rows]
            parts.append(self._strip_sums(Layout(*here.shape), known.rows(seen), here))
        return np.concatenate(parts)

    def _strip_sums(self, layout: Layout, known: StepPlanes, needed: NDArray[np.bool_]) -> Plane:
        """`first_sums` of a few rows."""
        lower, kind, weights = self.shape.lower, self._kind, self._weights
        here, before = known.here, known.before
        wide = self._plane(
            layout,
            np.abs(here.signed[..., :lower]),
            here.change[..., :lower],
            np.abs(before.signed),
            known.counts,
        )
        narrow = self._plane(
            layout, here.signed[..., :lower], before.signed, before.change, known.counts_before
        )
        places = layout.places_of(needed)
        # Copying rows together pays where few are needed; sums are the same, for they are exact.
        few = len(places) < _FEW * layout.rows * layout.columns
        sums = narrow[places if few else layout.inside] @ weights["narrow"]
        part = np.empty_like(sums)
        for tap in range(9):
            seen = wide[places + layout.offset(tap) if few else layout.shifted(tap)]
            np.matmul(seen, weights["wide"][tap], out=part)
            sums += part
        sums = sums if few else sums[places - layout.inside.start]
        averages = np.concatenate([here.average[:lower], before.average]).astype(kind)
        sums += averages @ weights["averages"] + self._step[known.step_class]
        return sums

    def expect(
        self,
        turn: int,
        places: NDArray[np.int64],
        layout: Layout,
        first: Plane,
        around: Plane,
        step_class: int,
    ) -> Floats:
        """The network's outputs at some places, ``positions (4 channels)``.

        Args:
            turn: number of the pass.
            places: of its positions in a plane.
            layout: of the step.
            first: what `first_sums` gave for them; it is overwritten.
            around: what is seen of the group's own symbols that are coded; zeros elsewhere.
            step_class: of the quantiser's step.
        """
        first += self._weights["turn"][turn]
        if turn:
            near = _gathered(around, places, layout, self._taps[turn])
            weight = self._weights[f"near_{turn}"]
            first += near @ weight.reshape(-1, weight.shape[2])
        clipped(shifted(first, self._first_factor), 0, LARGEST_HIDDEN)
        second = first @ self._weights["second"] + self._second_bias
        clipped(shifted(second, self._second_factor), 0, LARGEST_HIDDEN)
        hidden = self.shape.hidden
        last = first @ self._weights["last"][:hidden]
        last += second @ self._weights["last"][hidden:]
        last += self._last_bias[step_class]
        return shifted(last, self._last_factor)

    def linear(
        self,
        turn: int,
        places: NDArray[np.int64],
        layout: Layout,
        lower: Plane,
        own: Plane,
        before: Plane,
    ) -> Floats:
        """The linear prediction at some places, ``positions channels``, in parts of a symbol.

        Args:
            turn: number of the pass.
            places: of its positions in a plane.
            layout: of the step.
            lower: symbols of the lowest channels.
            own: the group's own symbols that are coded; zeros elsewhere.
            before: those of the step before.
        """
        weights = self._weights
        result = np.zeros((len(places), self.shape.own), self._kind)
        every = range(9)
        if lower.shape[1]:
            weight = weights["linear_lower"]
            result += _gathered(lower, places, layout, every) @ weight.reshape(-1, weight.shape[2])
        part = np.empty_like(result)
        for plane, taps, weight in (
            (before, every, weights["linear_before"][turn]),
            (own, self._taps[turn], weights["linear_near"][turn]),
        ):
            for tap in taps:
                # All places lie inside; `take` fills an array of its own only if it may raise.
                np.take(plane, places + layout.offset(tap), axis=0, out=part, mode="clip")
                part *= weight[tap]
                result += part
        result += self._linear_half
        most = LARGEST_LINEAR * LINEAR_UNIT
        return clipped(shifted(result, self._linear_factor), -most, most)

    def _plane(self, layout: Layout, *parts: NDArray[np.int16]) -> Plane:
        plane = layout.plane(sum(part.shape[-1] for part in parts), self._kind)
        np.concatenate(parts, axis=-1, out=layout.inner(plane), casting="unsafe")
        return plane

    def _check(self, weights: Weights, where: str) -> None:
        """Prove that every sum is exact."""
        near = [row_sums(weights[f"near_{number}"]) for number in range(1, self.shape.passes)]
        first = row_sums(weights["wide"], weights["narrow"], weights["averages"]) + np.max(near, axis=0)
        layers = {
            "first": Rows(first, row_biases(weights["step"], weights["turn"])),
            "second": Rows(row_sums(weights["second"]), row_biases(weights["second_bias"])),
            "last": Rows(row_sums(weights["last"]), row_biases(weights["last_bias"])),
        }
        linear = [
            row_sums(before) + row_sums(around)
            for before, around in zip(weights["linear_before"], weights["linear_near"], strict=True)
        ]
        sums = np.max(linear, axis=0) + row_sums(weights["linear_lower"])
        layers["linear"] = Rows(sums, np.zeros_like(sums))
        inputs = {"first": LARGEST_INPUT, "linear": LARGEST_LINEAR}
        for name, rows in layers.items():
            check_exact(
                rows,
                weights[f"{name}_shift"],
                largest=inputs.get(name, LARGEST_HIDDEN),
                where=f"layer {name} of {where}",
            )


def _known_taps(passes: int, number: int) -> list[int]:
    return np.flatnonzero(pass_taps(passes, number)).tolist()


def _gathered(plane: Plane, places: NDArray[np.int64], layout: Layout, taps: Sequence[int]) -> Plane:
    """Some neighbours of some places, side by side."""
    offsets = np.array([layout.offset(tap) for tap in taps])
    return plane[places[:, None] + offsets].reshape(len(places), -1)
