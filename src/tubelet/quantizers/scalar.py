"""Uniform scalar quantisation with a step per channel: what a ``.tube`` file stores.

Steps are whole numbers of 2⁻²⁰, so that a file holds no floating-point number.
"""

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int32
from torch import Tensor

from tubelet.errors import LatentError, OptionError
from tubelet.types import Latent

STEP_UNIT = 2.0**-20
"""What a step of 1 in a file is, in standard deviations of a channel."""

LARGEST_STEP = 2**32 - 1
LARGEST_SYMBOL = 2**23 - 1

Centroids = tuple[tuple[int, int], ...]
"""For each channel, how much nearer to zero than their multiple of the step symbols of magnitude 1, and of
greater magnitude, are reconstructed, in 1/256 of a step."""

Symbols = Int32[np.ndarray, "c t h w"]
"""Quantised latent of one clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarQuantizer:
    """Round to the nearest multiple of a step; each channel has its own.

    Attributes:
        steps: step of each channel in units of 2⁻²⁰.
        centroids: where symbols are reconstructed; in the middle of what is rounded to them for none.
    """

    steps: tuple[int, ...]
    centroids: Centroids = ()

    @classmethod
    def scaled(cls, base: Tensor, scale: float) -> "ScalarQuantizer":
        """Steps of `scale` times `base`, to the nearest unit.

        Raises:
            OptionError: the scale is not positive, or so extreme that a step leaves the range of a file.
        """
        if not 0 < scale < float("inf"):
            raise OptionError(f"step is {scale}; it must be a positive number. 1 is the usual one.")
        units = [float(step) * scale / STEP_UNIT for step in base]
        # Written so that NaN and infinity, which no integer stands for, are refused as well.
        if not all(0.5 < unit < LARGEST_STEP + 0.5 for unit in units):
            raise OptionError(
                f"step is {scale}, which makes steps from {min(units):g} to {max(units):g} units; they must "
                f"lie between 1 and {LARGEST_STEP}. Choose a step nearer to 1."
            )
        return cls(steps=tuple(map(round, units)))

    def quantize(self, latent: Latent) -> Symbols:
        """Round the latent of one clip to symbols.

        Raises:
            LatentError: a value is NaN, infinite, or more than 2²³ steps from zero.
        """
        scaled = self.scaled_latent(latent)
        largest = scaled.abs().amax() if scaled.numel() else torch.zeros(())
        if not largest <= LARGEST_SYMBOL:
            raise LatentError(
                f"the latent's largest value is {float(largest):g} steps; at most {LARGEST_SYMBOL} can be "
                "stored. If it is neither NaN nor infinity, choose a larger step."
            )
        return scaled.round_().to(torch.int32).numpy()

    def dequantize(self, symbols: Symbols) -> Latent:
        """The latent that the first k channels of symbols stand for; the mirror of `quantize`."""
        values = torch.from_numpy(symbols).to(torch.float32)
        if self.centroids:
            # Exact: a symbol below 2¹⁵ and 1/256 of a step fit into 24 bits.
            shifts = torch.tensor(self.centroids[: symbols.shape[0]], dtype=torch.float32) / 256
            first, others = rearrange(shifts, "c n -> n c 1 1 1")
            values = values - values.sign() * torch.where(values.abs() > 1, others, first)
        return rearrange(values.mul_(self._steps(symbols.shape[0])), "c t h w -> 1 c t h w")

    def scaled_latent(self, latent: Latent) -> Float[Tensor, "c t h w"]:
        """The latent of one clip in steps, before it is rounded."""
        return latent[0].to("cpu", torch.float32) / self._steps(latent.shape[1])

    def _steps(self, channels: int) -> Tensor:
        """The steps of the first channels, ready to multiply with."""
        steps = torch.tensor(self.steps[:channels], dtype=torch.float64) * STEP_UNIT
        return rearrange(steps.to(torch.float32), "c -> c 1 1 1")
