"""Quantisers on the channels of one step, made of operators on four axes: for `tubelet.interop`."""

import copy
from typing import Protocol, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from tubelet.errors import OptionError
from tubelet.quantizers.bsq import BSQ
from tubelet.quantizers.flat_codebooks import FlatCodebook, FlatLayers
from tubelet.quantizers.fsq import FSQ
from tubelet.quantizers.ibq import IBQ
from tubelet.quantizers.lfq import LFQ
from tubelet.quantizers.protocol import Quantizer
from tubelet.quantizers.residual_fsq import ResidualFSQ
from tubelet.quantizers.residual_vq import ResidualVQ
from tubelet.quantizers.simvq import SimVQ
from tubelet.quantizers.vq import VQ

FlatDigits = Int[Tensor, "1 d h w"]
"""The digits of a position, ``torch.int32``, which browsers and small runtimes take."""


@runtime_checkable
class FlatQuantizer(Protocol):
    """What a quantiser does to one step."""

    def quantize(self, latent: Float[Tensor, "1 c h w"]) -> FlatDigits:
        """The digits of a step."""
        ...

    def dequantize(self, digits: FlatDigits) -> Float[Tensor, "1 c h w"]:
        """What digits stand for."""
        ...


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


class FlatResidualFSQ(nn.Module):
    """`ResidualFSQ.quantize` and `ResidualFSQ.dequantize` of one step, of all layers.

    Args:
        quantizer: whose levels; its numbers are copied.
    """

    def __init__(self, quantizer: ResidualFSQ) -> None:
        super().__init__()
        numbers = quantizer.cells()
        self.layers = quantizer.layers
        self.register_buffer("gain", _column(quantizer.gain))
        self.register_buffer("edge", _column(numbers.edge))
        self.register_buffer("levels", _column(numbers.levels))
        self.register_buffer("finest", _column(numbers.counts[-1]))
        self.register_buffer("starts", _column(numbers.starts[-1]))
        self.register_buffer("values", quantizer.values.detach().clone())
        self.gain: Tensor
        self.edge: Tensor
        self.levels: Tensor
        self.finest: Tensor
        self.starts: Tensor
        self.values: Tensor

    def quantize(self, latent: Float[Tensor, "1 c h w"]) -> FlatDigits:
        """The digits of a step, those of the first layer first."""
        finest = self.finest.to(latent.dtype)
        cells = ((torch.tanh(latent * self.gain / self.edge) + 1) / 2 * finest).floor().clamp(min=0)
        left = torch.minimum(cells, finest - 1).to(torch.int64)
        found: list[Tensor] = []
        for _ in range(self.layers):
            found.append(left % self.levels)
            left = left // self.levels
        return torch.cat(found[::-1], dim=1).to(torch.int32)

    def dequantize(self, digits: FlatDigits) -> Float[Tensor, "1 c h w"]:
        """What digits stand for."""
        first, *others = digits.to(torch.int64).chunk(self.layers, dim=1)
        cells = first
        for layer in others:
            cells = cells * self.levels + layer
        places = cells + self.starts
        return self.values.index_select(0, places.flatten()).reshape(places.shape)


def flat_quantizer(quantizer: Quantizer) -> FlatQuantizer:
    """A quantiser on four axes, a copy on the CPU.

    Raises:
        OptionError: it is none that a checkpoint may hold.
    """
    copied = copy.deepcopy(quantizer)
    if isinstance(copied, nn.Module):
        copied = copied.cpu()
    match copied:
        case FSQ():
            return FlatFSQ(copied)
        case ResidualFSQ():
            return FlatResidualFSQ(copied)
        case LFQ():
            return FlatSigns(copied.scale)
        case BSQ():
            return FlatSigns(copied.magnitude())
        case VQ() | ResidualVQ() | SimVQ() | IBQ():
            return _of_entries(copied)
        case _:
            raise OptionError(
                f"{type(quantizer).__name__} is not exported; the quantisers of trained tokenizers are "
                "(`tubelet models`)."
            )


def _of_entries(quantizer: VQ | ResidualVQ | SimVQ | IBQ) -> FlatQuantizer:
    match quantizer:
        case VQ():
            return FlatCodebook(quantizer.entries(), radius=float(quantizer.radius))
        case ResidualVQ():
            return FlatLayers([FlatCodebook(layer.entries()) for layer in quantizer.codebooks()])
        case SimVQ():
            return FlatCodebook(quantizer.entries())
        case IBQ():
            return FlatCodebook(quantizer.codebook, by_product=quantizer.by_product)


def _column(values: Tensor) -> Tensor:
    """One value per channel, ready to meet a step."""
    return rearrange(values.detach().clone(), "c -> 1 c 1 1")
