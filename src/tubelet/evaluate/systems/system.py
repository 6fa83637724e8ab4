"""What every system is, whatever it is made of: a clip goes in and comes back, and what it cost is told."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float16

from tubelet.evaluate.systems.representation import Representation
from tubelet.evaluate.systems.timing import Timing
from tubelet.types import Frames, Stride


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a system works where its text does not say.

    Attributes:
        device: where networks compute: ``cpu``, ``cuda`` or ``cuda:N``. Codecs know the CPU alone.
        at_once: whether tokenizers work on all latent steps of a clip together, or in streams; none lets the
            text say so (``way=whole``).
        number_format: what networks compute in, float32 or bfloat16; none for what the text or the checkpoint
            says.
        compiled: whether PyTorch compiles the networks.
        random_weights: whether an autoencoder of diffusers may be named by its class alone, with weights
            drawn from a seed: enough to be timed.
    """

    device: str = "cpu"
    at_once: bool | None = None
    number_format: str | None = None
    compiled: bool = False
    random_weights: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Where a tokenizer's patches lie."""

    stride: Stride
    lead_frame: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """What came back of a clip, and what it cost.

    Attributes:
        frames: of the length and size of the clip.
        bytes_on_disk: of everything that a decoder needs except the decoder; none where nothing was coded.
        nominal_bits: bits of the tokens if each took log2 of its codebook; none where there are no tokens.
        entropy_bits: zeroth-order entropy of the symbols; none where none were coded.
        numbers: numbers in the latent; none where there is no latent.
        seconds_encode: time from frames to bytes or latent.
        seconds_decode: time back.
    """

    frames: Frames
    bytes_on_disk: int | None = None
    nominal_bits: float | None = None
    entropy_bits: float | None = None
    numbers: int | None = None
    seconds_encode: float
    seconds_decode: float


Moved = Float16[np.ndarray, "t two h w"]
"""By how many pixels the positions of a clip move, to the right and down, from the first frame of their
latent step to its last; as many steps as the clip has."""


@runtime_checkable
class MovingSystem(Protocol):
    """A system that may know how things move; its tokenizer decides whether it does."""

    def motion(self, frames: Frames) -> Moved | None:
        """How far the positions of a clip move; none where the tokenizer does not say so."""
        ...


@runtime_checkable
class System(Protocol):
    """Anything that gives a clip back."""

    @property
    def grid(self) -> Grid | None:
        """Where its patches lie; none where there are none, or they are of many sizes."""
        ...

    @property
    def representation(self) -> Representation | None:
        """The latent or the tokens that it makes of a clip; none for a codec."""
        ...

    @property
    def timing(self) -> Timing:
        """How it is timed."""
        ...

    def facts(self) -> dict[str, Any]:
        """What identifies it, fully enough that equal facts mean equal frames on one machine."""
        ...

    def reconstruct(self, frames: Frames, rate: Fraction) -> Reconstruction:
        """Encode and decode a clip of any length and size.

        Args:
            frames: the clip.
            rate: frames per second.
        """
        ...
