"""Quantisers on the channels of one step, made of operators on four axes: for `tubelet.interop`."""

import copy

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from tubelet.quantizers.bsq import BSQ
from tubelet.quantizers.fsq import FSQ
from tubelet.quantizers.lfq import LFQ
from tubelet.quantizers.protocol import Quantizer

FlatDigits = Int[Tensor, "1 d h w"]
"""One digit per channel, ``torch.int32``, which browsers and small runtimes take."""


class FlatFSQ(nn.Module):
    """`FSQ.quantize` and `FSQ.dequantize` of one step.

    Args:
        quantizer: whose levels; its numbers are copied.
    """

    def __init__(self, quantizer: FSQ) -> None:
        super().__init__()
        numbers = quantizer.bounds()
        self.register_buffer("gain", _column(quantizer.gain))
        self.register_buffer("shift", _column(numbers.shift))
        self.register_buffer("reach", _column(numbers.half))
        self.register_buffer("offset", _column(numbers.offset))
        self.register_buffer("middle", _column(numbers.middle))
        self.register_buffer("most", _column(numbers.most))
        self.register_buffer("starts", _column(numbers.starts))
        self.register_buffer("values", quantizer.values.detach().clone())
        self.gain: Tensor
        self.shift: Tensor
        self.reach: Tensor
        self.offset: Tensor
        self.middle: Tensor
        self.most: Tensor
        self.starts: Tensor
        self.values: Tensor

    def quantize(self, latent: Float[Tensor, "1 d h w"]) -> FlatDigits:
        """The digits of a step."""
        bounded = torch.tanh(latent * self.gain + self.shift) * self.reach - self.offset
        digits = bounded.round() + self.middle.to(latent.dtype)
        return torch.minimum(digits.clamp(min=0), self.most.to(latent.dtype)).to(torch.int32)

    def dequantize(self, digits: FlatDigits) -> Float[Tensor, "1 d h w"]:
        """What digits stand for."""
        places = digits.to(torch.int64) + self.starts
        return self.values.index_select(0, places.flatten()).reshape(places.shape)


class FlatSigns(nn.Module):
    """`LFQ.quantize` and `BSQ.quantize` of one step, and their mirrors: the sign of each channel is a digit.

    Args:
        magnitude: what a digit stands for, up to its sign.
    """

    def __init__(self, magnitude: Float[Tensor, ""]) -> None:
        super().__init__()
        self.register_buffer("magnitude", magnitude.detach().clone())
        self.magnitude: Tensor

    def quantize(self, latent: Float[Tensor, "1 d h w"]) -> FlatDigits:
        """The digits of a step; that of zero is 0."""
        return (latent > 0).to(torch.int32)

    def dequantize(self, digits: FlatDigits) -> Float[Tensor, "1 d h w"]:
        """What digits stand for."""
        return torch.where(digits > 0, self.magnitude, -self.magnitude)


def flat_quantizer(quantizer: Quantizer) -> FlatFSQ | FlatSigns | None:
    """A quantiser on four axes, a copy on the CPU; none for one that has no such form."""
    match quantizer:
        case FSQ():
            return FlatFSQ(copy.deepcopy(quantizer).cpu())
        case LFQ():
            return FlatSigns(quantizer.scale.cpu())
        case BSQ():
            return FlatSigns(quantizer.magnitude().cpu())
        case _:
            return None


def _column(values: Tensor) -> Tensor:
    """One value per channel, ready to meet a step."""
    return rearrange(values.detach().clone(), "c -> 1 c 1 1")
