"""What a quantiser is: a latent becomes digits, digits become a latent."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from tubelet.quantizers.digits import Bases, Digits
from tubelet.types import Latent

Vectors = Float[Tensor, "n c"]
"""Channels of n positions, wherever they come from."""


class Quantized(NamedTuple):
    """A latent after quantisation, as training sees it.

    Attributes:
        latent: what the digits stand for; its gradient passes to the input straight through.
        digits: what is stored.
        loss: what keeps the quantiser healthy, its own weights included; zero where nothing is needed.
    """

    latent: Latent
    digits: Digits
    loss: Float[Tensor, ""]


@runtime_checkable
class Quantizer(Protocol):
    """Every position by itself, always in float32, also under autocast: so the laws of the latent hold.

    No call but `fit` and `update` changes it.

    Attributes:
        channels: channels of the latent.
        bases: for each token of a position, how many values each of its digits has.
    """

    channels: int
    bases: Bases

    def __call__(self, latent: Latent) -> Quantized:
        """Quantise in training."""
        ...

    def quantize(self, latent: Latent) -> Digits:
        """The digits of a latent.

        Raises:
            ShapeError: the latent has not `channels` channels.
            LatentError: it holds NaN or infinity.
        """
        ...

    def dequantize(self, digits: Digits) -> Latent:
        """The latent that digits stand for; the mirror of `quantize`.

        Raises:
            ShapeError: there are not as many digits as `bases` says.
            TokenError: a digit is outside its base.
        """
        ...

    def fit(self, vectors: Vectors, *, generator: torch.Generator) -> None:
        """Set what can be set before training, from latents of zero mean and unit variance."""
        ...

    def update(self, latent: Latent, digits: Digits, *, generator: torch.Generator) -> None:
        """After a step of training: move what no gradient moves, such as averages of a codebook."""
        ...
