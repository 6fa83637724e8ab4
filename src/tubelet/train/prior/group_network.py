"""The network of one group of channels as it is trained: its forward pass is the integers' own."""

from math import sqrt
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.priors.numbers import (
    COUNT_CLASSES,
    GATE_UNIT,
    HIDDEN_UNIT,
    INPUT_UNIT,
    LARGEST_HIDDEN,
    LARGEST_INPUT,
    LARGEST_LINEAR,
    LARGEST_MEAN,
    LEAST_SCALE,
    LINEAR_UNIT,
    MEAN_UNIT,
    SCALE_UNIT,
    SCALES,
    STEPS,
)
from tubelet.priors.passes import OUTPUTS, linear_lower, pass_map, pass_taps
from tubelet.train.prior.rounding import rounded, weight_units
from tubelet.train.prior.seen import Seen, Steps

_CLASSES = len(COUNT_CLASSES)


class Predicted(NamedTuple):
    """What a network says of each symbol.

    Attributes:
        mean: in symbols, a multiple of 1 / `MEAN_UNIT`.
        scale: base-2 logarithm, a multiple of 1 / `SCALE_UNIT`.
    """

    mean: Steps
    scale: Steps


class GroupNetwork(nn.Module):
    """Predicts the symbols of some channels from lower ones, the step before, and passes before.

    Args:
        lower: channels below the group.
        own: channels of the group.
        passes: 2 or 4, in which its positions are coded.
        hidden: features of each hidden layer.
        scale: base-2 logarithm of the scale of each own channel at the start, by class of the step.
        generator: of the first weights.
    """

    def __init__(
        self, lower: int, own: int, *, passes: int, hidden: int, scale: Tensor, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.lower, self.own, self.passes = lower, own, passes
        known = lower + own
        wide, narrow = lower * 2 + known + _CLASSES, lower + 2 * known + _CLASSES
        spread = 1.5 / sqrt(9 * wide + narrow + 4 * 3 * own)

        def normal(*shape: int, deviation: float = spread) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator) * deviation)

        self.wide = normal(hidden, wide, 3, 3)
        self.narrow = normal(hidden, narrow)
        self.averages = normal(hidden, lower + known, deviation=0.5 / sqrt(lower + known))
        self.near = nn.ParameterList([normal(hidden, 3 * own, 3, 3) for _ in range(1, passes)])
        self.step = nn.Parameter(torch.zeros(STEPS, hidden))
        self.turn = nn.Parameter(torch.zeros(passes, hidden))
        self.second = normal(hidden, hidden, deviation=1.4 / sqrt(hidden))
        self.second_bias = nn.Parameter(torch.zeros(hidden))
        self.last = normal(OUTPUTS * own, 2 * hidden, deviation=0.1 / sqrt(hidden))
        self.last_bias = nn.Parameter(torch.zeros(STEPS, OUTPUTS * own))
        with torch.no_grad():
            self.last_bias[:, own : 2 * own] = 0.3
            self.last_bias[:, 2 * own : 3 * own] = 0.2
            self.last_bias[:, 3 * own :] = scale
        self.linear_before = nn.Parameter(torch.zeros(passes, own, 3, 3))
        self.linear_near = nn.Parameter(torch.zeros(passes, own, 3, 3))
        self.linear_lower = nn.Parameter(torch.zeros(own, linear_lower(lower), 3, 3))
        taps = torch.stack([torch.from_numpy(pass_taps(passes, each)).float() for each in range(passes)])
        self._taps: Tensor
        self.register_buffer("_taps", rearrange(taps, "p y x -> p 1 y x"), persistent=False)
        with torch.no_grad():
            for turn in range(1, passes):
                self.linear_near[turn] = taps[turn] / taps[turn].sum()
            self.linear_before[0, :, 1, 1] = 1.0

    def forward(self, seen: Seen) -> Predicted:
        """Predict all positions of all steps, each from what its pass may know."""
        turns = torch.from_numpy(pass_map(self.passes, *seen.linear.shape[2:]))
        first = _activated(self._first_sums(seen, turns))
        second = _activated(self._second_sums(first))
        outputs = self._outputs(torch.cat([first, second], dim=1), seen.step_class)
        mean, gate_before, gate_linear, scale = outputs.split(self.own, dim=1)
        mean = rounded(mean, MEAN_UNIT).clamp(-LARGEST_MEAN / MEAN_UNIT, LARGEST_MEAN / MEAN_UNIT)
        gates = [rounded(each, GATE_UNIT).clamp(0, 1) for each in (gate_before, gate_linear)]
        past = seen.linear_before[:, self._range]
        # Symbols of the first channels are too large for bfloat16.
        with torch.autocast(past.device.type, enabled=False):
            linear = self._linear(seen, turns)
        predicted = gates[0] * past + gates[1] * linear
        scale = rounded(scale, SCALE_UNIT).clamp(LEAST_SCALE, LEAST_SCALE + (SCALES - 1) / SCALE_UNIT)
        return Predicted(mean + rounded(predicted, MEAN_UNIT), scale)

    def taps(self) -> Tensor:
        """Which neighbours each pass knows, ``p 3 3``, 0 or 1."""
        return self._taps[:, 0]

    def masked_linear_near(self) -> Tensor:
        """The linear prediction's weights of own neighbours, of those alone that a pass knows."""
        return self.linear_near * self._taps

    def first_units(self) -> Tensor:
        """Of what part of one the first layer's weights are whole numbers, for each feature."""
        near = self._masked_near()
        everywhere = (self.wide, self.narrow, self.averages)
        sums = sum(map(_row_sums, everywhere)) + torch.stack([_row_sums(each) for each in near]).amax(0)
        biases = self.step.abs().amax(0) + self.turn.abs().amax(0)
        largest = torch.stack([_row_most(each) for each in (*everywhere, *near)]).amax(0)
        most = LARGEST_INPUT / INPUT_UNIT * sums + biases + 1 / HIDDEN_UNIT
        return weight_units(most, largest, input_unit=INPUT_UNIT)

    def second_units(self) -> Tensor:
        """The same of the second layer."""
        sums = (
            _row_sums(self.second) * LARGEST_HIDDEN / HIDDEN_UNIT + self.second_bias.abs() + 1 / HIDDEN_UNIT
        )
        return weight_units(sums, _row_most(self.second), input_unit=HIDDEN_UNIT)

    def last_units(self) -> Tensor:
        """The same of the last layer."""
        sums = _row_sums(self.last) * LARGEST_HIDDEN / HIDDEN_UNIT + self.last_bias.abs().amax(0) + 1.0
        return weight_units(sums, _row_most(self.last), input_unit=HIDDEN_UNIT)

    def linear_units(self) -> Tensor:
        """The same of the linear prediction."""
        near = self.masked_linear_near()
        pairs = zip(self.linear_before, near, strict=True)
        most = torch.stack([_tap_sums(before) + _tap_sums(around) for before, around in pairs]).amax(0)
        sums = LARGEST_LINEAR * (most + _row_sums(self.linear_lower)) + 1.0
        largest = torch.cat([self.linear_before, near]).abs().amax((0, 2, 3)) + _row_most(self.linear_lower)
        return weight_units(sums, largest, input_unit=1).clamp(min=LINEAR_UNIT)

    @property
    def _range(self) -> slice:
        return slice(self.lower, self.lower + self.own)

    def _masked_near(self) -> list[Tensor]:
        return [weight * taps for weight, taps in zip(self.near, self._taps[1:], strict=True)]

    def _first_sums(self, seen: Seen, turns: Tensor) -> Steps:
        """The first layer before its activation."""
        known, own = slice(self.lower + self.own), self._range
        below, units = slice(self.lower), self.first_units()
        wide = torch.cat(
            [seen.size[:, below], seen.change[:, below], seen.size_before[:, known], seen.counts], 1
        )
        narrow = torch.cat(
            [
                seen.signed[:, below],
                seen.signed_before[:, known],
                seen.change_before[:, known],
                seen.counts_before,
            ],
            dim=1,
        )
        averages = torch.cat([seen.average[:, below], seen.average_before[:, known]], dim=1)
        by_matrix = _rows(units, 1)
        constant = rounded(self.step, units * INPUT_UNIT)[seen.step_class]
        constant = constant + F.linear(averages, rounded(self.averages, by_matrix))
        result = F.conv2d(wide, rounded(self.wide, _rows(units, 3)), padding=1)
        result = result + F.conv2d(narrow, rearrange(rounded(self.narrow, by_matrix), "o i -> o i 1 1"))
        turn = rounded(self.turn, units * INPUT_UNIT)[turns]
        result = result + rearrange(constant, "n c -> n c 1 1") + rearrange(turn, "h w c -> c h w")
        around = torch.cat([seen.signed[:, own], seen.size[:, own], seen.change[:, own]], dim=1)
        for number, weight in enumerate(self._masked_near(), start=1):
            sums_near = F.conv2d(around * (turns < number), rounded(weight, _rows(units, 3)), padding=1)
            result = result + sums_near * (turns == number)
        return result

    def _second_sums(self, first: Steps) -> Steps:
        units = self.second_units()
        weight = rearrange(rounded(self.second, _rows(units, 1)), "o i -> o i 1 1")
        return F.conv2d(first, weight, rounded(self.second_bias, units * HIDDEN_UNIT))

    def _outputs(self, features: Steps, step_class: Tensor) -> Steps:
        units = self.last_units()
        weight = rearrange(rounded(self.last, _rows(units, 1)), "o i -> o i 1 1")
        bias = rounded(self.last_bias, units * HIDDEN_UNIT)[step_class]
        return F.conv2d(features, weight).float() + rearrange(bias, "n c -> n c 1 1")

    def _linear(self, seen: Seen, turns: Tensor) -> Steps:
        """The linear prediction of each symbol, in symbols."""
        near, units = self.masked_linear_near(), self.linear_units()
        own, lower = seen.linear[:, self._range], seen.linear[:, : self.linear_lower.shape[1]]
        past = seen.linear_before[:, self._range]
        result = torch.zeros_like(own)
        if lower.shape[1]:
            result = result + F.conv2d(lower, rounded(self.linear_lower, _rows(units, 3)), padding=1)
        for turn in range(self.passes):
            term = self._by_channel(past, self.linear_before[turn], units)
            if turn:
                term = term + self._by_channel(own * (turns < turn), near[turn], units)
            result = result + term * (turns == turn)
        return rounded(result, LINEAR_UNIT).clamp(-LARGEST_LINEAR, LARGEST_LINEAR)

    def _by_channel(self, values: Steps, weight: Tensor, units: Tensor) -> Steps:
        kernel = rearrange(rounded(weight, _rows(units, 2)), "o y x -> o 1 y x")
        return F.conv2d(values, kernel, padding=1, groups=self.own)


def _activated(sums: Steps) -> Steps:
    """Clipped ReLU of values that are rounded to whole numbers of 1 / `HIDDEN_UNIT`."""
    return rounded(sums, HIDDEN_UNIT).clamp(0, LARGEST_HIDDEN / HIDDEN_UNIT)


def _row_sums(weight: Tensor) -> Tensor:
    return weight.abs().flatten(1).sum(1)


def _row_most(weight: Tensor) -> Tensor:
    return weight.abs().flatten(1).amax(1) if weight[0].numel() else weight.new_zeros(len(weight))


def _tap_sums(weight: Tensor) -> Tensor:
    return weight.abs().sum((1, 2))


def _rows(units: Tensor, further: int) -> Tensor:
    return units.reshape(-1, *[1] * further)
