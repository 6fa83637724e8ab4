"""The weights of a trained model in one of another shape that computes the same, to be trained on."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from tubelet.nn.blocks import RateGain

Weights = Mapping[str, Tensor]


@torch.no_grad()
def narrowed_encoder(weights: Weights, units: Float[Tensor, " k"], *, channels: int) -> dict[str, Tensor]:
    """What changes of an encoder that corrects fewer channels.

    Args:
        weights: of the model with all channels.
        units: what one of its corrections is worth in those of the new model.
        channels: how many the model has.
    """
    kept = len(units)
    # The mean of each channel, and then its variance where the model knows one.
    parts = [torch.arange(kept) + first for first in range(0, len(weights["encoder.leave.bias"]), channels)]
    scale = torch.cat([units, *(torch.ones(kept) for _ in parts[1:])])
    return {
        "encoder.leave.weight": weights["encoder.leave.weight"][torch.cat(parts)] * scale[:, None],
        "encoder.leave.bias": weights["encoder.leave.bias"][torch.cat(parts)] * scale,
        "latent_mean": weights["latent_mean"][:kept],
        "latent_deviation": weights["latent_deviation"][:kept],
    }


@torch.no_grad()
def narrowed_decoder(weights: Weights, *, kept: int, channels: int) -> dict[str, Tensor]:
    """What changes of a decoder that sees fewer channels.

    Between full and empty, gains that depend on the rate are interpolated.
    """
    fill, enter, share = weights["prefix.fill"], weights["decoder.enter.weight"], kept / channels
    missing = enter[:, kept:channels]
    knots = torch.tensor(RateGain.KNOTS)
    at_old_rates = RateGain.weigh(share * knots.reshape(-1, 1, 1, 1, 1)).reshape(len(knots), -1)
    gains = {
        # What steps to come have for a gain, below the knots, stays.
        name: torch.cat([at_old_rates.to(table) @ table[: len(knots)], table[len(knots) :]])
        for name, table in weights.items()
        if name.endswith((".gain_in.table", ".gain_out.table"))
    }
    padding = {"prefix.padding": weights["prefix.padding"][:, :kept]} if "prefix.padding" in weights else {}
    return (
        gains
        | padding
        | {
            "prefix.fill": fill[:kept],
            "decoder.enter.weight": torch.cat([enter[:, :kept], share * enter[:, -1:]], dim=1),
            "decoder.enter.bias": weights["decoder.enter.bias"] + missing @ fill[kept:],
        }
    )


@torch.no_grad()
def encoder_of_distribution(weights: Weights) -> dict[str, Tensor]:
    """What changes of an encoder that learns variances: as yet they are the same everywhere."""
    leave, bias = weights["encoder.leave.weight"], weights["encoder.leave.bias"]
    return {
        "encoder.leave.weight": torch.cat([leave, torch.zeros_like(leave)]),
        "encoder.leave.bias": torch.cat([bias, torch.zeros_like(bias)]),
    }


@torch.no_grad()
def predictive_decoder(weights: Weights, *, ahead: int, channels: int) -> dict[str, Tensor]:
    """What changes of a decoder that learns to predict steps: they are yet decoded as any that is known."""
    gains = {
        name: torch.cat([table, table[-1:]])
        for name, table in weights.items()
        if name.endswith((".gain_in.table", ".gain_out.table"))
    }
    leave, bias = weights["decoder.leave.weight"], weights["decoder.leave.bias"]
    return gains | {
        "prefix.padding": torch.zeros(ahead, channels),
        "decoder.leave.weight": torch.cat([leave, torch.zeros_like(leave)]),
        "decoder.leave.bias": torch.cat([bias, torch.zeros_like(bias)]),
    }
