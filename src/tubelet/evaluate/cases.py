"""The clips that systems are timed on: frames of a size, and how many."""

from dataclasses import dataclass
from typing import NamedTuple

PATIENCE = 300.0
"""Seconds that encoding and decoding may take together, unless somebody says otherwise."""


class AbsentError(Exception):
    """Something has no figure; the text says why."""


class LateError(AbsentError):
    """It took longer than there was patience."""


class Size(NamedTuple):
    """Columns and rows of pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A clip.

    Attributes:
        size: of its frames.
        frames: how many.
        patience: seconds that encoding and decoding it may take together.
    """

    size: Size
    frames: int
    patience: float = PATIENCE

    @property
    def pixels(self) -> int:
        """Of all frames."""
        return self.frames * self.size.width * self.size.height

    def __str__(self) -> str:
        return f"{self.frames} frame{'s' if self.frames > 1 else ''} of {self.size}"

    def to_json(self) -> dict[str, int]:
        """What it is, for the results."""
        return {"width": self.size.width, "height": self.size.height, "frames": self.frames}
