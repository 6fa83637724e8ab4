"""Latents as the symbols of a file, and back; with tokens the channels are digits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Int32

from tubelet.bitstream.chunk import PartSymbols
from tubelet.quantizers.digits import Bases, Digits, digits_kind
from tubelet.quantizers.scalar import ScalarQuantizer, Symbols
from tubelet.tokenizers.clip import main_part
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.streams.decoder import KnownLatents
from tubelet.types import Counts

ClipSymbols = Mapping[str, PartSymbols]
"""The symbols of each part of one clip, and how many channels each position has, by the part's name."""

DigitSymbols = Int32[np.ndarray, "d t h w"]
"""`Symbols` that are digits of tokens, of one clip."""


BASE_STEP = 0.25
"""Quantiser step at ``step=1``, in units of an orthonormal coefficient of pixels in [-1, 1].

The same for every channel, which is best for the squared error of the pixels; a channel's own step is this
over its standard deviation.
"""


@runtime_checkable
class SymbolQuantizer(Protocol):
    """Latents to the symbols of a file, and back."""

    def quantize(self, given: KnownLatents) -> ClipSymbols:
        """The symbols of each part of one clip.

        Raises:
            LatentError: a part holds what no symbol stands for.
        """
        ...

    def dequantize(self, symbols: ClipSymbols) -> KnownLatents:
        """The latents that symbols stand for; the mirror of `quantize`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentQuantizer:
    """What the parts of a continuous latent are quantised with.

    Attributes:
        of_part: the quantiser of each part, by its name.
    """

    of_part: Mapping[str, ScalarQuantizer]

    @classmethod
    def of(cls, tokenizer: ContinuousTokenizer, kept: Mapping[str, int], *, step: float) -> "LatentQuantizer":
        """The quantisers of the first channels of each part, at a coarseness.

        Raises:
            OptionError: `step` is not positive, or so extreme that a file cannot say it.
        """
        units = tokenizer.model.coding_units()
        scales = {part.name: 1.0 if part.exact else step for part in tokenizer.parts}
        return cls(
            of_part={
                name: ScalarQuantizer.scaled(BASE_STEP / units[name][:channels], scales[name])
                for name, channels in kept.items()
            }
        )

    def quantize(self, given: KnownLatents) -> ClipSymbols:
        """Round each part of one clip; what lies beyond a position's count becomes 0.

        Raises:
            LatentError: a value is NaN, infinite, or more than 2²³ steps from zero.
        """
        return {
            name: _counted(self.of_part[name].quantize(latent), given.known.get(name))
            for name, latent in given.latents.items()
        }

    def dequantize(self, symbols: ClipSymbols) -> KnownLatents:
        """The latents that the first channels of symbols stand for."""
        return KnownLatents(
            {name: self.of_part[name].dequantize(part.symbols) for name, part in symbols.items()},
            {
                # Of a prefix, no position has more than there is.
                name: torch.from_numpy(part.counts.clip(max=part.symbols.shape[0]))[None, None]
                for name, part in symbols.items()
                if part.counts is not None
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenQuantizer:
    """What a discrete tokenizer quantises its only part with.

    Attributes:
        tokenizer: whose quantiser it is.
    """

    tokenizer: DiscreteTokenizer

    def quantize(self, given: KnownLatents) -> ClipSymbols:
        """The digits of the latent of one clip.

        Raises:
            LatentError: the latent holds NaN or infinity.
        """
        return {
            name: PartSymbols(symbols=digits_to_symbols(self.tokenizer.quantizer.quantize(latent)))
            for name, latent in given.latents.items()
        }

    def dequantize(self, symbols: ClipSymbols) -> KnownLatents:
        """The latent that digits stand for."""
        bases = self.tokenizer.bases
        latents = {
            name: self.tokenizer.dequantize(symbols_to_digits(part.symbols, bases))
            for name, part in symbols.items()
        }
        return KnownLatents(latents, {})


def _counted(symbols: Symbols, counts: Counts | None) -> PartSymbols:
    """Symbols of positions that have so many channels; all channels for none."""
    if counts is None:
        return PartSymbols(symbols=symbols)
    stored = counts.expand(1, 1, *symbols.shape[1:])[0, 0].to("cpu", torch.int32).numpy()
    beyond = np.arange(symbols.shape[0])[:, None, None, None] >= stored
    return PartSymbols(symbols=np.where(beyond, np.int32(0), symbols), counts=stored)


def kept_channels(tokenizer: ContinuousTokenizer, channels: int | None) -> dict[str, int]:
    """How many channels of each part are meant: all for none.

    Raises:
        OptionError: there are not as many, or they are asked of a latent of several parts.
    """
    kept = {part.name: part.channels for part in tokenizer.parts}
    if channels is None:
        return kept
    return kept | {main_part(tokenizer.parts).name: tokenizer.check_channels(channels)}


def only(symbols: ClipSymbols) -> Symbols:
    """The symbols of the only part."""
    (part,) = symbols.values()
    return part.symbols


def digits_to_symbols(digits: Digits) -> DigitSymbols:
    """The digits of one clip as a file holds them."""
    return digits[0].to("cpu", torch.int32).numpy()


def symbols_to_digits(symbols: DigitSymbols, bases: Bases) -> Digits:
    """Undo `digits_to_symbols`."""
    return rearrange(torch.from_numpy(symbols), "d t h w -> 1 d t h w").to(digits_kind(bases))
