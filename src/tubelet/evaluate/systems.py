"""What is evaluated, whatever it is: a clip goes in, a clip comes back, and what it cost is told."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

from tubelet.evaluate.measures import Grid
from tubelet.types import Frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """What came back of a clip, and what it cost.

    Attributes:
        frames: of the length and size of the clip.
        bytes_on_disk: of everything that a decoder needs but the decoder; none where nothing was coded.
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


@runtime_checkable
class System(Protocol):
    """Anything that gives a clip back."""

    @property
    def grid(self) -> Grid | None:
        """Where its patches lie; none where there are none, or nobody knows."""
        ...

    def facts(self) -> dict[str, Any]:
        """Who it is, fully enough that equal facts mean equal frames on one machine."""
        ...

    def reconstruct(self, frames: Frames, rate: Fraction) -> Reconstruction:
        """Encode and decode a clip of any length and size.

        Args:
            frames: the clip.
            rate: frames per second.
        """
        ...
