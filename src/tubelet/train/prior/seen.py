"""What a prior's network sees of symbols, differentiably nothing: numbers that are exact in float32."""

from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int64
from torch import Tensor

from tubelet.priors.numbers import AVERAGES, COUNT_CLASSES, INPUT_UNIT, LARGEST_LINEAR, MAGNITUDES

_MAGNITUDES = torch.from_numpy(MAGNITUDES).float() / INPUT_UNIT
_AVERAGES = torch.from_numpy(AVERAGES).float() / INPUT_UNIT

Steps = Float[Tensor, "n _ h w"]
"""Latent steps of several clips, one after the other: n is clips times steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Symbols of a batch as the networks of all groups see them; the step before the first holds zeros.

    Attributes:
        linear: the symbols themselves, up to a largest.
        signed: companded.
        size: magnitudes of those.
        change: companded magnitudes of differences to the step before.
        average: of `size` over a step, companded again.
        counts: which classes of counts a position reaches, 0 or 1.
        linear_before: and what the step before had of each.
        signed_before: the same.
        size_before: the same.
        change_before: the same.
        average_before: the same.
        counts_before: the same.
        step_class: of the quantiser's step.
    """

    linear: Steps
    signed: Steps
    size: Steps
    change: Steps
    average: Float[Tensor, "n c"]
    counts: Float[Tensor, "n k h w"]
    linear_before: Steps
    signed_before: Steps
    size_before: Steps
    change_before: Steps
    average_before: Float[Tensor, "n c"]
    counts_before: Float[Tensor, "n k h w"]
    step_class: Int64[Tensor, " n"]

    @classmethod
    def of(
        cls,
        symbols: Float[Tensor, "b c t h w"],
        counts: Int64[Tensor, "b 1 t h w"],
        step_class: Int64[Tensor, " b"],
    ) -> "Seen":
        """What is seen of symbols that begin a chunk.

        Args:
            symbols: whole numbers; 0 where a position has no such channel.
            counts: channels of each position.
            step_class: of the quantiser's step, from 0.
        """
        steps = symbols.shape[2]
        signed = symbols.sign() * _companded(symbols)
        size = signed.abs()
        change = _companded(symbols - _before(symbols))
        sums = (size * INPUT_UNIT).mean(dim=(3, 4), dtype=torch.float64, keepdim=True)
        average = _AVERAGES[(16 * sums + 1e-9).floor().long()]
        classes = rearrange(torch.tensor(COUNT_CLASSES), "k -> k 1 1 1")
        reached = (counts >= classes).float()
        linear = symbols.clamp(-LARGEST_LINEAR, LARGEST_LINEAR)
        return cls(
            linear=_flat(linear),
            signed=_flat(signed),
            size=_flat(size),
            change=_flat(change),
            average=_flat(average)[:, :, 0, 0],
            counts=_flat(reached),
            linear_before=_flat(_before(linear)),
            signed_before=_flat(_before(signed)),
            size_before=_flat(_before(size)),
            change_before=_flat(_before(change)),
            average_before=_flat(_before(average))[:, :, 0, 0],
            counts_before=_flat(_before(reached)),
            step_class=repeat(step_class, "b -> (b t)", t=steps),
        )


def _companded(symbols: Tensor) -> Tensor:
    return _MAGNITUDES[symbols.abs().clamp(max=len(_MAGNITUDES) - 1).long()]


def _before(values: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c t h w"]:
    """What the step before had; zeros before the first."""
    return torch.cat([torch.zeros_like(values[:, :, :1]), values[:, :, :-1]], dim=2)


def _flat(values: Float[Tensor, "b c t h w"]) -> Steps:
    return rearrange(values, "b c t h w -> (b t) c h w").contiguous()
