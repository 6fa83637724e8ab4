"""Tokens as the symbols of a ``.tube`` file, whose channels are then digits, and back."""

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Int32

from tubelet.quantizers.digits import Bases, Digits, digits_kind
from tubelet.quantizers.scalar import ScalarQuantizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.types import Latent

DigitSymbols = Int32[np.ndarray, "d t h w"]
"""`Symbols` that are digits of tokens, of one clip."""


def digits_to_symbols(digits: Digits) -> DigitSymbols:
    """The digits of one clip as a file holds them."""
    return digits[0].to("cpu", torch.int32).numpy()


def symbols_to_digits(symbols: DigitSymbols, bases: Bases) -> Digits:
    """Undo `digits_to_symbols`."""
    return rearrange(torch.from_numpy(symbols), "d t h w -> 1 d t h w").to(digits_kind(bases))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenQuantizer:
    """What a discrete tokenizer quantises with, as a file sees it; has the doors of `ScalarQuantizer`.

    Attributes:
        tokenizer: whose quantiser it is.
    """

    tokenizer: DiscreteTokenizer

    def quantize(self, latent: Latent) -> DigitSymbols:
        """The digits of the latent of one clip.

        Raises:
            LatentError: the latent holds NaN or infinity.
        """
        return digits_to_symbols(self.tokenizer.quantizer.quantize(latent))

    def dequantize(self, symbols: DigitSymbols) -> Latent:
        """The latent that digits stand for; the mirror of `quantize`."""
        return self.tokenizer.dequantize(symbols_to_digits(symbols, self.tokenizer.bases))


SymbolQuantizer = ScalarQuantizer | TokenQuantizer
"""Latent to the symbols of a file, and back."""
