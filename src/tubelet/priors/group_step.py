"""One step of a group of channels as its network codes it, pass after pass."""

import numpy as np
from numpy.typing import NDArray

from tubelet.priors.exact import clipped
from tubelet.priors.numbers import (
    GATE_UNIT,
    LARGEST_LINEAR,
    LARGEST_MEAN,
    LEAST_SCALE,
    LINEAR_UNIT,
    MEAN_UNIT,
    SCALE_UNIT,
    SCALES,
    companded,
    companded_sizes,
)
from tubelet.priors.passes import OUTPUTS, linear_lower
from tubelet.priors.planes import Layout, Plane
from tubelet.priors.predictor import BLOCK, Expected, GroupPredictor, StepPlanes


class GroupStep:
    """A step of a group at work: its passes, one after the other, each told what the ones before gave.

    Args:
        predictor: of the group.
        layout: of the step.
        known: of the step before the group is coded.
        needed: positions that have a symbol of the group, ``rows columns``; nothing is computed elsewhere.
    """

    def __init__(
        self, predictor: GroupPredictor, layout: Layout, known: StepPlanes, needed: NDArray[np.bool_]
    ) -> None:
        shape, kind = predictor.shape, predictor.kind
        self._predictor, self._layout, self._known, self._needed = predictor, layout, known, needed
        self._sums = predictor.first_sums(layout, known, needed)
        self._around = layout.plane(3 * shape.own, kind)
        self._own = layout.plane(shape.own, kind)
        self._before = layout.plane(shape.own, kind)
        layout.inner(self._before)[:] = known.before.linear[..., shape.lower :]
        self._lower = layout.plane(linear_lower(shape.lower), kind)
        layout.inner(self._lower)[:] = known.here.linear[..., : linear_lower(shape.lower)]

    def expect(self, turn: int, chosen: NDArray[np.bool_]) -> Expected:
        """What to expect of the symbols of a pass, in raster order.

        Args:
            turn: number of the pass.
            chosen: positions of it that are needed, at least one, ``rows columns``.
        """
        places = self._layout.places_of(chosen)
        rows = np.flatnonzero(chosen[self._needed])
        blocks = [
            self._expect(turn, places[at : at + BLOCK], self._sums[rows[at : at + BLOCK]])
            for at in range(0, len(places), BLOCK)
        ]
        return Expected(*(np.concatenate(each) for each in zip(*blocks, strict=True)))

    def _expect(self, turn: int, places: NDArray[np.int64], sums: Plane) -> Expected:
        """What to expect at some places."""
        predictor, layout = self._predictor, self._layout
        outputs = predictor.expect(turn, places, layout, sums, self._around, self._known.step_class)
        mean, gate_before, gate_linear, scale = np.split(outputs, OUTPUTS, axis=1)
        linear = predictor.linear(turn, places, layout, self._lower, self._own, self._before)
        linear *= clipped(gate_linear, 0, GATE_UNIT)
        linear += clipped(gate_before, 0, GATE_UNIT) * self._before[places] * LINEAR_UNIT
        linear += GATE_UNIT * LINEAR_UNIT // MEAN_UNIT // 2
        linear *= predictor.kind(MEAN_UNIT / (GATE_UNIT * LINEAR_UNIT))
        np.floor(linear, out=linear)
        linear += clipped(mean, -LARGEST_MEAN, LARGEST_MEAN)
        scale -= LEAST_SCALE * SCALE_UNIT
        return Expected(linear.astype(np.int32), clipped(scale, 0, SCALES - 1).astype(np.int32))

    def put(self, chosen: NDArray[np.bool_], symbols: NDArray[np.int32], before: NDArray[np.int32]) -> None:
        """Tell what the group's own symbols are at the positions of a pass, once they are coded.

        Args:
            chosen: the positions, ``rows columns``.
            symbols: the symbols there, ``positions channels``.
            before: those of the step before.
        """
        layout = self._layout
        layout.inner(self._own)[chosen] = np.clip(symbols, -LARGEST_LINEAR, LARGEST_LINEAR)
        signed = companded(symbols)
        parts = [signed, np.abs(signed), companded_sizes(symbols - before)]
        layout.inner(self._around)[chosen] = np.concatenate(parts, axis=-1)
