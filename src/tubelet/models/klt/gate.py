"""How much of a predicted step is shown, by how still its place was: the rest is the last known frame."""

from typing import final

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.nn.blocks import hats
from tubelet.nn.klt import KLTCascade
from tubelet.nn.prefix import column
from tubelet.types import Latent

KNOTS = (-3.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
"""Base-2 logarithms of motion, in levels of 8 bits, between which shares are linear."""

GATE_RADIUS = 1
"""Cells to each side whose motion counts."""

_LEVEL = 2 / 255
"""A level of 8 bits where video is in [-1, 1]."""

_LEAST = 0.05
"""Levels that are added to a motion, whose logarithm would have no end."""

Motion = Float[Tensor, "b 1 t h w"]
"""Mean square of how pixels of each cell differ from the last frame within a step, video in [-1, 1]."""


KnownStep = Float[Tensor, "b 1 h w c"]
"""Coefficients of the last known step, in the order in which streams keep what is remembered."""


@final
class StillGate(nn.Module):
    """Blends a predicted step with the last known frame, standing still.

    ``frame + share * (predicted - frame)``: where nothing moved in the last known step, the frame is the
    better guess, and where much did, the prediction is. The share depends on the mean motion of 3 x 3 cells
    alone. It is one everywhere until it is fitted (`tubelet fit-gate`), which changes nothing.

    Attributes:
        table: the share of the prediction at each of `KNOTS`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.ones(len(KNOTS)))

    def forward(self, predicted: Latent, standing: Latent, motion: Motion) -> Latent:
        """Blend all coefficients of steps.

        Args:
            predicted: the coefficients.
            standing: those of the last known frame, all along a step.
            motion: of the last known step, already `spread`.
        """
        return standing + self.share(motion) * (predicted - standing)

    def blend_steps(
        self,
        transform: KLTCascade,
        coefficients: Latent,
        to_come: Bool[Tensor, "_ 1 _ _ _"] | None,
        before: KnownStep | None,
    ) -> tuple[Latent, KnownStep]:
        """Blend those of consecutive steps that are yet to come, differentiably.

        Args:
            transform: of the coefficients.
            coefficients: of all of them.
            to_come: which of them are; none where none is.
            before: what this remembers of the steps before; none at the start of a clip.

        Returns:
            The coefficients, and what is remembered for the steps after.
        """
        if to_come is None:
            return coefficients, channels_last(coefficients[:, :, -1:])
        to_come = to_come.expand(-1, -1, coefficients.shape[2], -1, -1)
        known = _last_known(coefficients, to_come, None if before is None else channels_first(before))
        standing = standing_still(transform, known)
        blended = self(coefficients, standing, spread(motion_within(transform, known, standing)))
        return torch.where(to_come, blended, coefficients), channels_last(known[:, :, -1:])

    def share(self, motion: Motion) -> Float[Tensor, "b 1 t h w"]:
        """How much of a prediction is shown."""
        shares = gate_hats(motion).to(self.table.dtype) @ self.table
        return rearrange(shares, "b t h w -> b 1 t h w").to(motion.dtype)


def standing_still(transform: KLTCascade, coefficients: Latent) -> Latent:
    """The coefficients of steps that show the last frame of these steps all along."""
    frames = transform.inverse(coefficients)
    last = frames[:, :, transform.stride.t - 1 :: transform.stride.t]
    return transform(last.repeat_interleave(transform.stride.t, dim=2))


def motion_within(transform: KLTCascade, coefficients: Latent, standing: Latent) -> Motion:
    """By how much steps differ from their last frame.

    Args:
        transform: of both.
        coefficients: of the steps.
        standing: what `standing_still` makes of them.
    """
    stride = transform.stride
    units = column(transform.deviation)
    squares = (units * (coefficients - standing)).square().sum(dim=1, keepdim=True)
    return squares / (3 * stride.t * stride.h * stride.w)


def spread(motion: Motion) -> Motion:
    """The mean over each cell and its neighbours inside the frame."""
    steps = motion.shape[2]
    flat = F.avg_pool2d(
        rearrange(motion, "b 1 t h w -> (b t) 1 h w"),
        2 * GATE_RADIUS + 1,
        stride=1,
        padding=GATE_RADIUS,
        count_include_pad=False,
    )
    return rearrange(flat, "(b t) 1 h w -> b 1 t h w", t=steps)


def gate_hats(motion: Motion) -> Float[Tensor, "b t h w k"]:
    """Motion as weights of the two `KNOTS` that it lies between."""
    levels = motion.clamp(min=0).sqrt() / _LEVEL
    return hats(rearrange((levels + _LEAST).log2(), "b 1 t h w -> b t h w 1"), KNOTS)


@final
class GatedStep:
    """The gate at work on one step of a stream, some rows at a time.

    Args:
        gate: that blends.
        transform: of the coefficients.
        kept: what the stream keeps for it, at most one tensor ``b 1 h w c``: the last known step. It is
            changed by a step that is known.
        rows: of the tile.
        to_come: whether the step is yet to come.
    """

    def __init__(
        self, gate: StillGate, transform: KLTCascade, kept: list[KnownStep], *, rows: int, to_come: bool
    ) -> None:
        self._gate, self._transform, self._kept = gate, transform, kept
        self._rows, self._to_come = rows, to_come

    def shown(self, rows: slice, coefficients: Latent) -> Latent:
        """What is shown of some rows; of a known step they are remembered."""
        if not self._to_come:
            here = channels_last(coefficients)
            if not self._kept:
                batch, steps, _, columns, channels = here.shape
                self._kept.append(here.new_empty((batch, steps, self._rows, columns, channels)))
            self._kept[0][:, :, rows] = here
            return coefficients
        seen = slice(max(rows.start - GATE_RADIUS, 0), min(rows.stop + GATE_RADIUS, self._rows))
        inside = slice(rows.start - seen.start, rows.stop - seen.start)
        known = channels_first(self._kept[0][:, :, seen])
        standing = standing_still(self._transform, known)
        motion = spread(motion_within(self._transform, known, standing))
        return self._gate(coefficients, standing[:, :, :, inside], motion[:, :, :, inside])


def channels_last(coefficients: Latent) -> KnownStep:
    """Coefficients in the order in which streams keep what is remembered."""
    return rearrange(coefficients, "b c t h w -> b t h w c")


def channels_first(kept: KnownStep) -> Latent:
    """Undo `channels_last`."""
    return rearrange(kept, "b t h w c -> b c t h w")


def _last_known(
    coefficients: Latent,
    to_come: Bool[Tensor, "_ 1 t _ _"],
    before: Float[Tensor, "b c 1 h w"] | None,
) -> Latent:
    """For each step the coefficients of the last step up to it that is not yet to come."""
    known = coefficients[:, :, :1] if before is None else before
    steps: list[Tensor] = []
    for index in range(coefficients.shape[2]):
        here = slice(index, index + 1)
        known = torch.where(to_come[:, :, here], known, coefficients[:, :, here])
        steps.append(known)
    return torch.cat(steps, dim=2)
