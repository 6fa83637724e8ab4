"""The flow: from noise to what a decoder's coefficients lack, in a few steps (arXiv:2209.03003, 2210.02747).

All of it works on the coefficients of a KLT, one position for each patch of pixels. The state of the flow has
about unit variance wherever it is: what is lacking is divided by its usual size, which depends on the
coefficient, on how many channels are known, and on how busy the patch is.
"""

from collections.abc import Iterator, Sequence
from typing import final

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.nn.blocks import RateGain, Rates, ResidualStack, hats
from tubelet.nn.prefix import PrefixFeatures
from tubelet.nn.stepping import RunningPast, enter, step

Coefficients = Float[Tensor, "b c t h w"]
Told = Float[Tensor, "b d t h w"]
"""What the network knows at every time."""

Times = Float[Tensor, "_ 1 1 1 1"]
"""Where on the way from noise (0) to the residual (1) a clip is."""

TIMES = (0.0, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0)
"""Knots between which what depends on that is linear."""

_BUSIEST = 4.0
_LEAST_POWER = 1e-3


@final
class Refiner(nn.Module):
    """Refine coefficients by a velocity that is integrated from noise.

    The velocity is what a linear regression on the state would give (no network is needed for that), and a
    correction by a network. Until that is trained, noise stays noise of the size of the residual.

    Args:
        coefficients: how many there are.
        width: channels inside the network.
        blocks: residual blocks of the network, none of which looks at other steps.

    Attributes:
        network: gives the correction.
        deviation: of what is lacking in each coefficient, at each knot of `RateGain`.
        business: at each knot, by what the logarithm of the sizes of all coefficients is weighed to tell how
            far above their usual deviation is what they lack, as a logarithm; the last weight is constant.
    """

    def __init__(self, coefficients: int, *, width: int, blocks: int) -> None:
        super().__init__()
        knots = len(RateGain.KNOTS)
        self.network = ResidualStack(
            2 * coefficients + 1 + knots + len(TIMES),
            coefficients,
            width=width,
            blocks=blocks,
            memory=0,
            rated=True,
            others=len(TIMES),
        )
        self.register_buffer("deviation", torch.ones(knots, coefficients))
        self.register_buffer("business", torch.zeros(knots, coefficients + 1))
        self.deviation: Tensor
        self.business: Tensor

    def size(self, decoded: Coefficients, rates: Rates) -> Coefficients:
        """The deviation that what is lacking has here."""
        usual = rearrange(rates @ self.deviation, "b t h w k -> b k t h w")
        return usual * self.log_level(decoded, rates).exp()

    def log_level(self, decoded: Coefficients, rates: Rates) -> Float[Tensor, "b 1 t h w"]:
        """By what that is above the usual deviation of each coefficient, as a logarithm."""
        levels = log_powers(decoded) @ self.business[:, :-1].T + self.business[:, -1]
        return rearrange((levels * rates).sum(dim=-1).clamp(-_BUSIEST, _BUSIEST), "b t h w -> b 1 t h w")

    def integrate(
        self, state: Coefficients, decoded: Coefficients, rates: Rates, *, time: Times, steps: int
    ) -> Coefficients:
        """Go from a state to the end of the flow in so many steps of Euler's method, differentiably.

        Args:
            state: noise at time 0, the residual in its `size` at time 1, and a mean of both on the way.
            decoded: the coefficients that are refined.
            rates: weights of `RateGain.weigh`.
            time: of the state.
            steps: how many.
        """
        told = self._told(decoded, rates)
        for index in range(steps):
            now = time + (1 - time) * (index / steps)
            gains = _gains(rates, now)
            correction, _ = self.network(_inputs(state, told, gains), None, gains)
            state = state + (1 - time) / steps * _velocity(state, correction, now)
        return state

    @torch.no_grad()
    def refine_step(
        self,
        noise: Coefficients,
        decoded: Sequence[Coefficients],
        features: Sequence[PrefixFeatures],
        *,
        steps: int,
        strips: list[slice],
    ) -> Iterator[Coefficients]:
        """As `integrate` from noise, of one step of one tile in little memory; give the refined coefficients.

        Args:
            noise: of the tile.
            decoded: the coefficients of each strip of it.
            features: the latent of each strip of it.
            steps: how many.
            strips: rows of the tile, one run after the other.
        """
        state = noise.expand(len(decoded[0]), *noise.shape[1:]).clone()
        told = [self._told(each, some.rates) for each, some in zip(decoded, features, strict=True)]
        same = features[0].rates.shape[2] == 1
        rates = features[0].rates if same else torch.cat([each.rates for each in features], dim=2)
        number = {rows.start: index for index, rows in enumerate(strips)}
        for index in range(steps):
            now = torch.full((1, 1, 1, 1, 1), index / steps, dtype=state.dtype, device=state.device)
            gains = _gains(rates, now)

            def inputs_of(rows: slice, gains: Rates = gains) -> Coefficients:
                some = gains if gains.shape[2] == 1 else gains[:, :, rows]
                return _inputs(state[:, :, :, rows], told[number[rows.start]], some)

            hidden = enter(self.network, inputs_of, strips, cells=(state.shape[3], state.shape[4]))
            step(self.network, hidden, RunningPast(), gains, strips)
            for rows in strips:
                correction = self.network.project_out(hidden[:, :, rows])
                part = state[:, :, :, rows]
                state[:, :, :, rows] = part + _velocity(part, correction, now) / steps
        for rows, each, some in zip(strips, decoded, features, strict=True):
            yield each + self.size(each, some.rates) * state[:, :, :, rows]

    def _told(self, decoded: Coefficients, rates: Rates) -> Told:
        """What the network is told at every time."""
        return torch.cat([decoded, self.log_level(decoded, rates)], dim=1)


def log_powers(decoded: Coefficients) -> Float[Tensor, "b t h w c"]:
    """The logarithm of the square of each coefficient, of which none counts as quite zero."""
    return (rearrange(decoded, "b k t h w -> b t h w k").square() + _LEAST_POWER).log()


def _velocity(state: Coefficients, correction: Coefficients, time: Times) -> Coefficients:
    """What a state of unit noise and a unit residual lets expect, and the correction of that.

    With x = (1 - t) n + t e the regression of e - n on x is (2t - 1) / ((1 - t)² + t²); what is left of it
    has the deviation 1 / √((1 - t)² + t²).
    """
    power = (1 - time).square() + time.square()
    return (2 * time - 1) / power * state + correction * power.rsqrt()


def _gains(rates: Rates, time: Times) -> Float[Tensor, "_ _ _ _ d"]:
    """The weights of the network's gains: those of the rate, and those of the time."""
    times = hats(rearrange(time, "b 1 t h w -> b t h w 1"), TIMES)
    shape = torch.broadcast_shapes(rates.shape[:-1], times.shape[:-1])
    return torch.cat([rates.expand(*shape, -1), times.expand(*shape, -1)], dim=-1)


def _inputs(state: Coefficients, told: Told, gains: Rates) -> Float[Tensor, "b e t h w"]:
    """All that the network sees of a position."""
    known = rearrange(gains, "b t h w k -> b k t h w")
    known = known.expand(len(state), -1, *state.shape[2:])
    return torch.cat([state, told, known], dim=1)
