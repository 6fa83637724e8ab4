"""Trained networks as the whole numbers that they computed with all along."""

from collections.abc import Mapping

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from tubelet.priors.numbers import GATE_UNIT, HIDDEN_UNIT, INPUT_UNIT, LINEAR_UNIT, MEAN_UNIT, SCALE_UNIT
from tubelet.priors.passes import OUTPUTS
from tubelet.train.prior.group_network import GroupNetwork

Arrays = dict[str, NDArray[np.integer]]


@torch.no_grad()
def to_integers(network: GroupNetwork) -> Arrays:
    """The arrays that a prior is stored as, by the names of `GroupShape.weights`."""
    first, second, last, linear = (
        network.first_units(),
        network.second_units(),
        network.last_units(),
        network.linear_units(),
    )
    arrays = {
        "wide": _whole(rearrange(network.wide, "o i y x -> (y x) i o"), first, np.int16),
        "narrow": _whole(network.narrow.T, first, np.int16),
        "averages": _whole(network.averages.T, first, np.int16),
        "step": _whole(network.step, first * INPUT_UNIT, np.int32),
        "turn": _whole(network.turn, first * INPUT_UNIT, np.int32),
        "first_shift": _shift(first * INPUT_UNIT / HIDDEN_UNIT),
        "second": _whole(network.second.T, second, np.int16),
        "second_bias": _whole(network.second_bias, second * HIDDEN_UNIT, np.int32),
        "second_shift": _shift(second),
        "last": _whole(network.last.T, last, np.int16),
        "last_bias": _whole(network.last_bias, last * HIDDEN_UNIT, np.int32),
        "last_shift": _shift(last * HIDDEN_UNIT / _output_units(network)),
        "linear_before": _whole(_by_tap(network.linear_before), linear, np.int16),
        "linear_near": _whole(_by_tap(network.masked_linear_near()), linear, np.int16),
        "linear_lower": _whole(rearrange(network.linear_lower, "o i y x -> (y x) i o"), linear, np.int16),
        "linear_shift": _shift(linear / LINEAR_UNIT),
    }
    for number, (weight, taps) in enumerate(zip(network.near, network.taps()[1:], strict=True), start=1):
        chosen = rearrange(weight, "o i y x -> (y x) i o")[taps.flatten() > 0]
        arrays[f"near_{number}"] = _whole(chosen, first, np.int16)
    return arrays


@torch.no_grad()
def from_integers(arrays: Mapping[str, NDArray[np.integer]], network: GroupNetwork) -> None:
    """Fill a network with the weights that arrays were made of, up to rounding; the inverse of `to_integers`.

    Args:
        arrays: of a prior, by the names of `GroupShape.weights`.
        network: of the same shape; changed.
    """
    stored = {name: torch.from_numpy(array).float() for name, array in arrays.items()}
    first = stored["first_shift"].exp2() * HIDDEN_UNIT / INPUT_UNIT
    second = stored["second_shift"].exp2()
    last = stored["last_shift"].exp2() * _output_units(network) / HIDDEN_UNIT
    linear = stored["linear_shift"].exp2() * LINEAR_UNIT
    network.wide.copy_(rearrange(stored["wide"] / first, "(y x) i o -> o i y x", y=3))
    network.narrow.copy_((stored["narrow"] / first).T)
    network.averages.copy_((stored["averages"] / first).T)
    network.step.copy_(stored["step"] / (first * INPUT_UNIT))
    network.turn.copy_(stored["turn"] / (first * INPUT_UNIT))
    network.second.copy_((stored["second"] / second).T)
    network.second_bias.copy_(stored["second_bias"] / (second * HIDDEN_UNIT))
    network.last.copy_((stored["last"] / last).T)
    network.last_bias.copy_(stored["last_bias"] / (last * HIDDEN_UNIT))
    network.linear_before.copy_(rearrange(stored["linear_before"] / linear, "p (y x) o -> p o y x", y=3))
    network.linear_near.copy_(rearrange(stored["linear_near"] / linear, "p (y x) o -> p o y x", y=3))
    network.linear_lower.copy_(rearrange(stored["linear_lower"] / linear, "(y x) i o -> o i y x", y=3))
    for number, (weight, taps) in enumerate(zip(network.near, network.taps()[1:], strict=True), start=1):
        whole = torch.zeros(9, weight.shape[1], len(weight))
        whole[taps.flatten() > 0] = stored[f"near_{number}"] / first
        weight.copy_(rearrange(whole, "(y x) i o -> o i y x", y=3))


def _output_units(network: GroupNetwork) -> Tensor:
    """Of what part of one each output is a whole number."""
    units = torch.tensor([MEAN_UNIT, GATE_UNIT, GATE_UNIT, SCALE_UNIT]).repeat_interleave(network.own)
    assert len(units) == OUTPUTS * network.own
    return units


def _whole(values: Tensor, units: Tensor, kind: type[np.integer]) -> NDArray[np.integer]:
    """Values as whole numbers of 1 / unit, units being those of the last axis."""
    return np.ascontiguousarray((values * units + 0.5).floor().numpy().astype(kind))


def _by_tap(weight: Tensor) -> Tensor:
    return rearrange(weight, "p o y x -> p (y x) o")


def _shift(powers: Tensor) -> NDArray[np.uint8]:
    return powers.log2().round().numpy().astype(np.uint8)
