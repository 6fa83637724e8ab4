"""The nouns of tubelet and their shapes.

Axis letters: b clips, c channels, k tokens per position. Capitals are pixels (T frames, H rows, W columns),
lower case are latent positions (t, h, w).
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from tubelet.errors import OptionError

Frames = UInt8[np.ndarray, "T H W 3"]
"""Decoded pixels as stored: RGB, 0 to 255."""

Video = Float[Tensor, "b 3 T H W"]
"""Input and output of a tokenizer: RGB in [-1, 1]."""

Latent = Float[Tensor, "b c t h w"]
"""Output of an encoder, input of a decoder: zero mean and unit variance per channel, most important first."""

Latents = Mapping[str, Float[Tensor, "_ _ _ _ _"]]
"""The parts of a latent, by their names; each is a `Latent` with a stride and channels of its own."""

Counts = Int[Tensor, "_ 1 _ _ _"]
"""``b 1 t h w``: how many leading channels each position has, from none to all; a side of 1 stands for all
along it."""

Known = Mapping[str, Counts]
"""The `Counts` of parts, by their names; a part that is not named is known whole."""


class Stride(NamedTuple):
    """Frames, rows and columns of pixels per latent position."""

    t: int
    h: int
    w: int

    @classmethod
    def parse(cls, text: str) -> "Stride":
        """Read ``4x8x8``.

        Raises:
            OptionError: the text is not three positive whole numbers joined by ``x``.
        """
        match = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})x([1-9]\d{0,3})", text)
        if match is None:
            raise OptionError(f"stride is {text!r}; it must be frames x rows x columns, such as 4x8x8.")
        return cls(*(int(group) for group in match.groups()))

    def __str__(self) -> str:
        return f"{self.t}x{self.h}x{self.w}"


class Part(NamedTuple):
    """What one part of a latent is.

    Attributes:
        name: what it is called.
        channels: channels of a full latent, most important first.
        stride: frames, rows and columns of pixels per position of this part.
        exact: whether files keep its values as they are, in steps that no coarseness changes. Its channels
            are not ordered, so budgets and numbers of channels are about the other parts.
        whole: whether budgets and numbers of channels are about the other parts for another reason.
    """

    name: str
    channels: int
    stride: Stride
    exact: bool = False
    whole: bool = False

    @property
    def ordered(self) -> bool:
        """Whether budgets and numbers of channels are about it."""
        return not (self.exact or self.whole)
